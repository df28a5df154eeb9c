"""Providers: connect to them, see how each connection does, and settle how their offers are treated."""

from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug import Response
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Regexp

from bridge.care import read_care
from bridge.flow_recent import read_queues
from bridge.issues import list_issues
from bridge.vocabulary import ConnectionState
from consumer_sim.models import ProviderConnection
from consumer_sim.services import connections, offboarding, rotations
from consumer_sim.services.connections import Link, begin_connecting, get_connected_id, get_link, set_auto_activate
from consumer_sim.services.link_trouble import SORTS, get_health, give_up, search_links, send_again
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.next_step import flash_next
from webkit.pages import Pages
from webkit.words import in_words

pages = Pages("connections", __name__)
_ONE = "/connections/<uuid:connection_id>"


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class TokenForm(Form):
    token = StringField(
        "Registration token",
        [DataRequired("The provider's Exchange admin makes one for us."), Length(max=255)],
        filters=[strip],
        description="It can be used once, and begins with sxr_.",
        render_kw={"autocomplete": "off"},
    )


class ConnectForm(TokenForm):
    provider_url = StringField(
        "Address of the provider",
        [DataRequired("Where the provider answers, such as https://exchange.example."), Length(max=2000)],
        filters=[strip],
        render_kw={"inputmode": "url", "autocomplete": "off"},
    )
    number_prefix = StringField(
        "Prefix of our request numbers",
        [
            DataRequired("Such as ACME: our requests will be numbered ACME-PT0000001."),
            Regexp(r"[A-Z][A-Z0-9]{1,11}\Z", message="2 to 12 letters and digits, beginning with a letter."),
        ],
        filters=[strip, _upper],
        description="2 to 12 letters and digits, beginning with a letter, such as ACME. The provider adds a digit if "
        "somebody else has it.",
        render_kw={"autocomplete": "off"},
    )


class AddressForm(Form):
    provider_url = StringField(
        "Address of the provider",
        [DataRequired("Where the provider answers, such as https://exchange.example."), Length(max=2000)],
        filters=[strip],
        description="It has to prove that it is the same provider before anything is sent there.",
        render_kw={"inputmode": "url", "autocomplete": "off"},
    )

    def read(self) -> str:
        return (self.provider_url.data or "").rstrip("/")


class ReasonForm(Form):
    reason = TextAreaField(
        "Reason",
        [DataRequired("Say why: the provider's people will ask."), Length(max=500)],
        filters=[strip],
        description="Your colleagues and the provider's people read it.",
    )


@pages.page("/connections", Permission.CONNECTION_READ)
def list_all() -> str:
    listing = read_listing(SORTS, "name", ("state", "health"))
    chosen: dict[str, Any] = {name: listing.filters.get(name) for name in ("state", "health")}
    with here().database.reading() as session:
        rows, total = search_links(session, text=listing.text, now=here().clock(), **chosen, **listing.place)
    states = [(state, in_words(state)) for state in ConnectionState]
    return flask.render_template("consumer/connections.html", listing=listing, rows=rows, total=total, states=states)


@pages.form("/connections/connect", Permission.CONNECTION_WRITE)
def connect() -> ResponseReturnValue:
    """The form; how far connecting came is shown at the connection, with the reason where it stopped."""
    form, begun = ConnectForm(), []

    def begin() -> None:
        context, url = here(), (form.provider_url.data or "").rstrip("/")
        context.guard.check_url(url)
        with context.database.transaction() as session:
            given = (url, form.token.data or "", form.number_prefix.data or "")
            begun.append(begin_connecting(session, context.keyring, *given, now=context.clock()).id)

    if form.done(begin):
        return _go_on(begun[0])
    return flask.render_template("consumer/connect.html", form=form), 422 if form.is_submitted() else 200


@pages.page(_ONE, Permission.CONNECTION_READ)
def show(connection_id: UUID) -> str:
    """By our id or the wire's."""
    return _show(connection_id, TokenForm(formdata=None))


def _show(connection_id: UUID, form: TokenForm) -> str:
    with here().database.reading() as session:
        health = get_health(session, str(connection_id), here().clock())
        connection = health.link.connection
        queues = read_queues(session, connection.id) if connection else []
        care = read_care(session, health.flow, here().clock()) if health.flow else None
    told: dict[str, Any] = {"health": health, "queues": queues, "care": care, "form": form}
    return flask.render_template("consumer/connection.html", callback=here().config.public_url, **told)


@pages.page("/issues", Permission.CONNECTION_READ)
def issues() -> str:
    listing = read_listing(("last",), "last", ("resolved",))
    resolved = listing.filters.get("resolved") == "1"
    with here().database.reading() as session:
        rows, total = list_issues(session, resolved=resolved, offset=listing.offset, limit=listing.limit)
    return flask.render_template("consumer/issues.html", listing=listing, rows=rows, total=total, resolved=resolved)


@pages.form(f"{_ONE}/revoke", Permission.CONNECTION_WRITE)
def revoke(connection_id: UUID) -> ResponseReturnValue:
    """The page that asks why, and whether it is meant; then the end."""
    form = ReasonForm()
    with here().database.reading() as session:
        wire_id = get_connected_id(session, str(connection_id))
        name = get_link(session, wire_id).connecting.provider_name

    def end() -> None:
        with here().database.transaction() as session:
            offboarding.revoke_connection(session, wire_id, reason=form.reason.data or "", now=here().clock())

    if form.done(end):
        flask.flash(f"The connection to {name} has ended.", "success")
        return _to(str(connection_id))
    page = flask.render_template("consumer/connection_revoke.html", form=form, name=name, link_id=connection_id)
    return page, 422 if form.is_submitted() else 200


@pages.form(f"{_ONE}/address", Permission.CONNECTION_WRITE)
def change_address(connection_id: UUID) -> ResponseReturnValue:
    """Another address of the provider, which has to prove that it is the same one before it is sent anything."""
    link = _connected(connection_id)
    form = AddressForm(data={"provider_url": link.connecting.provider_url})
    is_tried = form.done(lambda: here().mover.move_provider(link.connecting.id, form.read()))
    connection = _connected(connection_id).connection
    if is_tried and connection and (problem := connection.new_url_problem):
        form.provider_url.errors = [f"It did not prove to be this provider: {problem}."]
    elif is_tried:
        flask.flash("The provider is called there from now on.", "success")
        return _to(str(connection_id))
    page = flask.render_template("consumer/connection_address.html", form=form, own=link.connecting)
    return page, 422 if form.is_submitted() else 200


@pages.action(f"{_ONE}/address/tell", Permission.CONNECTION_WRITE)
def tell_address(connection_id: UUID) -> Response:
    here().mover.tell_callback(_connected(connection_id).connecting.id)
    flask.flash("The provider challenged our address, and calls us there from now on.", "success")
    return _to(str(connection_id))


@pages.action(f"{_ONE}/rotate", Permission.CONNECTION_WRITE)
def rotate(connection_id: UUID) -> Response:
    context = here()
    with context.database.transaction() as session:
        wire_id = get_connected_id(session, str(connection_id))
        rotations.want_rotation(session, wire_id, rotations.SECRETS, now=context.clock())
    for secret in rotations.SECRETS:
        context.rotator.advance(wire_id, secret)
    flask.flash("New secrets were asked for; below is how far that is.", "success")
    return _to(str(connection_id))


@pages.action(f"{_ONE}/epoch/accept", Permission.CONNECTION_WRITE)
def accept_epoch(connection_id: UUID) -> Response:
    return _settle_epoch(connection_id, accept=True)


@pages.action(f"{_ONE}/epoch/refuse", Permission.CONNECTION_WRITE)
def refuse_epoch(connection_id: UUID) -> Response:
    return _settle_epoch(connection_id, accept=False)


def _settle_epoch(connection_id: UUID, *, accept: bool) -> Response:
    with here().database.transaction() as session:
        wire_id = get_connected_id(session, str(connection_id))
        connections.settle_epoch(session, wire_id, accept=accept, now=here().clock())
    flask.flash("It is let in. Both sides should be compared now." if accept else "It stays refused.", "success")
    return _to(str(connection_id))


@pages.action(f"{_ONE}/resume", Permission.CONNECTION_WRITE)
def resume(connection_id: UUID) -> Response:
    return _go_on(_own(str(connection_id)).id)


@pages.form(f"{_ONE}/token", Permission.CONNECTION_WRITE)
def enter_token(connection_id: UUID) -> ResponseReturnValue:
    """Another token in place of the one that the provider did not take."""
    form, begun = TokenForm(), []

    def begin() -> None:
        context = here()
        with context.database.transaction() as session:
            own = get_link(session, str(connection_id), lock=True).connecting
            given = (own.provider_url, form.token.data or "", own.requested_prefix)
            begun.append(begin_connecting(session, context.keyring, *given, now=context.clock()).id)

    if form.done(begin):
        return _go_on(begun[0])
    return _show(connection_id, form), 422 if form.is_submitted() else 200


@pages.action(f"{_ONE}/settings", Permission.CONNECTION_WRITE)
def change_settings(connection_id: UUID) -> Response:
    wanted = "auto_activate" in flask.request.form
    with here().database.transaction() as session:
        link = get_link(session, str(connection_id), lock=True)
        set_auto_activate(session, link, wanted, now=here().clock())
    flask.flash("What is offered is active at once." if wanted else "What is offered waits for activation.", "success")
    return _to(str(connection_id))


@pages.action(f"{_ONE}/calls/<uuid:delivery_id>/send-again", Permission.CONNECTION_WRITE)
def resend(connection_id: UUID, delivery_id: UUID) -> Response:
    with here().database.transaction() as session:
        send_again(session, str(connection_id), str(delivery_id), now=here().clock())
    flask.flash("It is sent again.", "success")
    return _to(str(connection_id))


@pages.action(f"{_ONE}/calls/<uuid:delivery_id>/give-up", Permission.CONNECTION_WRITE)
def drop(connection_id: UUID, delivery_id: UUID) -> Response:
    with here().database.transaction() as session:
        give_up(session, str(connection_id), str(delivery_id), by=current_user.name, now=here().clock())
    flask.flash("It is given up. Its record says so, and what waited behind it goes on.", "success")
    return _to(str(connection_id))


def _connected(connection_id: UUID) -> Link:
    """Raises NotFound, also while connecting has not come so far."""
    with here().database.reading() as session:
        return get_link(session, get_connected_id(session, str(connection_id)))


def _go_on(link_id: str) -> Response:
    """As far as the provider lets us, now."""
    own = _own(link_id)
    if own.step == "done":
        flask.flash(f"We are already connected to {own.provider_name}: with this token, which was good once.", "info")
        return _to(link_id)
    with here().sender() as sender:
        here().connector(sender).connect(link_id)
    own = _own(link_id)
    if own.step == "done":
        items = flask.url_for("items.list_all", provider=own.connection_id)
        flash_next(f"Connected to {own.provider_name}.", "Activate what people may order.", items)
    else:
        flask.flash("Connecting stopped; below is why.", "warning")
    return _to(link_id)


def _own(link_id: str) -> ProviderConnection:
    with here().database.reading() as session:
        return get_link(session, link_id).connecting


def _to(connection_id: str) -> Response:
    return flask.redirect(flask.url_for(".show", connection_id=connection_id), 303)
