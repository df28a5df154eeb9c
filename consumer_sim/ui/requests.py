"""What was asked for: find it, follow it, talk about it, take it back. `corrections` sends it again."""

from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from consumer_sim.services import requests, tasks
from consumer_sim.services.comments import add_comment
from consumer_sim.services.request_search import SORTS, STAGES, Found, get_found, list_requested_items, search_requests
from consumer_sim.services.request_view import can_cancel, can_correct, cancels_at_once, get_request_view
from consumer_sim.services.users import Permission
from consumer_sim.ui.attachments import rows_for_page
from consumer_sim.ui.context import here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.order_form import show_answers
from webkit.pages import Pages
from webkit.uploads import FileForm

pages = Pages("requests", __name__)
_ONE = "/requests/<uuid:connection_id>/<uuid:task_id>"
WORDS = {
    "sending": "On its way", "accepted": "Accepted", "in_progress": "In progress", "awaiting_info": "Waiting",
    "rejected": "Rejected", "done": "Done", "cancelled": "Cancelled",
}  # fmt: skip
_WAY = ("Sent", "Accepted", "In progress", "Done")
_REACHED = {"sending": 0, "accepted": 1, "in_progress": 2, "awaiting_info": 2, "done": 3}


class CommentForm(Form):
    text = TextAreaField(
        "Your comment",
        [DataRequired("Write something first."), Length(max=10_000, message="At most 10,000 characters.")],
        filters=[strip],
    )


class CancelForm(Form):
    reason = TextAreaField(
        "Why? (the provider reads it)", [Length(max=2000, message="At most 2,000 characters.")], filters=[strip]
    )


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
    return _show(connection_id, task_id, CommentForm())


@pages.form(f"{_ONE}/comment", Permission.REQUEST_WRITE)
def comment(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Say something; the same page with what is wrong, when something is."""
    form = CommentForm()

    def add() -> None:
        with here().database.transaction() as session:
            task = tasks.lock_task(session, str(connection_id), str(task_id))
            company = here().identity.name
            add_comment(session, task, form.text.data or "", current_user.name, company, now=here().clock())

    return _go_to(connection_id, task_id) if form.done(add) else _show(connection_id, task_id, form)


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


def _show(connection_id: UUID, task_id: UUID, form: CommentForm) -> ResponseReturnValue:
    with here().database.reading() as session:
        view = get_request_view(session, str(connection_id), str(task_id))
    page = flask.render_template(
        "consumer/request.html", view=view, task=view.task, form=form, words=WORDS, steps=_progress(view.found),
        asked=show_answers(view.form, view.task.request or {}), can_correct=can_correct(view.task),
        files=rows_for_page(view.attachments), file_form=FileForm(), file_limits=here().config.attachments,
        can_cancel=can_cancel(view.task), cancellation=requests.cancellation_stage(view.task),
    )  # fmt: skip
    return page, _status(form)


def _progress(found: Found) -> list[tuple[str, str]]:
    """The steps as (word, "done" | "now" | ""). A request that was stopped shows where, and nothing behind."""
    if found.stage in _REACHED:
        now = _REACHED[found.stage]
        ways = ["done" if place < now or found.stage == "done" else "" for place in range(len(_WAY))]
        ways[now] = ways[now] or "now"
        words = ("On its way" if found.stage == "sending" else "Sent", *_WAY[1:])
        return list(zip(words, ways, strict=True))
    was_accepted = [("Accepted", "done")] if found.task.submission == "accepted" else []
    return [("Sent", "done"), *was_accepted, (WORDS[found.stage], "now")]


def _find(connection_id: UUID, task_id: UUID) -> Found:
    with here().database.reading() as session:
        return get_found(session, str(connection_id), str(task_id))


def _go_to(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    return flask.redirect(flask.url_for("requests.show", connection_id=connection_id, task_id=task_id), 303)


def _status(form: Form) -> int:
    return 422 if form.is_submitted() else 200
