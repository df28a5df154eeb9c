"""The users of consumers who ask to hold personas: approve or refuse them, and say how many there may be."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from werkzeug import Response
from wtforms import IntegerField, RadioField, SelectChoice, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from provider.services import authorised_users
from provider.services.authorised_user_search import SORTABLE, STATES, search_authorised_users
from provider.services.authorised_users import AUTOMATIC, BY_PERSON, rules_of
from provider.services.connections import get_connection
from provider.services.producer_search import list_possible_consumers
from provider.ui.context import actor, here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.words import in_words

pages = Pages("authorised_users", __name__)
_ONE = "/connections/<connection_id>/authorised-users/<authorised_user_id>"


class RefuseForm(Form):
    reason = TextAreaField(
        "Why? (the consumer reads it)", [DataRequired("Say why."), Length(max=1000)], filters=[strip]
    )


class RulesForm(Form):
    approval = RadioField(
        "Whoever the consumer names", [InputRequired()],
        choices=[SelectChoice(AUTOMATIC, "is approved by itself"), SelectChoice(BY_PERSON, "is approved by a person")],
    )  # fmt: skip
    limit = IntegerField(
        "How many may be active", [Optional(), NumberRange(0, 100_000, "From 0 to 100,000.")],
        description="Empty: as many as the consumer names. Who is there already stays.",
    )  # fmt: skip


@pages.page("/authorised-users", "connection.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "state", ("state", "consumer"))
    wanted: dict[str, Any] = {"state": listing.filters.get("state", ""), "connection_id": listing.id_in("consumer")}
    with here().database.reading() as session:
        rows, total = search_authorised_users(session, text=listing.text, **wanted, **listing.place)
        consumers = [one["choice"] for one in list_possible_consumers(session)]
    states = [(state, in_words(state)) for state in STATES]
    shown = {"rows": rows, "total": total, "consumers": consumers, "states": states}
    return flask.render_template("provider/authorised_users.html", listing=listing, **shown)


@pages.action(f"{_ONE}/approve", "connection.write")
def approve(connection_id: str, authorised_user_id: str) -> Response:
    with here().transaction() as session:
        user = authorised_users.approve_authorised_user(
            session, connection_id, authorised_user_id, actor=actor(), now=here().clock()
        )
        flask.flash(f"{user.name} is approved.", "success")
    return _to_all()


@pages.form(f"{_ONE}/refuse", "connection.write")
def refuse(connection_id: str, authorised_user_id: str) -> ResponseReturnValue:
    """Asks for the reason first."""
    form, key = RefuseForm(), (connection_id, authorised_user_id)
    with here().database.reading() as session:
        user = authorised_users.get_authorised_user(session, *key)

    def end() -> None:
        with here().transaction() as session:
            said: dict[str, Any] = {"reason": form.reason.data or "", "actor": actor(), "now": here().clock()}
            authorised_users.refuse_authorised_user(session, *key, **said)

    if form.done(end):
        flask.flash(f"{user.name} orders nothing that asks for a persona.", "success")
        return _to_all()
    page = flask.render_template("provider/authorised_user_refuse.html", form=form, user=user)
    return page, 422 if form.is_submitted() else 200


@pages.form("/connections/<connection_id>/authorised-user-rules", "connection.write")
def rules(connection_id: str) -> ResponseReturnValue:
    """How users of one consumer are approved, and how many there may be."""
    with here().database.reading() as session:
        connection = get_connection(session, connection_id)
    form = RulesForm(data=rules_of(connection.settings))

    def change() -> None:
        decided: dict[str, Any] = {"approval": str(form.approval.data), "limit": form.limit.data}
        with here().transaction() as session:
            authorised_users.set_rules(session, connection_id, **decided, actor=actor(), now=here().clock())

    if form.done(change):
        flask.flash("Saved. Who waits already is decided on by a person.", "success")
        return flask.redirect(flask.url_for("connections.show", connection_id=connection_id), 303)
    page = flask.render_template("provider/authorised_user_rules.html", form=form, connection=connection)
    return page, 422 if form.is_submitted() else 200


def _to_all() -> Response:
    """Back to the list as it was."""
    return flask.redirect(flask.url_for(".list_all", **flask.request.args.to_dict()), 303)  # type: ignore[arg-type]
