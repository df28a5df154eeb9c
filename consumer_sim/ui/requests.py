"""What was asked for: find it, follow it, talk about it, take it back. `corrections` sends it again."""

from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from consumer_sim.services import requests, tasks
from consumer_sim.services.comments import add_comment
from consumer_sim.services.request_search import SORTS, STAGES, Found, get_found, list_requested_items, search_requests
from consumer_sim.services.request_view import (
    RequestView,
    can_cancel,
    can_correct,
    cancels_at_once,
    get_request_view,
)  # fmt: skip
from consumer_sim.services.scratchpads import NAME_MOST, VALUE_MOST
from consumer_sim.services.users import Permission
from consumer_sim.ui.approvals import decision_of
from consumer_sim.ui.attachments import rows_for_page
from consumer_sim.ui.context import here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.shown_answers import show_answers
from webkit.uploads import FileForm

pages = Pages("requests", __name__)
_ONE = "/requests/<uuid:connection_id>/<uuid:task_id>"
WORDS = {
    "sending": "On its way", "received": "Received", "in_progress": "In progress", "awaiting_info": "Waiting",
    "proposed": "Solution proposed", "rejected": "Rejected", "done": "Done", "cancelled": "Cancelled",
    "awaiting_approval": "Waiting for approval", "not_approved": "Not approved",
}  # fmt: skip
MARKS = {"ponr": "Point of no return", "too_late": "Too late to cancel"}
_WAY = ("Received", "Approved", "In progress", "Done")
_REACHED = {"sending": 0, "received": 1, "in_progress": 2, "awaiting_info": 2, "done": 3}
_CASE_WAY = ("Sent", "Received", "In progress", "Solution proposed", "Done")
_CASE_REACHED = {"sending": 0, "received": 1, "in_progress": 2, "awaiting_info": 2, "proposed": 3, "done": 4}
_CASE_MEANWHILE = {
    "sending": "On its way",
    "awaiting_info": "Waiting for your answer",
    "proposed": "Solution to accept",
}
_MEANWHILE = {"sending": "On its way", "received": "Waiting for approval", "awaiting_info": "Waiting"}


class CommentForm(Form):
    text = TextAreaField(
        "Your comment",
        [DataRequired("Write something first."), Length(max=10_000, message="At most 10,000 characters.")],
        filters=[strip],
    )


class AnswerForm(Form):
    answer = TextAreaField(
        "Your answer",
        [DataRequired("Write your answer first."), Length(max=10_000, message="At most 10,000 characters.")],
        filters=[strip],
    )


class CancelForm(Form):
    reason = TextAreaField(
        "Why? (the provider reads it)", [Length(max=2000, message="At most 2,000 characters.")], filters=[strip]
    )


class RejectForm(Form):
    reason = TextAreaField(
        "Why not? (the provider reads it)",
        [DataRequired("Say why, so that the work can go on."), Length(max=4000, message="At most 4,000 characters.")],
        filters=[strip],
    )


class EntryForm(Form):
    name = StringField("Name", [DataRequired("An entry has a name."), Length(max=NAME_MOST)], filters=[strip])
    value = TextAreaField("Value", [Length(max=VALUE_MOST)])
    client_visible = BooleanField("Requesters see it, too")


@pages.page("/requests", Permission.REQUEST_READ)
def list_all() -> str:
    listing = read_listing(SORTS, "-opened", ("state", "item", "who"))
    chosen: dict[str, Any] = {"stage": listing.filters.get("state"), "item_id": listing.id_in("item")}
    mine = current_user.name if listing.filters.get("who") == "mine" else None
    with here().database.reading() as session:
        items = list_requested_items(session)
        rows, total = search_requests(session, text=listing.text, asked_by=mine, **chosen, **listing.place)
    stages = [(stage, WORDS[stage]) for stage in STAGES]
    return flask.render_template(
        "consumer/requests.html", listing=listing, rows=rows, total=total, items=items, stages=stages, words=WORDS
    )


@pages.page(_ONE, Permission.REQUEST_READ)
def show(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    return show_request(connection_id, task_id)


@pages.form(f"{_ONE}/comment", Permission.REQUEST_WRITE)
def comment(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Say something; the same page with what is wrong, when something is."""
    form = CommentForm()
    if form.done(lambda: _say(connection_id, task_id, form.text.data or "")):
        return _go_to(connection_id, task_id)
    return show_request(connection_id, task_id, comment=form)


@pages.form(f"{_ONE}/answer", Permission.REQUEST_WRITE)
def answer(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """A comment, said where the provider's question stands."""
    form = AnswerForm()
    if form.done(lambda: _say(connection_id, task_id, form.answer.data or "")):
        flask.flash("Thank you. Your answer is in the conversation.", "success")
        return _go_to(connection_id, task_id)
    return show_request(connection_id, task_id, answer=form)


@pages.form(f"{_ONE}/cancel", Permission.REQUEST_WRITE)
def cancel(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Asks first."""
    form = CancelForm()

    def take_back() -> None:
        with here().database.transaction() as session:
            task = tasks.lock_task(session, str(connection_id), str(task_id))
            asked: dict[str, Any] = {"asked_by": current_user.name, "now": here().clock()}
            requests.cancel_request(session, task, form.reason.data or "", **asked)

    if form.done(take_back):
        return _go_to(connection_id, task_id)
    found = _find(connection_id, task_id)
    at_once = cancels_at_once(found.task)
    return flask.render_template("consumer/request_cancel.html", found=found, form=form, at_once=at_once), _status(form)


def _say(connection_id: UUID, task_id: UUID, text: str) -> None:
    with here().database.transaction() as session:
        task = tasks.lock_task(session, str(connection_id), str(task_id))
        add_comment(session, task, text, current_user.name, here().identity.name, now=here().clock())


def show_request(
    connection_id: UUID, task_id: UUID, *, comment: CommentForm | None = None, answer: AnswerForm | None = None,
    reject: RejectForm | None = None, entry: EntryForm | None = None,
) -> ResponseReturnValue:  # fmt: skip
    """The page of a request; a form that is given was sent, with what was typed and what is wrong."""
    with here().database.reading() as session:
        view = get_request_view(session, str(connection_id), str(task_id))
        decision = decision_of(session, view.task)
    files = rows_for_page(view.attachments, can_retry=view.task.submission != "withdrawn")
    page = flask.render_template(
        "consumer/request.html", view=view, task=view.task, decision=decision, words=WORDS, steps=_progress(view),
        form=comment or CommentForm(formdata=None), answer_form=answer or AnswerForm(formdata=None),
        marks=MARKS, asked=show_answers(view.form, view.task.request or {}), can_correct=can_correct(view.task),
        files=files, answered_files={(one["sha256"], one["name"]): one for one in files if one["ours"]},
        file_form=FileForm(), file_limits=here().config.attachments,
        reject_form=reject or RejectForm(formdata=None), entry_form=entry or EntryForm(formdata=None),
        can_cancel=can_cancel(view.task) and not view.is_told, cancellation=requests.cancellation_stage(view.task),
    )  # fmt: skip
    return page, _status(comment or answer or reject or entry)


def _progress(view: RequestView) -> list[tuple[str, str]]:
    """The steps as (word, "done" | "now" | "rejected" | "cancelled" | ""). A request that was stopped shows where, and
    nothing behind.
    """
    stage = view.found.stage
    if view.is_case and stage in _CASE_REACHED:
        return _case_progress(view, stage)
    if requests.is_held_back(view.task):
        return [(WORDS[stage], "now"), *((word, "") for word in _WAY)]
    if stage == "not_approved":
        return [(WORDS[stage], "rejected")]
    if stage in _REACHED:
        at = _REACHED[stage]
        steps = [(word, "done" if place < at or stage == "done" else "") for place, word in enumerate(_WAY)]
        return steps if stage == "done" else [*steps[:at], (_MEANWHILE.get(stage, _WAY[at]), "now"), *steps[at + 1 :]]
    reached = "Sent" if view.task.submission != "accepted" else "Approved" if view.was_approved else "Received"
    return [(reached, "done"), (WORDS[stage], stage)]


def _case_progress(view: RequestView, stage: str) -> list[tuple[str, str]]:
    """Without an order nobody approves anything: it is received, worked on, and solved if we agree."""
    at = _CASE_REACHED[stage]
    words = ["Opened" if view.is_told else "Sent", *_CASE_WAY[1:]]
    words[at] = _CASE_MEANWHILE.get(stage, words[at])
    return [(word, "done" if place < at or stage == "done" else "now" if place == at else "")
            for place, word in enumerate(words)]  # fmt: skip


def _find(connection_id: UUID, task_id: UUID) -> Found:
    with here().database.reading() as session:
        return get_found(session, str(connection_id), str(task_id))


def _go_to(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    return flask.redirect(flask.url_for("requests.show", connection_id=connection_id, task_id=task_id), 303)


def _status(form: Form | None) -> int:
    return 422 if form and form.is_submitted() else 200
