"""The scratchpad of a provider task, which the page of its order, or of a task without one, lists."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from provider.domain.scratchpads import NAME_MOST, VALUE_MOST
from provider.services import scratchpads
from provider.ui.context import actor, here
from webkit.forms import Form, strip
from webkit.pages import Pages

pages = Pages("scratchpads", __name__)


class EntryForm(Form):
    name = StringField("Name", [DataRequired("An entry has a name."), Length(max=NAME_MOST)], filters=[strip])
    value = TextAreaField("Value", [Length(max=VALUE_MOST)])
    client_visible = BooleanField("Requesters of the consumer see it, too")


@pages.form("/provider-tasks/<number>/scratchpad", "case.write")
def write(number: str) -> ResponseReturnValue:
    """Put an entry, in the place of one of that name; a page of its own only when something is wrong with it."""
    form = EntryForm()
    if form.done(lambda: _write(number, form.name.data, form.value.data or "", form.client_visible.data)):
        return _back(number)
    page = flask.render_template("provider/scratchpad.html", number=number, form=form, owner=owner_of(number))
    return page, 422 if form.is_submitted() else 200


@pages.action("/provider-tasks/<number>/scratchpad/remove", "case.write")
def remove(number: str) -> ResponseReturnValue:
    """Remove an entry."""
    _write(number, flask.request.form.get("name", ""), None, False)
    return _back(number)


def _write(number: str, name: str, value: str | None, client_visible: bool) -> None:
    said: dict[str, Any] = {"client_visible": client_visible, "author": actor().removeprefix("user/")}
    with here().transaction() as session:
        scratchpads.write_entry(session, number, name, value, **said, now=here().clock())


def _back(number: str) -> ResponseReturnValue:
    return flask.redirect(f"{owner_of(number)}#scratchpad", 303)


def owner_of(number: str) -> str:
    """The page of what stands behind a provider task: its order, or its case."""
    with here().database.reading() as session:
        order_number = scratchpads.find_order_number(session, number)
    if order_number is None:
        return flask.url_for("cases.show", number=number)
    return flask.url_for("orders.show", number=order_number)
