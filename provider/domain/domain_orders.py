"""Which states may a domain order take: the part of an order line that one domain fulfils?"""

from enum import StrEnum

from provider.domain.states import LabelledState, StateTable


class DomainOrderKind(StrEnum):
    """The domain that fulfils it."""

    PRODUCT = "product"
    SERVICE = "service"
    RESOURCE = "resource"


class DomainOrderState(LabelledState):
    """Qualified: what it depends on is complete."""

    DRAFT = "draft", "Draft"
    QUALIFIED = "qualified", "Qualified"
    IN_PROGRESS = "in_progress", "In progress"
    ON_HOLD = "on_hold", "On hold"
    SCHEDULED = "scheduled", "Scheduled"
    CLOSED_COMPLETE = "closed_complete", "Closed complete"
    CANCELLATION_IN_PROGRESS = "cancellation_in_progress", "Cancellation in progress"
    CANCELLED = "cancelled", "Cancelled"


_S = DomainOrderState

# What was never started is cancelled at once, what was is undone first; On hold may be either.
DOMAIN_ORDER_MOVES = StateTable(
    "domain order",
    _S.DRAFT,
    {
        _S.DRAFT: frozenset({_S.QUALIFIED, _S.ON_HOLD, _S.CANCELLED}),
        _S.QUALIFIED: frozenset({_S.IN_PROGRESS, _S.ON_HOLD, _S.SCHEDULED, _S.CANCELLED}),
        _S.IN_PROGRESS: frozenset({_S.ON_HOLD, _S.SCHEDULED, _S.CLOSED_COMPLETE, _S.CANCELLATION_IN_PROGRESS}),
        _S.ON_HOLD: frozenset(
            {_S.DRAFT, _S.QUALIFIED, _S.IN_PROGRESS, _S.SCHEDULED, _S.CANCELLATION_IN_PROGRESS, _S.CANCELLED}
        ),
        _S.SCHEDULED: frozenset({_S.IN_PROGRESS, _S.ON_HOLD, _S.CANCELLATION_IN_PROGRESS, _S.CANCELLED}),
        _S.CLOSED_COMPLETE: frozenset(),
        _S.CANCELLATION_IN_PROGRESS: frozenset({_S.CANCELLED}),
        _S.CANCELLED: frozenset(),
    },
)
