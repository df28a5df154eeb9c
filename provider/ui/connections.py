"""Connections: how each does, what is wrong with it, and what is done about it."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug import Response
from wtforms import BooleanField, StringField, TextAreaField, ValidationError
from wtforms.validators import DataRequired, Length

from bridge.care import read_care
from bridge.flow_recent import read_queues
from bridge.issues import list_issues
from bridge.vocabulary import ConnectionState
from provider.services import connections, registrations, rotations
from provider.services.connection_search import CONNECTIONS_SORTABLE, search_connections
from provider.services.connections import CONNECTION_MOVES
from provider.services.criteria import ACCOUNT, LABELS
from provider.services.entitlement_explanations import explain_entitlement, list_items_for, list_items_of
from provider.services.pricing import SHOW_PRICES
from provider.ui.audience import read_labels, say_labels
from provider.ui.context import actor, here
from provider.ui.gains import say_items, say_settings
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.words import in_words

pages = Pages("connections", __name__)

_MOVES = {ConnectionState.PAUSED: connections.pause_connection, ConnectionState.REVOKED: connections.revoke_connection}


class ReasonForm(Form):
    reason = TextAreaField(
        "Reason",
        [DataRequired("Say why: whoever finds the connection like this will ask."), Length(max=500)],
        filters=[strip],
        description="Your colleagues read it here, and in the log of what was done.",
    )


class CallbackForm(Form):
    callback_url = StringField(
        "Where its events go", [DataRequired("An address begins with https://."), Length(max=2000)], filters=[strip],
        description="It is challenged when you save, and must answer as the consumer. Until then the former one stays.",
    )  # fmt: skip


class SettingsForm(Form):
    show_prices = BooleanField("Tell this consumer what items cost")
    account = StringField("Account", [Length(max=120)], filters=[strip])
    labels = TextAreaField("Labels", [Length(max=5000)], description="One a line, such as tier = gold.")

    def validate_labels(self, field: TextAreaField) -> None:
        try:
            read_labels(field.data or "")
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def read(self) -> dict[str, Any]:
        labels = dict(read_labels(self.labels.data or ""))
        return {SHOW_PRICES: self.show_prices.data, ACCOUNT: self.account.data or None, LABELS: labels}


@pages.page("/connections", "connection.read")
def list_all() -> str:
    listing = read_listing(CONNECTIONS_SORTABLE, "name", ("state", "health"))
    wanted: dict[str, Any] = {
        "text": listing.text,
        "sort": listing.sort,
        "descending": listing.descending,
        **listing.filters,
    }
    with here().database.reading() as session:
        rows, total = search_connections(
            session, now=here().clock(), offset=listing.offset, limit=listing.limit, **wanted
        )
    states = [(state, in_words(state)) for state in ConnectionState]
    return flask.render_template("provider/connections.html", listing=listing, rows=rows, total=total, states=states)


@pages.page("/connections/<connection_id>", "connection.read")
def show(connection_id: str) -> str:
    with here().database.reading() as session:
        connection = connections.get_connection(session, connection_id)
        shown = connections.show_connection(session, connection, now=here().clock())
        queues = read_queues(session, connection.id)
        care = read_care(session, shown["flow"], here().clock())
        why = _explain(session, connection.id)
    moves = CONNECTION_MOVES.moves[ConnectionState(shown["state"])]
    return flask.render_template(
        "provider/connection.html", connection=shown, queues=queues, moves=moves, care=care, **why
    )


@pages.page("/issues", "connection.read")
def issues() -> str:
    listing = read_listing(("last",), "last", ("resolved",))
    resolved = listing.filters.get("resolved") == "1"
    with here().database.reading() as session:
        rows, total = list_issues(session, resolved=resolved, offset=listing.offset, limit=listing.limit)
    return flask.render_template("provider/issues.html", listing=listing, rows=rows, total=total, resolved=resolved)


@pages.form("/connections/<connection_id>/pause", "connection.write")
def pause(connection_id: str) -> ResponseReturnValue:
    return _move(connection_id, ConnectionState.PAUSED)


@pages.form("/connections/<connection_id>/revoke", "connection.write")
def revoke(connection_id: str) -> ResponseReturnValue:
    return _move(connection_id, ConnectionState.REVOKED)


@pages.form("/connections/<connection_id>/callback", "connection.write")
def change_callback(connection_id: str) -> ResponseReturnValue:
    """Another address for its events, which has to prove itself while the form is sent."""
    with here().database.reading() as session:
        connection = connections.get_connection(session, connection_id)
    form = CallbackForm(data={"callback_url": connection.new_url or connection.peer_url})

    def move() -> None:
        here().move_callback(connection_id, form.callback_url.data, by_consumer=False, actor=actor())

    if form.done(move):
        flask.flash(f"Events of {connection.name} go to the new address from now on.", "success")
        return _to(connection_id)
    page = flask.render_template("provider/connection_callback.html", connection=connection, form=form)
    return page, 422 if form.is_submitted() else 200


@pages.action("/connections/<connection_id>/resume", "connection.write")
def resume(connection_id: str) -> Response:
    with here().transaction() as session:
        resumed = connections.resume_connection(session, connection_id, actor=actor(), now=here().clock())
        flask.flash(f"{resumed.name} flows again.", "success")
    return _to(connection_id)


@pages.action("/connections/<connection_id>/rotate", "connection.write")
def rotate(connection_id: str) -> Response:
    with here().transaction() as session:
        rotations.want_rotation(session, connection_id, rotations.SECRETS, actor=actor(), now=here().clock())
    flask.flash(
        "The consumer is asked for new secrets with its next heartbeat. Nothing is refused meanwhile.", "success"
    )
    return _to(connection_id)


@pages.action("/connections/<connection_id>/epoch/accept", "connection.write")
def accept_epoch(connection_id: str) -> Response:
    return _settle_epoch(connection_id, accept=True)


@pages.action("/connections/<connection_id>/epoch/refuse", "connection.write")
def refuse_epoch(connection_id: str) -> Response:
    return _settle_epoch(connection_id, accept=False)


def _settle_epoch(connection_id: str, *, accept: bool) -> Response:
    with here().transaction() as session:
        connections.settle_epoch(session, connection_id, accept=accept, actor=actor(), now=here().clock())
    flask.flash("It is let in. Compare both sides now." if accept else "It stays refused.", "success")
    return _to(connection_id)


@pages.form("/connections/<connection_id>/settings", "connection.write")
def change_settings(connection_id: str) -> ResponseReturnValue:
    """What is decided for this consumer alone, and what criteria find it by."""
    with here().database.reading() as session:
        connection = connections.get_connection(session, connection_id)
    form = SettingsForm(data={**connection.settings, LABELS: say_labels(connection.settings.get(LABELS) or {})})
    if form.done(lambda: _change_settings(connection_id, form.read())):
        return _to(connection_id)
    page = flask.render_template("provider/connection_settings.html", connection=connection, form=form)
    return page, 422 if form.is_submitted() else 200


def _change_settings(connection_id: str, settings: dict[str, Any]) -> None:
    """Says what was changed, and which items were gained or lost by it."""
    with here().transaction() as session:
        before = dict(connections.get_connection(session, connection_id).settings)
        had = list_items_of(session, connection_id)
        changed = connections.change_settings(session, connection_id, settings, actor=actor(), now=here().clock())
        said = say_items(had, list_items_of(session, connection_id), changed.name)
    flask.flash(" ".join(say_settings(before, changed.settings) + said), "success")


@pages.action("/connections/<connection_id>/test-event", "connection.write")
def test_event(connection_id: str) -> Response:
    context, now = here(), here().clock()
    with context.database.reading() as session:
        connection = connections.get_reachable(session, connection_id)
    echo = registrations.send_test_event(context.carrier(), context.identity, connection, now=now)
    with context.transaction() as session:
        registrations.record_test(session, connection.id, echo, actor=actor(), now=now)
    if echo.delivered:
        flask.flash(f"Test event {echo.event_id} arrived, in {echo.took_s} s. They see the same id.", "success")
    else:
        flask.flash(f"Test event {echo.event_id} did not arrive: {echo.detail}", "danger")
    return _to(connection_id)


def _explain(session: Session, connection_id: str) -> dict[str, Any]:
    item = flask.request.args.get("item", "")
    items = [(one["identity"], one["name"]) for one in list_items_for(session)]
    return {
        "items": items,
        "explained": explain_entitlement(session, connection_id, item) if item else None,
    }


def _move(connection_id: str, wanted: ConnectionState) -> ResponseReturnValue:
    """The page that asks why, and whether it is meant; then the move."""
    form = ReasonForm()
    with here().database.reading() as session:
        connection = connections.get_connection(session, connection_id)

    def move() -> None:
        with here().transaction() as session:
            _MOVES[wanted](session, connection_id, reason=form.reason.data, actor=actor(), now=here().clock())

    if form.done(move):
        flask.flash(f"{connection.name} is {wanted}.", "success")
        return _to(connection_id)
    page = flask.render_template("provider/connection_move.html", connection=connection, wanted=wanted, form=form)
    return page, 422 if form.is_submitted() else 200


def _to(connection_id: str) -> Response:
    return flask.redirect(flask.url_for(".show", connection_id=connection_id), 303)
