"""How does a provider task live that has no order: who may do what with it, and what may come of it?"""

from dataclasses import dataclass
from enum import StrEnum

from provider.domain.errors import Conflict, FieldError, InvalidFields
from provider.domain.provider_tasks import ProviderTaskState
from provider.domain.states import LabelledState, StateTable

_S = ProviderTaskState

_NONE: frozenset[ProviderTaskState] = frozenset()
AGENT_MOVES = StateTable(
    "provider task",
    _S.RECEIVED,
    {
        _S.RECEIVED: frozenset({_S.WORK_IN_PROGRESS, _S.CANCELLED}),
        _S.WORK_IN_PROGRESS: frozenset({_S.AWAITING_INFO, _S.RESOLVED, _S.CANCELLED}),
        _S.AWAITING_INFO: frozenset({_S.WORK_IN_PROGRESS, _S.CANCELLED}),
        # Closed if nobody answers what was proposed. It is not taken back: the consumer may be accepting it.
        _S.RESOLVED: frozenset({_S.CLOSED, _S.CANCELLED}),
        _S.CLOSED: _NONE,
        _S.CANCELLED: _NONE,
    },
)
CONSUMER_MOVES = StateTable(
    "provider task",
    _S.RECEIVED,
    {
        _S.RECEIVED: frozenset({_S.CANCELLED}),
        _S.WORK_IN_PROGRESS: frozenset({_S.CANCELLED}),
        _S.AWAITING_INFO: frozenset({_S.WORK_IN_PROGRESS, _S.CANCELLED}),  # whoever comments has answered
        _S.RESOLVED: frozenset({_S.WORK_IN_PROGRESS, _S.CLOSED, _S.CANCELLED}),
        _S.CLOSED: _NONE,
        _S.CANCELLED: _NONE,
    },
)
OVER = tuple(state for state in _S if AGENT_MOVES.is_final(state))


class Side(StrEnum):
    """Who opened a case, and whom it waits for."""

    CONSUMER = "consumer"
    PROVIDER = "provider"


class ResolutionCode(LabelledState):
    """In one word, what a proposed solution is."""

    SOLVED = "solved", "Solved"
    WORKAROUND = "workaround", "Solved by a workaround"
    ANSWERED = "answered", "Answered"
    NOT_REPRODUCIBLE = "not_reproducible", "Could not be reproduced"
    NOT_POSSIBLE = "not_possible", "Not possible"
    DUPLICATE = "duplicate", "Asked before"


class Priority(LabelledState):
    """How urgent, the most urgent first."""

    CRITICAL = "critical", "Critical"
    HIGH = "high", "High"
    MODERATE = "moderate", "Moderate"
    LOW = "low", "Low"

    @property
    def rank(self) -> int:
        """1 is the most urgent: what is stored, so that lists can be sorted by it."""
        return list(Priority).index(self) + 1

    @classmethod
    def of_rank(cls, rank: int) -> "Priority":
        return list(cls)[rank - 1]


_TABLES = {Side.PROVIDER: AGENT_MOVES, Side.CONSUMER: CONSUMER_MOVES}


@dataclass(frozen=True, slots=True)
class Solution:
    """What the provider proposes."""

    code: ResolutionCode
    text: str


def waits_for(state: ProviderTaskState) -> Side | None:
    """Whose turn it is; None when it is over."""
    if state in OVER:
        return None
    return Side.CONSUMER if state in (_S.AWAITING_INFO, _S.RESOLVED) else Side.PROVIDER


def move_case(
    current: ProviderTaskState, wanted: ProviderTaskState, *, who: Side, opened_by: Side
) -> ProviderTaskState:
    """Return `wanted`. Raises IllegalMove, which tells what this side may do, and Conflict `illegal_move` for who would
    cancel what the other side opened.
    """
    if wanted is _S.CANCELLED and who is not opened_by and current not in OVER:
        raise Conflict("illegal_move", f"only the {opened_by}, who opened this provider task, can cancel it")
    return _TABLES[who].move(current, wanted)


def legal_moves(current: ProviderTaskState, *, who: Side, opened_by: Side) -> tuple[ProviderTaskState, ...]:
    """Where this side may take it, in the order of the states."""
    return tuple(state for state in _TABLES[who].legal(current) if state is not _S.CANCELLED or who is opened_by)


def check_solution(code: str, text: str) -> Solution:
    """Raises InvalidFields."""
    wrong = []
    if code not in set(ResolutionCode):
        known = ", ".join(ResolutionCode)
        wrong.append(FieldError("/code", "invalid", f"must be one of {known}"))
    if not text.strip():
        wrong.append(FieldError("/text", "required", "must say what was done, or how it is solved"))
    if wrong:
        raise InvalidFields(wrong)
    return Solution(ResolutionCode(code), text.strip())
