"""Requests that wait for our own approval: which wait for me, and what I make of them."""

from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.orm import Session
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from consumer_sim.models import ProviderTask
from consumer_sim.services import approvals, tasks
from consumer_sim.services.approvals import SORTS, Decider, approver_of, find_approval, may_decide, search_approvals
from consumer_sim.services.item_settings import find_settings
from consumer_sim.services.request_search import get_found
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from consumer_sim.ui.own_form import show_own
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("approvals", __name__)
_ONE = "/requests/<uuid:connection_id>/<uuid:task_id>"


class RejectForm(Form):
    reason = TextAreaField(
        "Why? (whoever asked reads it)",
        [DataRequired("Say why: whoever asked for it will want to know."), Length(max=2000)],
        filters=[strip],
    )


@pages.page("/approvals", Permission.REQUEST_APPROVE)
def list_all() -> str:
    listing = read_listing(SORTS, "asked")
    with here().database.reading() as session:
        rows, total = search_approvals(session, decider(), text=listing.text, **listing.place)
    return flask.render_template("consumer/approvals.html", listing=listing, rows=rows, total=total)


@pages.action(f"{_ONE}/approval/approve", Permission.REQUEST_APPROVE)
def approve(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    with here().database.transaction() as session:
        task = tasks.lock_task(session, str(connection_id), str(task_id))
        approvals.approve_request(session, task, decider(), now=here().clock())
    flask.flash("Approved. It is on its way.", "success")
    return _to_request(connection_id, task_id)


@pages.form(f"{_ONE}/approval/reject", Permission.REQUEST_APPROVE)
def reject(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Asks for the reason first."""
    form = RejectForm()

    def end() -> None:
        with here().database.transaction() as session:
            task = tasks.lock_task(session, str(connection_id), str(task_id))
            approvals.reject_request(session, task, form.reason.data or "", decider(), now=here().clock())

    if form.done(end):
        flask.flash("It is not sent. Whoever asked reads why.", "success")
        return _to_request(connection_id, task_id)
    with here().database.reading() as session:
        found = get_found(session, str(connection_id), str(task_id))
    page = flask.render_template("consumer/request_reject.html", found=found, form=form)
    return page, 422 if form.is_submitted() else 200


def decider() -> Decider:
    """Whoever is at the page."""
    return Decider(current_user.id, current_user.name, current_user.permissions)


def decision_of(session: Session, task: ProviderTask) -> dict[str, Any]:
    """What the page of a request shows of our own decision on it, and of our own questions."""
    approval = find_approval(session, task)
    settings = find_settings(session, task.connection_id, task.catalog_item_id)
    waits = task.approval == "waiting"
    return {
        "approval": approval,
        "approver": approver_of(session, approval),
        "may_decide": waits and may_decide(task, approval, decider()),
        "own": show_own(settings.variables if settings else (), task.own_answers),
    }


def _to_request(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    return flask.redirect(flask.url_for("requests.show", connection_id=connection_id, task_id=task_id), 303)
