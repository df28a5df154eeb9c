"""Which states may an order and its lines take, and what do the lines say of the order?"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from provider.domain.states import LabelledState, StateTable


class OrderCategory(StrEnum):
    """What is ordered: a product offering (customer order) or a customer-facing service (service order)."""

    PRODUCT = "product"
    SERVICE = "service"


class LineAction(StrEnum):
    """What a line does to the inventory."""

    ADD = "add"
    CHANGE = "change"
    DISCONNECT = "disconnect"
    SUSPEND = "suspend"
    RESUME = "resume"
    NO_CHANGE = "no_change"


class OrderState(LabelledState):
    """The states of an order and of an order line; `mappings/order_state.yaml` says how a consumer sees each."""

    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Submitted"
    ENRICHMENT_IN_PROGRESS = "enrichment_in_progress", "Enrichment in progress"
    ENRICHMENT_ON_HOLD = "enrichment_on_hold", "Enrichment on hold"
    NEW = "new", "New"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    SCHEDULED = "scheduled", "Scheduled"
    REJECTED = "rejected", "Rejected"
    IN_PROGRESS = "in_progress", "In progress"
    REVISION_IN_PROGRESS = "revision_in_progress", "Revision in progress"
    AWAITING_INFORMATION = "awaiting_information", "Awaiting information"
    ON_HOLD = "on_hold", "On hold"
    ASSESSING_CANCELLATION = "assessing_cancellation", "Assessing cancellation"
    CANCELLATION_IN_PROGRESS = "cancellation_in_progress", "Cancellation in progress"
    CANCELLED = "cancelled", "Cancelled"
    COMPLETED = "completed", "Completed"


class RevisionOperation(StrEnum):
    """What the present version of an order or a line changes."""

    UPDATE = "update"
    CANCEL = "cancel"


class CancellationStatus(StrEnum):
    """What came of the last wish to cancel. Declined: we could have, and did not; refused: it was too late."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DECLINED = "declined"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line among the others of its order, as cancellations see it."""

    id: str
    parent_id: str | None
    state: OrderState
    ponr: bool


_S = OrderState

_FULFILMENT = frozenset({_S.SCHEDULED, _S.IN_PROGRESS, _S.AWAITING_INFORMATION, _S.ON_HOLD})
"""Four faces of approved work. Any may follow any: an order shows its lines, and another line may come to decide."""

_BEFORE_APPROVAL = frozenset(
    {_S.DRAFT, _S.SUBMITTED, _S.ENRICHMENT_IN_PROGRESS, _S.ENRICHMENT_ON_HOLD, _S.NEW, _S.REJECTED}
)

_MOVES: Mapping[OrderState, frozenset[OrderState]] = {
    # Before approval nothing was built, so a cancellation needs no assessment.
    _S.DRAFT: frozenset({_S.SUBMITTED, _S.CANCELLED}),
    _S.SUBMITTED: frozenset({_S.ENRICHMENT_IN_PROGRESS, _S.NEW, _S.CANCELLED}),
    _S.ENRICHMENT_IN_PROGRESS: frozenset({_S.ENRICHMENT_ON_HOLD, _S.NEW, _S.CANCELLED}),
    _S.ENRICHMENT_ON_HOLD: frozenset({_S.ENRICHMENT_IN_PROGRESS, _S.CANCELLED}),
    _S.NEW: frozenset({_S.ACKNOWLEDGED, _S.REJECTED, _S.CANCELLED}),
    # A rejected order is corrected as a draft; an approver may also accept the correction directly.
    _S.REJECTED: frozenset({_S.DRAFT, _S.IN_PROGRESS, _S.CANCELLED}),
    # Acknowledged lasts while the order is decomposed. A decomposition that fails puts it on hold, where people decide.
    _S.ACKNOWLEDGED: _FULFILMENT,
    _S.SCHEDULED: _FULFILMENT - {_S.SCHEDULED} | {_S.REVISION_IN_PROGRESS, _S.ASSESSING_CANCELLATION},
    _S.IN_PROGRESS: _FULFILMENT - {_S.IN_PROGRESS} | {_S.REVISION_IN_PROGRESS, _S.ASSESSING_CANCELLATION, _S.COMPLETED},
    _S.AWAITING_INFORMATION: _FULFILMENT - {_S.AWAITING_INFORMATION} | {_S.ASSESSING_CANCELLATION},
    _S.ON_HOLD: _FULFILMENT - {_S.ON_HOLD} | {_S.ASSESSING_CANCELLATION},
    # Approved, a revision is acknowledged and decomposed again; declined, it gives back the state it was begun in.
    _S.REVISION_IN_PROGRESS: frozenset({_S.ACKNOWLEDGED, _S.SCHEDULED, _S.IN_PROGRESS, _S.ASSESSING_CANCELLATION}),
    # Declined, a cancellation gives back the state it was asked in.
    _S.ASSESSING_CANCELLATION: _FULFILMENT | {_S.REVISION_IN_PROGRESS, _S.CANCELLATION_IN_PROGRESS},
    _S.CANCELLATION_IN_PROGRESS: frozenset({_S.CANCELLED}),
    _S.CANCELLED: frozenset(),
    _S.COMPLETED: frozenset(),
}

ORDER_MOVES = StateTable("order", _S.DRAFT, _MOVES)
# A line may be finished before its order is: cancelling the order undoes it, declining that leaves it finished.
ORDER_LINE_MOVES = StateTable(
    "order line",
    _S.DRAFT,
    {
        **_MOVES,
        _S.COMPLETED: frozenset({_S.ASSESSING_CANCELLATION}),
        _S.ASSESSING_CANCELLATION: _MOVES[_S.ASSESSING_CANCELLATION] | {_S.COMPLETED},
    },
)

_LEAVING = frozenset({_S.CANCELLATION_IN_PROGRESS, _S.CANCELLED})


def cancellable(lines: Sequence[PlacedLine], *, line_level: bool) -> frozenset[str]:
    """The ids of the lines that a cancellation would take, parents first in `lines`; empty when it comes too late.

    One line past the point of no return holds all the others. With `line_level` only it stays, and what it is part of.
    """
    held = {line.id for line in lines if line.ponr and line.state is not _S.CANCELLED}
    if held and not line_level:
        return frozenset()
    for line in reversed(lines):
        if line.id in held and line.parent_id:
            held.add(line.parent_id)
    return frozenset(line.id for line in lines if line.id not in held and line.state not in _LEAVING)


def roll_up(line_states: Iterable[OrderState]) -> OrderState | None:
    """What the lines say of their order: the first row that holds. None: they say nothing, the order keeps its state.

    Cancelled lines count only if there are no others.

    | lines                                                | order                  |
    |------------------------------------------------------|------------------------|
    | none                                                 | None                   |
    | all in one state                                     | that state             |
    | any before approval (Draft ... New, Rejected)        | None                   |
    | any Revision in progress                             | Revision in progress   |
    | any Acknowledged (still to be decomposed)            | Acknowledged           |
    | all Assessing cancellation, Cancellation in progress | Assessing cancellation |
    | any On hold                                          | On hold                |
    | any Awaiting information                             | Awaiting information   |
    | any Scheduled; none In progress, none Completed      | Scheduled              |
    | anything else                                        | In progress            |

    Approval, revision and cancellation of a whole order are decided on the order and handed down to its lines: while
    one of them lasts, do not ask the lines.
    """
    states = set(line_states)
    states = states - {_S.CANCELLED} or states
    if len(states) == 1:
        return next(iter(states))
    if not states or states & _BEFORE_APPROVAL:
        return None
    if states <= {_S.ASSESSING_CANCELLATION, _S.CANCELLATION_IN_PROGRESS}:
        return _S.ASSESSING_CANCELLATION
    for decisive in (_S.REVISION_IN_PROGRESS, _S.ACKNOWLEDGED, _S.ON_HOLD, _S.AWAITING_INFORMATION):
        if decisive in states:
            return decisive
    if _S.SCHEDULED in states and not states & {_S.IN_PROGRESS, _S.COMPLETED}:
        return _S.SCHEDULED
    return _S.IN_PROGRESS
