"""How does an approval live that a provider asks a consumer for on a task? It is open, and settled once."""

from datetime import date, timedelta

from provider.domain.errors import Conflict, FieldError, InvalidFields
from provider.domain.states import LabelledState, StateTable

SUBJECT_MOST = 1000
REASON_MOST = 4000
OPEN_MOST = 20
"""At a time, of one task."""
_ELSEWHERE = timedelta(days=1)
"""It may be yesterday still where somebody is, for our day is that of UTC."""


class TaskApprovalState(LabelledState):
    """What became of it."""

    OPEN = "open", "Waiting for an answer"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    ENDED = "ended", "Over with its task"


_S = TaskApprovalState
_NONE: frozenset[TaskApprovalState] = frozenset()
TASK_APPROVAL_MOVES = StateTable(
    "approval",
    _S.OPEN,
    {
        _S.OPEN: frozenset({_S.APPROVED, _S.REJECTED, _S.WITHDRAWN, _S.ENDED}),
        _S.APPROVED: _NONE,
        _S.REJECTED: _NONE,
        _S.WITHDRAWN: _NONE,
        _S.ENDED: _NONE,
    },
)
_WHY_NOT = {
    _S.OPEN: "waits for an answer",
    _S.APPROVED: "was approved already",
    _S.REJECTED: "was rejected already",
    _S.WITHDRAWN: "was withdrawn by the provider",
    _S.ENDED: "is over, for its task is",
}


def check_question(subject: str, due_on: date | None, *, open_already: int, today: date) -> str:
    """The subject as it is kept. Raises InvalidFields, and Conflict `too_many_open`."""
    wrong = []
    if not subject.strip():
        wrong.append(FieldError("/subject", "required", "must say what is to be approved"))
    if due_on is not None and due_on < today - _ELSEWHERE:
        wrong.append(FieldError("/due_on", "range", "must not be over already"))
    if wrong:
        raise InvalidFields(wrong)
    if open_already >= OPEN_MOST:
        raise Conflict("too_many_open", f"{open_already} approvals wait for an answer already; withdraw one first")
    return subject.strip()


def settle(current: TaskApprovalState, wanted: TaskApprovalState, *, by: str | None = None) -> TaskApprovalState:
    """Return `wanted`. Raises Conflict `approval_not_open`, which says what became of it, and through whom."""
    if wanted not in TASK_APPROVAL_MOVES.moves[current]:
        through = f" ({by})" if by else ""
        message = f"This approval {_WHY_NOT[current]}{through}. Nothing was changed."
        raise Conflict("approval_not_open", message, state=str(current))
    return TASK_APPROVAL_MOVES.move(current, wanted)
