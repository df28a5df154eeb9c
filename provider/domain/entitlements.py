"""When is losing entitlements so much at once that a person has to look first?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemovalLimits:
    """What may be removed within a day without being asked for: at most `number` in all, and of one item or of one
    consumer at most `share` of what there was, once it is more than `few`.
    """

    number: int = 20
    share: float = 0.5
    few: int = 3


@dataclass(frozen=True, slots=True)
class Removals:
    """Entitlements of one item, of one consumer, or of all: about to be lost, lost within the last day, and held."""

    lost: int
    recent: int
    entitled: int

    @property
    def gone(self) -> int:
        return self.lost + self.recent


def is_mass_removal(removals: Removals, limits: RemovalLimits, *, of_all: bool = False) -> bool:
    """Whether a person has to look first. Of all entitlements together no share is asked for: most of them may belong
    to items that nobody touches.
    """
    if not removals.lost:
        return False
    if removals.gone > limits.number:
        return True
    had = removals.entitled + removals.recent
    return not of_all and removals.gone > max(limits.few, limits.share * had)
