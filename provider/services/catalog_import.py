"""Taking a TMF620-shaped document into the catalog: everything is checked before anything is changed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.answers import AnswerError, check_answer
from bridge.ids import new_id
from provider.domain.catalog import CATALOG_MOVES, CatalogState, Child, SpecificationKind, build_form
from provider.domain.catalog import Specification as SpecificationValue
from provider.domain.errors import InvalidFields
from provider.domain.order_tasks import check_templates
from provider.models.catalog import ProductOffering, Specification
from provider.services.audit import record_audit
from provider.services.catalog import (
    characteristic_value,
    publish_offering,
    publish_specification,
    retire_offering,
    retire_specification,
    template_value,
)
from provider.services.entitlements import lock_guard
from provider.services.tmf_catalog import (
    CatalogDocument,
    OfferingEntry,
    Reference,
    SpecificationEntry,
    characteristics_member,
    read_catalog,
)
from provider.services.tmf_reader import key_of

Key = tuple[str, str]
Entry = SpecificationEntry | OfferingEntry
Row = Specification | ProductOffering
_LIVING = (CatalogState.PUBLISHED, CatalogState.RETIRED)


@dataclass
class ImportResult:
    """How many specifications and offerings were new, changed, or as they were."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0


def import_catalog(session: Session, document: Mapping[str, Any], now: datetime, actor: str = "system") -> ImportResult:
    """Take the document in. Entries are recognised by id and version; what is the same already is left alone.

    Raises InvalidFields with every fault of the document, by pointer; nothing is changed then.
    """
    lock_guard(session)
    read = read_catalog(document)
    plan = _Plan(session, read)
    plan.check()
    if read.faults.errors:
        raise InvalidFields(read.faults.errors)
    result = ImportResult()
    for entry in plan.in_order():
        _take_in(session, plan, entry, result, actor, now)
    detail = {"created": result.created, "updated": result.updated, "unchanged": result.unchanged}
    record_audit(session, actor, "catalog.import", "catalog", now, detail)
    return result


@dataclass
class _Plan:
    """The document against what is stored: which row each entry is, and what each reference means."""

    session: Session
    read: CatalogDocument
    stored: dict[Key, Specification] = field(init=False)
    offered: dict[Key, ProductOffering] = field(init=False)
    entries: dict[Key, SpecificationEntry] = field(init=False)
    ids: dict[Key, str] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = {(e.external_id, e.version): e for e in self.read.specifications}
        references = [part.reference for e in self.read.specifications for part in e.parts]
        references += [offering.specification for offering in self.read.offerings]
        wanted = {key[0] for key in self.entries} | {reference.external_id for reference in references}
        found = self.session.execute(select(Specification).where(Specification.external_id.in_(wanted))).scalars()
        self.stored = {(row.external_id, row.version): row for row in found}
        names = {offering.external_id for offering in self.read.offerings}
        offers = self.session.execute(select(ProductOffering).where(ProductOffering.external_id.in_(names))).scalars()
        self.offered = {(row.external_id, row.version): row for row in offers}
        self.ids = {key: row.id for key, row in self.stored.items()}
        self.ids |= {key: new_id() for key in self.entries if key not in self.stored}

    def check(self) -> None:
        """Note every fault that the document has against the rules and against what is stored."""
        for entry in self.read.specifications:
            self._check_parts(entry)
            self._check_rules(entry)
            self._check_change(entry, self.stored.get((entry.external_id, entry.version)))
        for offering in self.read.offerings:
            self._check_specification(offering)
            self._check_change(offering, self.offered.get((offering.external_id, offering.version)))
        try:
            self._sorted_keys()
        except CycleError as error:
            names = [key[0] for key in error.args[1]]
            inside = next(e for e in self.read.specifications if e.external_id in names)
            self._fault(f"{inside.pointer}/id", "cycle", f"a specification contains itself: {' > '.join(names)}")

    def in_order(self) -> Iterator[Entry]:
        """Parts before what bundles them, specifications before offerings."""
        yield from (self.entries[key] for key in self._sorted_keys() if key in self.entries)
        yield from self.read.offerings

    def row_of(self, entry: Entry) -> Row | None:
        key = (entry.external_id, entry.version)
        return self.stored.get(key) if isinstance(entry, SpecificationEntry) else self.offered.get(key)

    def columns(self, entry: Entry) -> dict[str, Any]:
        """What the row of an entry holds, but for its state."""
        return (
            self._specification_columns(entry)
            if isinstance(entry, SpecificationEntry)
            else self._offering_columns(entry)
        )

    def _specification_columns(self, entry: SpecificationEntry) -> dict[str, Any]:
        return {
            "external_id": entry.external_id,
            "version": entry.version,
            "kind": entry.kind,
            "name": entry.name,
            "description": entry.description,
            "service_type": entry.service_type,
            "characteristics": entry.characteristics,
            "children": self._children(entry),
            "task_templates": entry.task_templates,
            "channels": entry.channels,
        }

    def _offering_columns(self, entry: OfferingEntry) -> dict[str, Any]:
        key = self._resolve(entry.specification)
        return {
            "external_id": entry.external_id,
            "version": entry.version,
            "name": entry.name,
            "description": entry.description,
            "category": entry.category,
            "specification_id": self.ids[key] if key else None,
            "sellable": entry.sellable,
            "channels": entry.channels,
            "prices": entry.prices,
            "line_level_ponr": entry.line_level_ponr,
            "valid_from": entry.valid_from,
            "valid_to": entry.valid_to,
        }

    def _children(self, entry: SpecificationEntry) -> list[dict[str, Any]]:
        resolved = ((part, self._resolve(part.reference)) for part in entry.parts)
        return [
            {
                "specification_id": self.ids[key],
                "key": part.key or key_of(self._name(key)),
                "mandatory": part.minimum > 0,
                "default_selected": part.default_selected,
                "min_quantity": max(1, part.minimum),
                "max_quantity": part.maximum,
            }
            for part, key in resolved
            if key is not None
        ]

    def _resolve(self, reference: Reference) -> Key | None:
        """The named version, or the newest: of the document if it has any, else of what is stored."""
        if reference.version is not None:
            key = (reference.external_id, reference.version)
            return key if key in self.ids else None
        for known in (self.entries, self.stored):
            versions = [key for key in known if key[0] == reference.external_id]
            if versions:
                return max(versions, key=lambda key: _version_order(key[1]))
        return None

    def _name(self, key: Key) -> str:
        return self.entries[key].name if key in self.entries else self.stored[key].name

    def _state(self, key: Key) -> str:
        return self.entries[key].lifecycle_state if key in self.entries else self.stored[key].lifecycle_state

    def _check_parts(self, entry: SpecificationEntry) -> None:
        for part in entry.parts:
            self._check_reference(part.reference, entry.lifecycle_state)

    def _check_specification(self, offering: OfferingEntry) -> None:
        self._check_reference(offering.specification, offering.lifecycle_state)

    def _check_reference(self, reference: Reference, lifecycle_state: str) -> None:
        if not reference.external_id:
            return  # noted as missing already
        key = self._resolve(reference)
        if key is None:
            wanted = " ".join(filter(None, (reference.external_id, reference.version)))
            self._fault(reference.pointer, "unknown", f"there is no specification {wanted}")
        elif lifecycle_state == CatalogState.PUBLISHED and self._state(key) != CatalogState.PUBLISHED:
            message = (
                f"{self._name(key)} is {self._state(key)}; what is published can only be made of what is published"
            )
            self._fault(reference.pointer, "not_published", message)

    def _check_rules(self, entry: SpecificationEntry) -> None:
        """The rules of the domain, said with pointers into the document."""
        member = characteristics_member(entry.kind)
        value = SpecificationValue(
            id=entry.pointer,
            name=entry.name,
            version=entry.version,
            kind=SpecificationKind(entry.kind),
            characteristics=tuple(characteristic_value(c) for c in entry.characteristics),
            children=tuple(_stub(child) for child in self._children(entry)),
        )
        self._collect(lambda: build_form(value), "/characteristics", f"{entry.pointer}/{member}")
        templates = [template_value(task) for task in entry.task_templates]
        self._collect(lambda: check_templates(templates), "", f"{entry.pointer}/x-taskTemplate")
        for index, characteristic in enumerate(entry.characteristics):
            self._check_default(characteristic, f"{entry.pointer}/{member}/{index}")

    def _check_default(self, characteristic: Mapping[str, Any], pointer: str) -> None:
        try:
            if characteristic["default"] is not None:
                check_answer(characteristic, characteristic["default"])
        except AnswerError as error:
            self._fault(pointer, "default", f"the default of {characteristic['name']} {error.message}")

    def _collect(self, rule: Callable[[], object], below: str, pointer: str) -> None:
        try:
            rule()
        except InvalidFields as invalid:
            for error in invalid.errors:
                inner = error.pointer.removeprefix(below).replace("/options/", "/productSpecCharacteristicValue/")
                self._fault(pointer + inner, error.code, error.message)

    def _check_change(self, entry: Entry, row: Row | None) -> None:
        """A published version is immutable, and no state leads back."""
        if row is None:
            return
        if row.lifecycle_state in _LIVING and _differences(row, self.columns(entry)):
            names = ", ".join(_differences(row, self.columns(entry)))
            message = (
                f"version {entry.version} is {row.lifecycle_state} and cannot change ({names}); give it a new version"
            )
            self._fault(f"{entry.pointer}/version", "immutable", message)
        before = next(state for state in CatalogState if state == row.lifecycle_state)
        if entry.lifecycle_state != before and entry.lifecycle_state not in CATALOG_MOVES.moves[before]:
            message = f"it is {before} and cannot become {entry.lifecycle_state}"
            self._fault(f"{entry.pointer}/lifecycleStatus", "illegal_move", message)

    def _sorted_keys(self) -> list[Key]:
        graph = {
            key: [found for part in entry.parts if (found := self._resolve(part.reference)) is not None]
            for key, entry in self.entries.items()
        }
        return list(TopologicalSorter(graph).static_order())

    def _fault(self, pointer: str, code: str, message: str) -> None:
        self.read.faults.add(pointer, code, message)


def _take_in(session: Session, plan: _Plan, entry: Entry, result: ImportResult, actor: str, now: datetime) -> None:
    row, columns = plan.row_of(entry), plan.columns(entry)
    if row is None:
        result.created += 1
        row = _create(session, plan, entry, columns)
    elif row.lifecycle_state == entry.lifecycle_state and not _differences(row, columns):
        result.unchanged += 1
        return
    else:
        result.updated += 1
        for name in _differences(row, columns):
            setattr(row, name, columns[name])
    session.flush()
    _follow(session, row, entry.lifecycle_state, actor, now)


def _create(session: Session, plan: _Plan, entry: Entry, columns: dict[str, Any]) -> Row:
    """As a draft; an entry that comes as retired was published elsewhere before and is stored as it is."""
    state = entry.lifecycle_state if entry.lifecycle_state == CatalogState.RETIRED else CatalogState.IN_DRAFT
    row: Row
    if isinstance(entry, SpecificationEntry):
        key = (entry.external_id, entry.version)
        row = Specification(id=plan.ids[key], lifecycle_state=str(state), **columns)
    else:
        row = ProductOffering(id=new_id(), lifecycle_state=str(state), **columns)
    session.add(row)
    return row


def _follow(session: Session, row: Row, wanted: str, actor: str, now: datetime) -> None:
    """Publish or retire as people do, with all that comes of it."""
    if row.lifecycle_state == wanted:
        return
    specification = isinstance(row, Specification)
    if wanted == CatalogState.PUBLISHED:
        (publish_specification if specification else publish_offering)(session, row.id, actor, now)
    elif wanted == CatalogState.RETIRED:
        (retire_specification if specification else retire_offering)(session, row.id, actor, now)


def _differences(row: Row, columns: Mapping[str, Any]) -> list[str]:
    return [name for name, value in columns.items() if getattr(row, name) != value]


def _stub(child: Mapping[str, Any]) -> Child:
    """A part as seen from what bundles it; its inside is checked where it stands itself."""
    inside = SpecificationValue(child["specification_id"], child["key"], "", SpecificationKind.PRODUCT)
    limits = {name: child[name] for name in ("mandatory", "default_selected", "min_quantity", "max_quantity")}
    return Child(child["key"], inside, **limits)


def _version_order(version: str) -> list[tuple[int, str]]:
    """1.10 is newer than 1.9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in version.split(".")]
