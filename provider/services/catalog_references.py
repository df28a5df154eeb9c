"""Which record does a reference of a catalog document mean: one of the document itself, or one that is stored?"""

from collections.abc import Callable, Iterable, Sequence
from graphlib import TopologicalSorter
from typing import Generic, TypeVar

from bridge.ids import new_id
from provider.domain.catalog import CatalogState
from provider.models.catalog import ProductOffering, Specification
from provider.services.tmf_catalog import OfferingEntry, SpecificationEntry
from provider.services.tmf_reader import Faults, Reference

Key = tuple[str, str]
E = TypeVar("E", SpecificationEntry, OfferingEntry)
R = TypeVar("R", Specification, ProductOffering)


class References(Generic[E, R]):
    """The entries of one kind, against the rows that are stored; each has an id already. `noun` names one."""

    def __init__(self, noun: str, entries: Sequence[E], stored: Iterable[R], faults: Faults) -> None:
        self.noun = noun
        self.entries: dict[Key, E] = {(entry.external_id, entry.version): entry for entry in entries}
        self.stored: dict[Key, R] = {(row.external_id, row.version): row for row in stored}
        self.ids: dict[Key, str] = {key: row.id for key, row in self.stored.items()}
        self.ids |= {key: new_id() for key in self.entries if key not in self.stored}
        self._faults = faults

    def resolve(self, reference: Reference) -> Key | None:
        """The named version, or the newest: of the document if it has any, else of what is stored."""
        if reference.version is not None:
            key = (reference.external_id, reference.version)
            return key if key in self.ids else None
        for known in (self.entries, self.stored):
            versions = [key for key in known if key[0] == reference.external_id]
            if versions:
                return max(versions, key=lambda key: version_order(key[1]))
        return None

    def name_of(self, key: Key) -> str:
        return self._told(key).name

    def check(self, reference: Reference, lifecycle_state: str) -> None:
        """Note what is wrong with a reference of something in this state."""
        if not reference.external_id:
            return  # noted as missing already
        key = self.resolve(reference)
        if key is None:
            wanted = " ".join(filter(None, (reference.external_id, reference.version)))
            self._faults.add(reference.pointer, "unknown", f"there is no {self.noun} {wanted}")
            return
        state = self._told(key).lifecycle_state
        if lifecycle_state == CatalogState.PUBLISHED and state != CatalogState.PUBLISHED:
            message = f"{self.name_of(key)} is {state}; what is published can only be made of what is published"
            self._faults.add(reference.pointer, "not_published", message)

    def in_order(self, references_of: Callable[[E], Iterable[Reference]]) -> list[E]:
        """The entries, each after those that it refers to. Raises graphlib.CycleError."""
        graph = {
            key: [found for reference in references_of(entry) if (found := self.resolve(reference)) is not None]
            for key, entry in self.entries.items()
        }
        return [self.entries[key] for key in TopologicalSorter(graph).static_order() if key in self.entries]

    def _told(self, key: Key) -> E | R:
        return self.entries[key] if key in self.entries else self.stored[key]


def version_order(version: str) -> list[tuple[int, str]]:
    """1.10 is newer than 1.9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in version.split(".")]
