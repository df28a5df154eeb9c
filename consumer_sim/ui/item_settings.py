"""What is decided here of a catalog item, over all its revisions: our own approval, and questions of our own."""

import re
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.orm import Session
from wtforms import BooleanField, IntegerField, RadioField, SelectChoice, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from consumer_sim.models import CatalogItem
from consumer_sim.services import item_settings
from consumer_sim.services.catalog import get_item
from consumer_sim.services.item_settings import OWN_TYPES, find_approver_name, find_settings
from consumer_sim.services.users import Permission, list_approvers
from consumer_sim.ui.context import here
from webkit.forms import Form, strip
from webkit.pages import Pages

pages = Pages("item_settings", __name__)
_ONE = "/items/<uuid:connection_id>/<uuid:item_id>/settings"
_TYPES = {
    "text": "One line of text", "multiline_text": "Several lines of text", "integer": "Whole number",
    "decimal": "Number", "boolean": "Yes or no", "choice": "One of some options",
    "multiple_choice": "Some of some options", "date": "Date", "datetime": "Date and time", "email": "E-mail address",
    "url": "Web address",
}  # fmt: skip


class ApprovalForm(Form):
    needs_approval = RadioField(
        "Before a request is sent", [InputRequired()],
        choices=[SelectChoice("no", "It is sent at once"), SelectChoice("yes", "Somebody here approves it")],
    )  # fmt: skip
    approver = SelectField("By whom", validate_choice=False)
    above_quantity = IntegerField(
        "Only above this quantity", [Optional(), NumberRange(0, 1000, "From 0 to 1000.")],
        description="Empty: every request waits for approval.",
    )  # fmt: skip


class QuestionForm(Form):
    label = StringField("Question", [DataRequired("A question needs its words."), Length(max=255)], filters=[strip])
    type = SelectField("Answer", choices=[SelectChoice(one, _TYPES[one]) for one in OWN_TYPES])
    options = TextAreaField("Options", [Length(max=20_000)], description="One a line, where the answer is one of some.")
    description = StringField("Hint", [Length(max=2000)], filters=[strip])
    mandatory = BooleanField("It must be answered")

    def read(self, taken: set[str]) -> dict[str, Any]:
        lines = [line.strip() for line in (self.options.data or "").splitlines() if line.strip()]
        names = ("label", "type", "description", "mandatory")
        return {name: self[name].data for name in names} | {
            "key": _key_for(self.label.data or "", taken), "options": [{"value": line} for line in lines],
        }  # fmt: skip


@pages.form(_ONE, Permission.CATALOG_WRITE)
def show(connection_id: UUID, item_id: UUID) -> ResponseReturnValue:
    """Both settings; this form is that of the approval."""
    form = ApprovalForm()

    def change() -> None:
        with here().database.transaction() as session:
            item_settings.set_approval(
                session, _item(session, connection_id, item_id), needs_approval=form.needs_approval.data == "yes",
                approver=form.approver.data or None, above_quantity=form.above_quantity.data, now=here().clock(),
            )  # fmt: skip

    if form.done(change):
        return _done(connection_id, item_id, "Saved. Requests that wait already go on waiting.")
    return _show(connection_id, item_id, approval=form if form.is_submitted() else None)


@pages.form(f"{_ONE}/questions", Permission.CATALOG_WRITE)
def add_question(connection_id: UUID, item_id: UUID) -> ResponseReturnValue:
    form = QuestionForm()

    def add() -> None:
        with here().database.transaction() as session:
            item = _item(session, connection_id, item_id)
            former = list(item_settings.get_settings(session, item, now=here().clock()).variables)
            made = form.read({one["key"] for one in former})
            item_settings.set_variables(session, item, [*former, made], now=here().clock())

    if form.done(add):
        return _done(connection_id, item_id, f"“{form.label.data}” is asked from now on.")
    return _show(connection_id, item_id, question=form)


@pages.action(f"{_ONE}/questions/<key>/remove", Permission.CATALOG_WRITE)
def remove_question(connection_id: UUID, item_id: UUID, key: str) -> ResponseReturnValue:
    with here().database.transaction() as session:
        item = _item(session, connection_id, item_id)
        former = item_settings.get_settings(session, item, now=here().clock()).variables
        left = [one for one in former if one["key"] != key]
        item_settings.set_variables(session, item, left, now=here().clock())
    return _done(connection_id, item_id, "It is asked no more. Answers that were given stay with their requests.")


def _show(
    connection_id: UUID, item_id: UUID, *, approval: ApprovalForm | None = None, question: QuestionForm | None = None
) -> ResponseReturnValue:
    with here().database.reading() as session:
        item = _item(session, connection_id, item_id)
        settings = find_settings(session, item.connection_id, item.id)
        approver, names = find_approver_name(session, settings), list_approvers(session)
    form = approval or ApprovalForm(formdata=None, data={
        "needs_approval": "yes" if settings and settings.needs_approval else "no", "approver": approver,
        "above_quantity": settings.above_quantity if settings else None,
    })  # fmt: skip
    form.approver.choices = [("", "Whoever may approve"), *((name, name) for name in names)]
    page = flask.render_template(
        "consumer/item_settings.html", item=item, settings=settings, form=form, types=_TYPES,
        question=question or QuestionForm(formdata=None), may_order=current_user.may(Permission.REQUEST_WRITE),
    )  # fmt: skip
    sent = approval or question
    return page, 422 if sent is not None and sent.is_submitted() else 200


def _item(session: Session, connection_id: UUID, item_id: UUID) -> CatalogItem:
    return get_item(session, str(item_id), connection_id=str(connection_id))


def _done(connection_id: UUID, item_id: UUID, message: str) -> ResponseReturnValue:
    flask.flash(message, "success")
    return flask.redirect(flask.url_for(".show", connection_id=connection_id, item_id=item_id), 303)


def _key_for(label: str, taken: set[str]) -> str:
    """A key that nobody has to think of: the words of the question, and a number where they are taken."""
    plain = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:50]
    base = plain if plain[:1].isalpha() else f"question_{plain}".strip("_")
    number, key = 1, base
    while key in taken:
        number, key = number + 1, f"{base}_{number + 1}"
    return key
