"""Contracts with consumers: which states they take, by people and by their dates."""

from datetime import date

from provider.domain.states import LabelledState, StateTable


class ContractState(LabelledState):
    """The life of a contract. It begins when people activate it and its first day has come, and ends after its last."""

    DRAFT = "draft", "Draft"
    ACTIVE = "active", "Active"
    EXPIRED = "expired", "Expired"
    CANCELED = "canceled", "Cancelled"


_S = ContractState

CONTRACT_MOVES = StateTable(
    "contract",
    _S.DRAFT,
    {
        # A contract whose last day passed before anybody activated it never was in force.
        _S.DRAFT: frozenset({_S.ACTIVE, _S.CANCELED}),
        _S.ACTIVE: frozenset({_S.EXPIRED, _S.CANCELED}),
        _S.EXPIRED: frozenset(),
        _S.CANCELED: frozenset(),
    },
)


def state_on(
    state: ContractState, *, is_signed: bool, starts_on: date, ends_on: date | None, today: date
) -> ContractState:
    """The state that the dates give: both days belong to the contract, and none as the last means without an end."""
    is_over = ends_on is not None and ends_on < today
    if state is _S.DRAFT and is_signed and starts_on <= today and not is_over:
        return _S.ACTIVE
    return _S.EXPIRED if state is _S.ACTIVE and is_over else state
