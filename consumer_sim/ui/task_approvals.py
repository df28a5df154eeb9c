"""What providers ask us to approve on their tasks: the list, and our answers. The page of the request shows its own."""

from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from consumer_sim.services import task_approvals, tasks
from consumer_sim.services.request_search import get_found
from consumer_sim.services.task_approvals import SORTS, search_task_approvals
from consumer_sim.services.users import Permission
from consumer_sim.ui.approvals import decider
from consumer_sim.ui.context import here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("task_approvals", __name__)
_ONE = "/requests/<uuid:connection_id>/<uuid:task_id>/task-approvals/<uuid:approval_id>"
STATES = [
    ("waiting", "To answer"), ("open", "Open"), ("approved", "Approved"), ("rejected", "Rejected"),
    ("withdrawn", "Withdrawn"), ("ended", "Over with its task"),
]  # fmt: skip


class RejectForm(Form):
    reason = TextAreaField(
        "Why? (the provider reads it)",
        [DataRequired("Say why: the provider reads it."), Length(max=4000)],
        filters=[strip],
    )


@pages.page("/provider-approvals", Permission.REQUEST_APPROVE)
def list_all() -> str:
    listing = read_listing(SORTS, "asked", ("state",))
    with here().database.reading() as session:
        rows, total = search_task_approvals(
            session, text=listing.text, state=listing.filters.get("state"), **listing.place
        )
    today = here().clock().date()
    return flask.render_template(
        "consumer/task_approvals.html", listing=listing, rows=rows, total=total, states=STATES, today=today,
        words=dict(STATES),
    )  # fmt: skip


@pages.action(f"{_ONE}/approve", Permission.REQUEST_APPROVE)
def approve(connection_id: UUID, task_id: UUID, approval_id: UUID) -> ResponseReturnValue:
    _answer((str(connection_id), str(task_id)), str(approval_id), "approve", "")
    flask.flash("Approved. The provider is told.", "success")
    return _to_request(connection_id, task_id)


@pages.form(f"{_ONE}/reject", Permission.REQUEST_APPROVE)
def reject(connection_id: UUID, task_id: UUID, approval_id: UUID) -> ResponseReturnValue:
    """Asks for the reason first."""
    form, place = RejectForm(), (str(connection_id), str(task_id))
    if form.done(lambda: _answer(place, str(approval_id), "reject", form.reason.data or "")):
        flask.flash("Rejected. The provider reads why.", "success")
        return _to_request(connection_id, task_id)
    with here().database.reading() as session:
        found = get_found(session, *place)
        approval = task_approvals.get_approval(session, found.task, str(approval_id))
    page = flask.render_template("consumer/task_approval_reject.html", found=found, approval=approval, form=form)
    return page, 422 if form.is_submitted() else 200


def _answer(place: tuple[str, str], approval_id: str, answer: str, reason: str) -> None:
    said: dict[str, Any] = {"decider": decider(), "now": here().clock()}
    with here().database.transaction() as session:
        task = tasks.lock_task(session, *place)
        task_approvals.answer_approval(session, task, approval_id, answer, reason, **said)


def _to_request(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    return flask.redirect(flask.url_for("requests.show", connection_id=connection_id, task_id=task_id), 303)
