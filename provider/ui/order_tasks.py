"""Order tasks: what is to be taken, what I have, what others have; and one task with what may be done with it."""

from collections.abc import Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue

from provider.domain.order_tasks import OrderTaskState
from provider.domain.orders import OrderState
from provider.services import order_tasks
from provider.services.order_page import read_task_page
from provider.services.task_search import (
    FREE,
    MINE,
    OTHERS,
    SORTABLE,
    UNSETTLED,
    count_order_tasks,
    search_order_tasks,
)
from provider.ui.context import actor, here
from provider.ui.moves import task_move, task_moves
from provider.ui.orders import PlainForm, ReasonForm
from webkit.forms import Form
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("order_tasks", __name__)

STATES = [(str(state), state.label) for state in OrderTaskState]
ALL = "all"
WHOSE = {MINE: "Mine", FREE: "To take", OTHERS: "Of others", UNSETTLED: "Unfinished", ALL: "All"}


@pages.page("/tasks", "order_task.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "since", ("whose", "state"))
    chosen = _whose(listing.filters)
    with here().database.reading() as session:
        rows, total = search_order_tasks(
            session, actor=actor(), whose=chosen, text=listing.text,
            state=listing.filters.get("state", ""), **listing.place,
        )  # fmt: skip
        counts = count_order_tasks(session, actor())
    shown: dict[str, Any] = {"whose": WHOSE, "chosen": chosen or ALL, "counts": counts, "states": STATES}
    return flask.render_template(
        "provider/order_tasks.html", listing=listing, rows=rows, total=total, task_moves=task_moves, **shown
    )


@pages.page("/tasks/<number>", "order_task.read")
def show(number: str) -> str:
    return _show(number)


@pages.form("/tasks/<number>/move/<to>", "order_task.write")
def move(number: str, to: str) -> ResponseReturnValue:
    """Any move of the state table."""
    wanted = task_move(to) or flask.abort(404)
    form = ReasonForm(wanted.missing) if wanted.asks else PlainForm()
    if form.done(lambda: _move(number, to, form.data.get("reason"))):
        return flask.redirect(_came_from(number), 303)
    return _show(number, to, form), 422 if form.is_submitted() else 200


@pages.action("/tasks/<number>/take", "order_task.write")
def take(number: str) -> ResponseReturnValue:
    """Make it mine."""
    return _assign(number, actor())


@pages.action("/tasks/<number>/give-back", "order_task.write")
def give_back(number: str) -> ResponseReturnValue:
    """Make it nobody's."""
    return _assign(number, None)


def _show(number: str, to: str = "", form: Form | None = None) -> str:
    with here().database.reading() as session:
        task = read_task_page(session, number)
    moves = task_moves(task)
    return flask.render_template("provider/order_task.html", task=task, moves=moves, to=to, form=form or PlainForm())


def _move(number: str, to: str, reason: str | None) -> None:
    wanted = OrderTaskState(to)
    with here().transaction() as session:
        order_tasks.move_task(session, number, wanted, reason=reason, actor=actor(), now=here().clock())
        moved = read_task_page(session, number)
    if wanted is OrderTaskState.CLOSED_COMPLETE:
        flask.flash(f"Task {number}, {moved['name']}, is complete.{_what_followed(moved)}", "success")


def _what_followed(task: Mapping[str, Any]) -> str:
    """What the end of a task brought about, or what it still waits for, in a sentence with a blank before it."""
    order, company = task["order_number"], task["company"]
    if task["order_state"] == OrderState.COMPLETED:
        return f" That completed order {order}, and {company} is told."
    if task["order_state"] in (OrderState.CANCELLED, OrderState.SCHEDULED):
        return f" Order {order} is {task['order_state_label'].lower()} now, and {company} is told."
    if task["line"]["state"] == OrderState.COMPLETED:
        return f" That completed {task['item']}."
    if task["open_parts"] and not task["is_line_open"]:
        return f" {task['item']} is complete once its parts are: {', '.join(task['open_parts'])}."
    return ""


def _assign(number: str, assignee: str | None) -> ResponseReturnValue:
    with here().transaction() as session:
        order_tasks.assign_task(session, number, assignee, actor=actor(), now=here().clock())
    return flask.redirect(_came_from(number), 303)


def _came_from(number: str) -> str:
    """The page the button was on, by the form's own word for it: the list or the order; else the task's."""
    wanted = flask.request.form.get("back", "")
    return wanted if wanted.startswith(("/tasks", "/orders/")) else flask.url_for(".show", number=number)


def _whose(filters: Mapping[str, str]) -> str:
    """Without a choice what is unsettled; all if a state is wanted, which may be one of the end."""
    chosen = filters.get("whose", "")
    if chosen not in WHOSE:
        chosen = ALL if filters.get("state") else UNSETTLED
    return "" if chosen == ALL else chosen
