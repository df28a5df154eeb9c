"""Tasks without an order: what providers opened, answers to their solutions, and the scratchpad of any task."""

from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user

from consumer_sim.models import ProviderTask
from consumer_sim.services import cases, scratchpads, tasks
from consumer_sim.services.case_search import SORTS, search_told
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from consumer_sim.ui.requests import EntryForm, RejectForm, show_request
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("cases", __name__)

_ONE = "/requests/<uuid:connection_id>/<uuid:task_id>"
STATES = {
    "received": "Received", "work_in_progress": "In progress", "awaiting_info": "Waiting",
    "resolved": "Solution proposed", "closed": "Done", "cancelled": "Cancelled",
}  # fmt: skip


@pages.page("/from-provider", Permission.REQUEST_READ)
def list_all() -> str:
    listing = read_listing(SORTS, "-opened", ("state", "seen"))
    unseen = listing.filters.get("seen") == "no"
    with here().database.reading() as session:
        rows, total = search_told(
            session, text=listing.text, state=listing.filters.get("state"), unseen=unseen, **listing.place
        )
    states = list(STATES.items())
    return flask.render_template(
        "consumer/from_provider.html", listing=listing, rows=rows, total=total, states=states, words=STATES
    )


@pages.action(f"{_ONE}/seen", Permission.REQUEST_WRITE)
def acknowledge(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Tell the provider that somebody has seen it."""
    return _act(connection_id, task_id, lambda session, task: cases.acknowledge_case(session, task, **_who()))


@pages.action(f"{_ONE}/accept", Permission.REQUEST_WRITE)
def accept(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Accept the proposed solution."""
    return _act(
        connection_id, task_id, lambda session, task: cases.answer_solution(session, task, "accept", "", **_who())
    )


@pages.form(f"{_ONE}/reject", Permission.REQUEST_WRITE)
def reject(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Reject the proposed solution, and say why."""
    form = RejectForm()

    def act(session: Any, task: ProviderTask) -> object:
        return cases.answer_solution(session, task, "reject", form.reason.data or "", **_who())

    if form.done(lambda: _change(connection_id, task_id, act)):
        return _go_to(connection_id, task_id)
    return show_request(connection_id, task_id, reject=form)


@pages.form(f"{_ONE}/scratchpad", Permission.CONNECTION_WRITE)
def write_entry(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Put an entry of the scratchpad, in the place of one of that name."""
    form = EntryForm()

    def act(session: Any, task: ProviderTask) -> None:
        _write(session, task, form.name.data or "", form.value.data or "", form.client_visible.data)

    if form.done(lambda: _change(connection_id, task_id, act)):
        return _go_to(connection_id, task_id)
    return show_request(connection_id, task_id, entry=form)


@pages.action(f"{_ONE}/scratchpad/remove", Permission.CONNECTION_WRITE)
def remove_entry(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Remove an entry of the scratchpad."""
    name = flask.request.form.get("name", "")
    return _act(connection_id, task_id, lambda session, task: _write(session, task, name, None, False))


def _write(session: Any, task: ProviderTask, name: str, value: str | None, client_visible: bool) -> None:
    said: dict[str, Any] = {"client_visible": client_visible, "author": current_user.name, "now": here().clock()}
    scratchpads.write_entry(session, task, name, value, **said)


def _who() -> dict[str, Any]:
    return {"person": current_user.name, "now": here().clock()}


def _act(connection_id: UUID, task_id: UUID, act: Any) -> ResponseReturnValue:
    _change(connection_id, task_id, act)
    return _go_to(connection_id, task_id)


def _change(connection_id: UUID, task_id: UUID, act: Any) -> None:
    with here().database.transaction() as session:
        act(session, tasks.lock_task(session, str(connection_id), str(task_id)))


def _go_to(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    return flask.redirect(flask.url_for("requests.show", connection_id=connection_id, task_id=task_id), 303)
