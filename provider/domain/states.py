"""May a record go from one state to another? One immutable table per noun answers; there are no if-chains elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, Self, TypeVar

from provider.domain.errors import IllegalMove


class LabelledState(StrEnum):
    """A state with the words that people read: `DRAFT = "draft", "Draft"`."""

    _value_: str
    label: str

    def __new__(cls, value: str, label: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member


S = TypeVar("S", bound=StrEnum)


@dataclass(frozen=True)
class StateTable(Generic[S]):
    """Every legal move of one noun. A state is its own successor only where the table says so."""

    noun: str
    initial: S
    moves: Mapping[S, frozenset[S]]

    def __post_init__(self) -> None:
        if missing := set(type(self.initial)) - set(self.moves):
            raise ValueError(f"the table of {self.noun} has no row for {', '.join(sorted(missing))}")
        object.__setattr__(self, "moves", MappingProxyType(dict(self.moves)))

    def move(self, current: S, wanted: S) -> S:
        """Return `wanted`; raise IllegalMove, which tells the legal states, if `current` does not lead there."""
        if wanted not in self.moves[current]:
            raise IllegalMove(self.noun, current, wanted, self.legal(current))
        return wanted

    def legal(self, current: S) -> tuple[S, ...]:
        """The states that may follow, in the order of the enum."""
        return tuple(state for state in type(current) if state in self.moves[current])

    def is_final(self, state: S) -> bool:
        """Whether nothing follows."""
        return not self.moves[state]
