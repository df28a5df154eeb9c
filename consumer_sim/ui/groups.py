"""Groups of our users: what a group holds, each member holds."""

from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from wtforms import SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from consumer_sim.services import groups, users
from consumer_sim.services.connections import get_links
from consumer_sim.services.groups import SORTS, search_groups, view_group
from consumer_sim.services.personas import list_personas
from consumer_sim.services.users import Permission
from consumer_sim.ui.authorised_users import PersonasForm, as_id
from consumer_sim.ui.context import here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("groups", __name__)
_ONE = "/groups/<uuid:group_id>"


class NameForm(Form):
    name = StringField("Name", [DataRequired("A name."), Length(max=120)], filters=[strip])


class MembersForm(Form):
    user_ids = SelectMultipleField(
        "Members", widget=ListWidget(prefix_label=False), option_widget=CheckboxInput(), validate_choice=False
    )


@pages.form("/groups", Permission.USER_WRITE)
def list_all() -> ResponseReturnValue:
    """All of them; the form makes another."""
    listing, form = read_listing(SORTS, "name"), NameForm()
    made: list[str] = []

    def create() -> None:
        with here().database.transaction() as session:
            made.append(groups.create_group(session, str(form.name.data), now=here().clock()).id)

    if form.done(create):
        return _to(made[0], "The group is made. Choose its members now.")
    with here().database.reading() as session:
        rows, total = search_groups(session, text=listing.text, **listing.place)
    page = flask.render_template("consumer/groups.html", listing=listing, rows=rows, total=total, form=form)
    return page, 422 if form.is_submitted() else 200


@pages.page(_ONE, Permission.USER_WRITE)
def show(group_id: UUID) -> ResponseReturnValue:
    return _show(group_id)


@pages.form(f"{_ONE}/members", Permission.USER_WRITE)
def set_members(group_id: UUID) -> ResponseReturnValue:
    form = MembersForm()

    def change() -> None:
        with here().database.transaction() as session:
            groups.set_members(
                session, str(group_id), [as_id(one) for one in form.user_ids.data or ()], now=here().clock()
            )

    if form.done(change):
        return _to(str(group_id), "The members are changed.")
    return _show(group_id, members=form)


@pages.form(f"{_ONE}/personas/<uuid:connection_id>", Permission.USER_WRITE)
def set_personas(group_id: UUID, connection_id: UUID) -> ResponseReturnValue:
    """What its members hold with one provider."""
    form = PersonasForm()

    def change() -> None:
        with here().database.transaction() as session:
            wanted = list(form.persona_ids.data or ())
            groups.set_group_personas(session, str(group_id), str(connection_id), wanted, now=here().clock())

    if form.done(change):
        return _to(str(group_id), "The provider is told of each member.")
    return _show(group_id, personas=(str(connection_id), form))


@pages.action(f"{_ONE}/delete", Permission.USER_WRITE)
def delete(group_id: UUID) -> ResponseReturnValue:
    with here().database.transaction() as session:
        groups.delete_group(session, str(group_id), now=here().clock())
    flask.flash("The group is gone. Its members keep what they hold otherwise.", "success")
    return flask.redirect(flask.url_for(".list_all"), 303)


def _show(
    group_id: UUID, *, members: MembersForm | None = None, personas: tuple[str, PersonasForm] | None = None
) -> ResponseReturnValue:
    with here().database.reading() as session:
        view = view_group(session, str(group_id))
        people, links, known = users.list_people(session), get_links(session), list_personas(session)
    form = members or MembersForm(formdata=None, data={"user_ids": [key for key, _ in view.members]})
    form.user_ids.choices = _with_former(people, view.members)
    offered = {link.connection.id: link for link in links if link.connection}
    forms = {}
    for key in [one for one in offered if any(persona.connection_id == one for persona in known)]:
        one = PersonasForm(formdata=None, data={"persona_ids": view.persona_ids.get(key, [])})
        forms[key] = personas[1] if personas and personas[0] == key else one
        forms[key].persona_ids.choices = [(one.id, one.name) for one in known if one.connection_id == key]
    sent = members or (personas[1] if personas else None)
    page = flask.render_template("consumer/group.html", view=view, form=form, forms=forms, links=offered)
    return page, 422 if sent is not None and sent.is_submitted() else 200


def _with_former(people: list[tuple[str, str]], members: object) -> list[tuple[str, str]]:
    """Also members who are blocked: saving the form must not drop them unseen."""
    shown = {key for key, _ in people}
    blocked = [(key, f"{name} (blocked)") for key, name in list(members) if key not in shown]  # type: ignore[call-overload]
    return [*people, *blocked]


def _to(group_id: str, message: str) -> ResponseReturnValue:
    flask.flash(message, "success")
    return flask.redirect(flask.url_for(".show", group_id=group_id), 303)
