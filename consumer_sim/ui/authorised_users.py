"""Our users that may order what a provider's items ask personas for: name them, let them order or not."""

from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import SelectField, SelectMultipleField
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from consumer_sim.services import authorised_users, users
from consumer_sim.services.connections import Link, get_link
from consumer_sim.services.errors import NotFound
from consumer_sim.services.personas import list_personas
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.forms import Form
from webkit.pages import Pages

pages = Pages("authorised_users", __name__)
_ALL = "/connections/<uuid:connection_id>/authorised-users"
_ONE = f"{_ALL}/<uuid:authorised_user_id>"


class PersonasForm(Form):
    persona_ids = SelectMultipleField(
        "Personas", widget=ListWidget(prefix_label=False), option_widget=CheckboxInput(), validate_choice=False
    )


class NamingForm(PersonasForm):
    user_id = SelectField("User", [InputRequired("Choose a user.")], validate_choice=False)


@pages.form(_ALL, Permission.CONNECTION_READ)
def list_all(connection_id: UUID) -> ResponseReturnValue:
    """All of one provider; they are as many as it lets us have."""
    return _show(connection_id, None)


@pages.form(f"{_ALL}/name", Permission.CONNECTION_WRITE)
def name(connection_id: UUID) -> ResponseReturnValue:
    """Name one, or say otherwise what one holds."""
    form = NamingForm()

    def tell() -> None:
        with here().database.transaction() as session:
            link, wanted = _link(session, connection_id), list(form.persona_ids.data or ())
            authorised_users.name_user(session, _id(link), as_id(form.user_id.data), wanted, now=here().clock())

    if form.done(tell):
        flask.flash("The provider is told, and approves it by itself or by a person.", "success")
        return _back(connection_id)
    return _show(connection_id, form)


@pages.action(f"{_ONE}/activate", Permission.CONNECTION_WRITE)
def activate(connection_id: UUID, authorised_user_id: UUID) -> ResponseReturnValue:
    return _change(connection_id, authorised_user_id, True)


@pages.action(f"{_ONE}/deactivate", Permission.CONNECTION_WRITE)
def deactivate(connection_id: UUID, authorised_user_id: UUID) -> ResponseReturnValue:
    return _change(connection_id, authorised_user_id, False)


@pages.action(f"{_ONE}/tell-again", Permission.CONNECTION_WRITE)
def tell_again(connection_id: UUID, authorised_user_id: UUID) -> ResponseReturnValue:
    return _change(connection_id, authorised_user_id, None)


def as_id(text: str | None) -> str:
    """What is no id becomes one that nobody has: databases compare ids with ids."""
    try:
        return str(UUID(text or ""))
    except ValueError:
        return str(UUID(int=0))


def _change(connection_id: UUID, user_id: UUID, active: bool | None) -> ResponseReturnValue:
    with here().database.transaction() as session:
        link = _link(session, connection_id)
        user = authorised_users.get_user(session, _id(link), str(user_id), lock=True)
        if active is None:
            authorised_users.tell_again(session, user, now=here().clock())
        else:
            authorised_users.set_active(session, user, active, now=here().clock())
    flask.flash("The provider is told.", "success")
    return _back(connection_id)


def _show(connection_id: UUID, form: NamingForm | None) -> ResponseReturnValue:
    with here().database.reading() as session:
        link = _link(session, connection_id)
        found = authorised_users.list_users(session, _id(link))
        shown: dict[str, Any] = {
            "rows": [authorised_users.user_document(user, called) for user, called in found],
            "personas": list_personas(session, _id(link)),
            "limit": authorised_users.read_limit(session, _id(link)),
        }
        people = users.list_people(session)
    is_sent = form is not None and form.is_submitted()
    made = form if form is not None else NamingForm(formdata=None, data={"user_id": flask.request.args.get("user")})
    made.user_id.choices = [("", "Choose one"), *people]
    made.persona_ids.choices = [(one.id, one.name) for one in shown["personas"]]
    if form is None:
        chosen = next((row for row in shown["rows"] if row["user_id"] == made.user_id.data), None)
        made.persona_ids.data = chosen["own_persona_ids"] if chosen else []
    names = {one.id: one.name for one in shown["personas"]}
    page = flask.render_template("consumer/authorised_users.html", link=link, form=made, names=names, **shown)
    return page, 422 if is_sent else 200


def _link(session: Session, connection_id: UUID) -> Link:
    return get_link(session, str(connection_id))


def _id(link: Link) -> str:
    """As on the wire."""
    if link.connection is None:
        raise NotFound("connection", link.connecting.id)
    return link.connection.id


def _back(connection_id: UUID) -> ResponseReturnValue:
    return flask.redirect(flask.url_for(".list_all", connection_id=connection_id), 303)
