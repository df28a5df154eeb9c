"""Approvals that consumers are asked for: the list, and asking. The page of an order, or of a case, shows its own."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from wtforms import DateField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional

from provider.domain.task_approvals import SUBJECT_MOST, TaskApprovalState
from provider.services import task_approvals
from provider.services.connections import as_id
from provider.services.task_approval_search import SORTABLE, search_task_approvals
from provider.ui.context import actor, here
from provider.ui.scratchpads import owner_of
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("task_approvals", __name__)
STATES = [(str(state), state.label) for state in TaskApprovalState]


class AskForm(Form):
    subject = TextAreaField(
        "What the consumer is to approve",
        [DataRequired("Say what is to be approved."), Length(max=SUBJECT_MOST)],
        filters=[strip], description="Such as: Extra cost of 200 EUR for the second visit.",
    )  # fmt: skip
    due_on = DateField(
        "Answer wanted until", [Optional()], description="May stay empty. Nothing happens by itself then."
    )


@pages.page("/approvals", "case.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "asked", ("state",))
    with here().database.reading() as session:
        rows, total = search_task_approvals(
            session, text=listing.text, state=listing.filters.get("state", ""), **listing.place
        )
    today = here().clock().date()
    return flask.render_template(
        "provider/task_approvals.html", listing=listing, rows=rows, total=total, states=STATES, today=today
    )


@pages.form("/provider-tasks/<number>/approvals", "comment.write")
def ask(number: str) -> ResponseReturnValue:
    """Ask the consumer; a page of its own only when something is wrong."""
    form = AskForm()

    def send() -> None:
        said: dict[str, Any] = {"subject": form.subject.data or "", "due_on": form.due_on.data, "actor": actor()}
        with here().transaction() as session:
            task_approvals.ask_approval(session, number, **said, now=here().clock())

    if form.done(send):
        flask.flash("Asked. The answer will stand here.", "success")
        return _back(number)
    page = flask.render_template("provider/task_approval.html", number=number, form=form, owner=owner_of(number))
    return page, 422 if form.is_submitted() else 200


@pages.action("/provider-tasks/<number>/approvals/<approval_id>/withdraw", "comment.write")
def withdraw(number: str, approval_id: str) -> ResponseReturnValue:
    """Take it back while nobody has answered."""
    named = as_id("approval", approval_id)
    with here().transaction() as session:
        task_approvals.withdraw_approval(session, number, named, reason="", actor=actor(), now=here().clock())
    flask.flash("Withdrawn. The consumer is told.", "success")
    return _back(number)


def _back(number: str) -> ResponseReturnValue:
    return flask.redirect(f"{owner_of(number)}#approvals", 303)
