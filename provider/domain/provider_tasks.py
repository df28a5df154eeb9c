"""Which states may a provider task take: the one record of a request that both sides see?"""

from provider.domain.states import LabelledState, StateTable


class ProviderTaskState(LabelledState):
    """What the consumer sees; for an order it follows from the order state by `mappings/order_state.yaml`."""

    RECEIVED = "received", "Received"
    WORK_IN_PROGRESS = "work_in_progress", "Work in Progress"
    AWAITING_INFO = "awaiting_info", "Awaiting info"
    RESOLVED = "resolved", "Resolved"
    CLOSED = "closed", "Closed"
    CANCELLED = "cancelled", "Cancelled"


_S = ProviderTaskState

# Several order states look the same to the consumer, so four states may follow themselves. Two moves look backwards and
# are right: a revised order goes from Work in Progress to Received, and Cancelled is shown while a cancellation is only
# assessed, so work may go on from there. A test derives all jumps from the order table and the mapping.
PROVIDER_TASK_MOVES = StateTable(
    "provider task",
    _S.RECEIVED,
    {
        _S.RECEIVED: frozenset({_S.RECEIVED, _S.WORK_IN_PROGRESS, _S.AWAITING_INFO, _S.CANCELLED}),
        _S.WORK_IN_PROGRESS: frozenset(
            {_S.RECEIVED, _S.WORK_IN_PROGRESS, _S.AWAITING_INFO, _S.RESOLVED, _S.CLOSED, _S.CANCELLED}
        ),
        _S.AWAITING_INFO: frozenset({_S.RECEIVED, _S.WORK_IN_PROGRESS, _S.AWAITING_INFO, _S.CANCELLED}),
        # Tasks without an order: a proposed solution is accepted, refused or withdrawn.
        _S.RESOLVED: frozenset({_S.WORK_IN_PROGRESS, _S.CLOSED, _S.CANCELLED}),
        _S.CLOSED: frozenset(),
        _S.CANCELLED: frozenset({_S.RECEIVED, _S.WORK_IN_PROGRESS, _S.AWAITING_INFO}),
    },
)
