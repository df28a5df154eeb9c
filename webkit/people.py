"""The people of an instance, for those who look after them: add, change roles, set a password, block."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import PasswordField, SelectMultipleField, StringField, ValidationError
from wtforms.validators import DataRequired, EqualTo, InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from webkit import once
from webkit.accounts import PASSWORD_LEAST, PASSWORD_MOST, hash_password
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.sessions import end_sessions
from webkit.site import here
from webkit.words import in_words

SORTABLE = ("name", "state")
WRITE = "user.write"
_NAME_MOST = 120


class Person(Protocol):
    """A row of either instance's users."""

    id: Any
    name: Any
    roles: Any
    active: Any
    password_hash: Any


class People(Protocol):
    """What an instance does with its people. Each raises what the instance's site lists as refusals."""

    @property
    def roles(self) -> Sequence[str]: ...
    def search(
        self,
        session: Session,
        *,
        text: str,
        role: str,
        state: str,
        sort: str,
        descending: bool,
        offset: int,
        limit: int,
    ) -> tuple[Sequence[Person], int]:
        """One page, and how many there are. `state` is "active", "blocked" or empty."""

    def get(self, session: Session, user_id: str) -> Person: ...
    def add(self, session: Session, name: str, roles: Sequence[str]) -> tuple[Person, str | None]:
        """The new one, and a token that is shown once, where they have such."""

    def change_roles(self, session: Session, name: str, roles: Sequence[str]) -> object: ...
    def set_password(self, session: Session, name: str, password_hash: str) -> object: ...
    def block(self, session: Session, name: str) -> object: ...
    def unblock(self, session: Session, name: str) -> object: ...


class RolesForm(Form):
    roles = SelectMultipleField(
        "Roles",
        [DataRequired("At least one role.")],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )


class PasswordForm(Form):
    password = PasswordField(
        "New password",
        [
            InputRequired("A password."),
            Length(PASSWORD_LEAST, PASSWORD_MOST, f"{PASSWORD_LEAST} to {PASSWORD_MOST} characters."),
        ],
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        "The same again", [EqualTo("password", "The two differ.")], render_kw={"autocomplete": "new-password"}
    )


class NewPersonForm(RolesForm, PasswordForm):
    name = StringField(
        "Name",
        [DataRequired("A name."), Length(max=_NAME_MOST, message=f"At most {_NAME_MOST} characters.")],
        filters=[strip],
        description="They sign in with it, and others read it.",
        render_kw={"autocomplete": "off"},
    )
    password = PasswordField(
        "Password",
        [Optional(), Length(PASSWORD_LEAST, PASSWORD_MOST, f"{PASSWORD_LEAST} to {PASSWORD_MOST} characters.")],
        description="Without one they cannot sign in here; it can be set later.",
        render_kw={"autocomplete": "new-password"},
    )

    def validate_name(self, field: StringField) -> None:
        if not str(field.data).isprintable():
            raise ValidationError("Characters that can be seen, please.")


class _NoForm(Form):
    """A button, and nothing to type."""


def make_pages(people: People) -> Pages:
    """For one instance."""
    pages = Pages("users", __name__)
    _hang_lists(pages, people)
    _hang_changes(pages, people)
    return pages


def _hang_lists(pages: Pages, people: People) -> None:
    @pages.page("/users", WRITE)
    def list_all() -> str:
        listing = read_listing(SORTABLE, "name", ("role", "state"))
        wanted: dict[str, Any] = {name: listing.filters.get(name, "") for name in ("role", "state")}
        with here().database.reading() as session:
            rows, total = people.search(session, text=listing.text, **wanted, **listing.place)
        roles = _choices(people)
        return flask.render_template("webkit/users.html", listing=listing, rows=rows, total=total, roles=roles)

    @pages.form("/users/new", WRITE)
    def add() -> ResponseReturnValue:
        form, made = NewPersonForm(), []
        form.roles.choices = _choices(people)
        if form.done(lambda: made.append(_add(people, form))):
            return _to(made[0], f"{form.name.data} is added.")
        return flask.render_template("webkit/user_new.html", form=form), 422 if form.is_submitted() else 200

    @pages.page("/users/<uuid:user_id>", WRITE)
    def show(user_id: UUID) -> ResponseReturnValue:
        return _show(people, user_id, once.take(_secret(user_id)))


def _hang_changes(pages: Pages, people: People) -> None:
    @pages.form("/users/<uuid:user_id>/roles", WRITE)
    def change_roles(user_id: UUID) -> ResponseReturnValue:
        form = RolesForm()
        form.roles.choices = _choices(people)
        return _change(people, user_id, form, lambda session, name: people.change_roles(session, name, form.roles.data))

    @pages.form("/users/<uuid:user_id>/password", WRITE)
    def set_password(user_id: UUID) -> ResponseReturnValue:
        form = PasswordForm()

        def change(session: Session, name: str) -> object:
            return people.set_password(session, name, hash_password(form.password.data))

        return _change(people, user_id, form, change)

    @pages.action("/users/<uuid:user_id>/block", WRITE)
    def block(user_id: UUID) -> ResponseReturnValue:
        return _change(people, user_id, None, people.block)

    @pages.action("/users/<uuid:user_id>/unblock", WRITE)
    def unblock(user_id: UUID) -> ResponseReturnValue:
        return _change(people, user_id, None, people.unblock)


def _add(people: People, form: NewPersonForm) -> str:
    """The id of the new one."""
    with here().database.transaction() as session:
        person, token = people.add(session, form.name.data, form.roles.data)
        if form.password.data:
            people.set_password(session, form.name.data, hash_password(form.password.data))
        user_id = str(person.id)
    if token:
        once.keep(_secret(user_id), token)
    return user_id


def _change(
    people: People, user_id: UUID, form: Form | None, action: Callable[[Session, str], object]
) -> ResponseReturnValue:
    """Do it, and sign them out everywhere: what they were let in for is over. Without a form, by a button."""

    def change() -> None:
        with here().database.transaction() as session:
            person = people.get(session, str(user_id))
            action(session, person.name)
            end_sessions(session, str(person.id))

    if form is None:
        change()
    elif not form.done(change):
        return _show(people, user_id, None, form)
    return _to(str(user_id), "Done. They are signed out.")


def _show(people: People, user_id: UUID, token: str | None, sent: Form | None = None) -> ResponseReturnValue:
    """`sent` is the form that was sent, with what is wrong; `token` is the one that is shown this once."""
    with here().database.reading() as session:
        person = people.get(session, str(user_id))
    roles = sent if isinstance(sent, RolesForm) else RolesForm(formdata=None, roles=person.roles)
    roles.roles.choices = _choices(people)
    password = sent if isinstance(sent, PasswordForm) else PasswordForm(formdata=None)
    shown = {"person": person, "roles": roles, "password": password, "token_once": token, "form": sent or _NoForm()}
    status = 422 if sent is not None and sent.is_submitted() else 200
    return flask.render_template("webkit/user.html", **shown), status


def _to(user_id: str, message: str) -> ResponseReturnValue:
    flask.flash(message, "success")
    return flask.redirect(flask.url_for("users.show", user_id=user_id), 303)


def _choices(people: People) -> list[tuple[str, str]]:
    return [(role, in_words(role)) for role in people.roles]


def _secret(user_id: object) -> str:
    return f"user/{user_id}"
