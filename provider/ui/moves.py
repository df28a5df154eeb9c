"""What people may do with an order or an order task now, as buttons: those shown are those that work."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from provider.domain.order_tasks import OrderTaskState
from provider.domain.orders import LineAction, OrderState

APPROVE, DECLINE = "approve", "decline"
_S, _T = OrderState, OrderTaskState


@dataclass(frozen=True)
class Move:
    """A button. `to` is the last part of its address. One that `asks` wants a reason, which it calls `field` and misses
    in the words of `missing`; `hint` says who reads it.

    One that `warns` says what cannot be taken back, and is pressed twice; `confirm` is a question before what is
    plain, but has consequences.
    """

    to: str
    label: str
    style: str = "outline-primary"
    asks: bool = False
    hint: str = ""
    warns: str = ""
    confirm: str = ""
    field: str = "Reason"
    missing: str = "Say why."


_READ = "The consumer reads this."
_ORDER: Mapping[str, Move] = {
    move.to: move
    for move in (
        Move(APPROVE, "Approve", "success"),
        Move(_S.REJECTED, "Reject", "outline-danger", asks=True, hint=_READ),
        Move(DECLINE, "Decline", "outline-danger", asks=True, hint=_READ),
        Move(_S.DRAFT, "Reopen as draft"),
        Move(_S.SUBMITTED, "Submit"),
        Move(_S.NEW, "Make it new, to be approved"),
        Move(_S.ENRICHMENT_IN_PROGRESS, "Begin enrichment"),
        Move(_S.ENRICHMENT_ON_HOLD, "Hold the enrichment", asks=True, hint=_READ),
        Move(_S.IN_PROGRESS, "Go on", "primary"),
        Move(
            _S.SCHEDULED, "Schedule for later", asks=True, hint=f"{_READ} Nothing begins by itself: begin it then.",
            field="When the work will begin", missing="Say when.",
        ),
        Move(
            _S.AWAITING_INFORMATION, "Ask for information", asks=True, hint=f"{_READ} The order waits for the answer.",
            field="Question to the consumer", missing="Write what the consumer shall answer.",
        ),
        Move(_S.ON_HOLD, "Hold", "outline-secondary", asks=True, hint=_READ),
        Move(
            _S.REVISION_IN_PROGRESS, "Revise", asks=True,
            hint=f"{_READ} The work rests, and the order is to be approved again, or the revision declined.",
        ),
        Move(_S.CANCELLATION_IN_PROGRESS, "Approve the cancellation", "danger"),
        Move(_S.CANCELLED, "Everything is undone: close as cancelled", "danger"),
        Move(_S.COMPLETED, "Complete", "success"),
    )
}  # fmt: skip
_RELABELLED: Mapping[tuple[str, str], str] = {
    (_S.ACKNOWLEDGED, _S.IN_PROGRESS): "Begin",
    (_S.REJECTED, _S.IN_PROGRESS): "Accept after all",
    (_S.SCHEDULED, _S.IN_PROGRESS): "Begin",
    (_S.AWAITING_INFORMATION, _S.IN_PROGRESS): "The answer is here: go on",
    (_S.ON_HOLD, _S.IN_PROGRESS): "Resume",
    (_S.REVISION_IN_PROGRESS, APPROVE): "Approve the revision",
    (_S.REVISION_IN_PROGRESS, DECLINE): "Decline the revision",
    (_S.ASSESSING_CANCELLATION, DECLINE): "Decline the cancellation",
}
CANCEL = Move("cancel", "Cancel the order", "outline-danger", asks=True, hint=_READ)
ASK = Move(
    "ask", "Ask the consumer", asks=True, hint=f"{_READ} It waits for the answer.", field="Question to the consumer",
    missing="Write what the consumer shall answer.",
)  # fmt: skip
CLOSE_CASE = Move("close", "Close without an answer", "outline-secondary", asks=True, hint=_READ)
WITHDRAW = Move("withdraw", "Take it back", "outline-danger", asks=True, hint=_READ)
_REQUESTS = (_S.REVISION_IN_PROGRESS, _S.ASSESSING_CANCELLATION)
_LATE = frozenset({_S.ASSESSING_CANCELLATION, _S.CANCELLATION_IN_PROGRESS, _S.CANCELLED})

_TASK: Mapping[str, Move] = {
    move.to: move
    for move in (
        Move(_T.IN_PROGRESS, "Start", "primary"),
        Move(_T.CLOSED_COMPLETE, "Complete", "success"),
        Move(_T.RESOLVED, "Mark as resolved"),
        Move(_T.OPEN, "Put back as open"),
        Move(_T.DRAFT, "Let it wait for the others"),
        Move(_T.ON_HOLD, "Hold", "outline-secondary", asks=True, hint="For your colleagues."),
        Move(
            _T.SCHEDULED, "Schedule for later", asks=True, hint="For your colleagues. Nothing begins by itself.",
            field="When the work will begin", missing="Say when.",
        ),
        Move(
            _T.AWAITING_INFORMATION, "Wait for information", asks=True, hint="For your colleagues.",
            field="What is missing, and from whom", missing="Say what is missing.",
        ),
        Move(_T.CANCELLED, "Give up", "outline-danger", asks=True, hint="For your colleagues: it will not be done."),
    )
}  # fmt: skip


def order_moves(order: Mapping[str, Any]) -> list[Move]:
    """For those who approve orders: all that may be done with an order (of `read_order_page`) but cancelling it."""
    state = _S(order["state"])
    legal = [_S(name) for name in order["legal_moves"]]
    wanted: list[str] = []
    if state in _REQUESTS:
        wanted = [DECLINE] + [to for to in legal if to is _S.CANCELLATION_IN_PROGRESS]
        wanted += [APPROVE] if _S.ACKNOWLEDGED in legal else []
    elif _S.ACKNOWLEDGED in legal:
        wanted = [APPROVE, _S.REJECTED]
    else:
        wanted = [to for to in legal if to not in _LATE or state is _S.CANCELLATION_IN_PROGRESS]
    open_tasks = [task for task in order["order_tasks"] if task["is_open"]]
    if open_tasks:
        wanted = [to for to in wanted if to != _S.COMPLETED]
    if any(task["compensates_id"] for task in open_tasks):
        wanted = [to for to in wanted if to != _S.CANCELLED]
    if any(line["action"] != LineAction.ADD for line in order["lines"]):
        wanted = [to for to in wanted if to != _S.REVISION_IN_PROGRESS]
    return [_relabelled(state, move) for to, move in _ORDER.items() if to in wanted]


def may_be_cancelled(order: Mapping[str, Any]) -> bool:
    """Whether a wish to cancel would be taken, as `request_cancellation` decides."""
    return order["state"] not in _LATE and bool({_S.CANCELLED, _S.ASSESSING_CANCELLATION} & {*order["legal_moves"]})


def task_moves(task: Mapping[str, Any]) -> list[Move]:
    """For those who do the work: all that may be done with a task (of `task_search`)."""
    moves = [move for to, move in _TASK.items() if to in task["moves"]]
    if task["state"] != _T.OPEN:
        moves = [replace(move, label="Go on") if move.to == _T.IN_PROGRESS else move for move in moves]
    if task["point_of_no_return"]:
        warning = f"This is the point of no return: after it, order {task['order_number']} can no longer be cancelled."
        moves = [replace(move, warns=warning) if move.to == _T.CLOSED_COMPLETE else move for move in moves]
    elif task["is_last"]:
        question = f"This is the last task: it completes order {task['order_number']}, and {task['company']} is told."
        moves = [replace(move, confirm=question) if move.to == _T.CLOSED_COMPLETE else move for move in moves]
    return moves


def order_move(to: str) -> Move | None:
    return _ORDER.get(to)


def task_move(to: str) -> Move | None:
    return _TASK.get(to)


def _relabelled(state: OrderState, move: Move) -> Move:
    return replace(move, label=_RELABELLED.get((state, move.to), move.label))
