"""Taking a TMF620-shaped document into the catalog: everything is checked before anything is changed."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from graphlib import CycleError
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.answers import AnswerError, check_answer
from provider.domain.catalog import (
    CATALOG_MOVES,
    CHANNEL_NAME,
    SERVICE_EXCHANGE,
    CatalogState,
    Child,
    SpecificationKind,
    build_form,
    why_not_sold,
)
from provider.domain.catalog import Specification as SpecificationValue
from provider.domain.errors import FieldError, InvalidFields
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
from provider.services.catalog_references import References
from provider.services.choice_definitions import reference_faults
from provider.services.entitlements import lock_guard
from provider.services.tmf_bundles import Part
from provider.services.tmf_catalog import (
    CatalogDocument,
    OfferingEntry,
    SpecificationEntry,
    characteristics_member,
    read_catalog,
)
from provider.services.tmf_reader import key_of

Entry = SpecificationEntry | OfferingEntry
Row = Specification | ProductOffering
_LIVING = (CatalogState.PUBLISHED, CatalogState.RETIRED)


@dataclass
class ImportResult:
    """How many specifications and offerings were new, changed, or as they were; and what people may not expect."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    warnings: list[str] = field(default_factory=list)


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
    result = ImportResult(warnings=[*_warn(read.offerings)])
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
    specifications: References[SpecificationEntry, Specification] = field(init=False)
    offerings: References[OfferingEntry, ProductOffering] = field(init=False)

    def __post_init__(self) -> None:
        entries, offers = self.read.specifications, self.read.offerings
        named = {part.reference.external_id for entry in entries for part in entry.parts}
        named |= {entry.external_id for entry in entries} | {offer.specification.external_id for offer in offers}
        stored = self._stored(Specification, named)
        self.specifications = References("specification", entries, stored, self.read.faults)
        named = {member.reference.external_id for offer in offers for member in offer.bundle.members}
        rows = self._stored(ProductOffering, named | {offer.external_id for offer in offers})
        self.offerings = References("offering", offers, rows, self.read.faults)

    def check(self) -> None:
        """Note every fault that the document has against the rules and against what is stored."""
        for entry in self.read.specifications:
            for part in entry.parts:
                self.specifications.check(part.reference, entry.lifecycle_state)
            self._check_rules(entry)
            self._check_change(entry)
        for offering in self.read.offerings:
            self.specifications.check(offering.specification, offering.lifecycle_state)
            for member in offering.bundle.members:
                self.offerings.check(member.reference, offering.lifecycle_state)
            self._check_change(offering)
        self._check_cycles("specification", self._specifications_in_order, self.read.specifications)
        self._check_cycles("offering", self._offerings_in_order, self.read.offerings)

    def in_order(self) -> Iterator[Entry]:
        """Parts before what bundles them, specifications before offerings."""
        yield from self._specifications_in_order()
        yield from self._offerings_in_order()

    def row_of(self, entry: Entry) -> Row | None:
        key = (entry.external_id, entry.version)
        if isinstance(entry, SpecificationEntry):
            return self.specifications.stored.get(key)
        return self.offerings.stored.get(key)

    def id_of(self, entry: Entry) -> str:
        ids = self.specifications.ids if isinstance(entry, SpecificationEntry) else self.offerings.ids
        return ids[entry.external_id, entry.version]

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
            "rules": entry.rules,
        }

    def _offering_columns(self, entry: OfferingEntry) -> dict[str, Any]:
        key = self.specifications.resolve(entry.specification)
        return {
            "external_id": entry.external_id,
            "version": entry.version,
            "name": entry.name,
            "description": entry.description,
            "category": entry.category,
            "specification_id": self.specifications.ids[key] if key else None,
            "sellable": entry.sellable,
            "channels": entry.channels,
            "prices": entry.prices,
            "line_level_ponr": entry.line_level_ponr,
            "members": self._members(entry),
            "groups": entry.bundle.groups,
            "relations": entry.bundle.relations,
            "rules": entry.rules,
            "valid_from": entry.valid_from,
            "valid_to": entry.valid_to,
        }

    def _children(self, entry: SpecificationEntry) -> list[dict[str, Any]]:
        known = self.specifications
        resolved = ((part, known.resolve(part.reference)) for part in entry.parts)
        return [
            {"specification_id": known.ids[key], **_as_part(part, known.name_of(key))}
            for part, key in resolved
            if key is not None
        ]

    def _members(self, entry: OfferingEntry) -> list[dict[str, Any]]:
        known = self.offerings
        resolved = ((member, known.resolve(member.reference)) for member in entry.bundle.members)
        return [
            {"offering_id": known.ids[key], **_as_part(member, known.name_of(key)), "group": member.group}
            for member, key in resolved
            if key is not None
        ]

    def _specifications_in_order(self) -> list[SpecificationEntry]:
        return self.specifications.in_order(lambda entry: [part.reference for part in entry.parts])

    def _offerings_in_order(self) -> list[OfferingEntry]:
        return self.offerings.in_order(lambda entry: [member.reference for member in entry.bundle.members])

    def _stored(self, model: Any, external_ids: set[str]) -> list[Any]:
        return list(self.session.scalars(select(model).where(model.external_id.in_(external_ids))))

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
        for fault in reference_faults(self.session, entry.characteristics, f"{entry.pointer}/{member}"):
            self._fault(fault.pointer.replace("/choice", "/x-choice", 1), fault.code, fault.message)

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

    def _check_change(self, entry: Entry) -> None:
        """A published version is immutable, and no state leads back."""
        row = self.row_of(entry)
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

    def _check_cycles(self, noun: str, put_in_order: Callable[[], Sequence[Entry]], entries: Sequence[Entry]) -> None:
        try:
            put_in_order()
        except CycleError as error:
            names = [key[0] for key in error.args[1]]
            inside = next(entry for entry in entries if entry.external_id in names)
            article = "an" if noun == "offering" else "a"
            message = f"{article} {noun} contains itself: {' > '.join(names)}"
            self._fault(f"{inside.pointer}/id", "cycle", message)

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
    try:
        _follow(session, row, entry.lifecycle_state, actor, now)
    except InvalidFields as invalid:
        raise InvalidFields(_in_document(entry, error) for error in invalid.errors) from None


def _warn(offerings: Sequence[OfferingEntry]) -> Iterator[str]:
    """Of what is sellable and nobody will see: a member of a bundle need not be sold by itself."""
    bundled = {member.reference.external_id for offering in offerings for member in offering.bundle.members}
    for offering in offerings:
        missing = why_not_sold(channels=offering.channels, sellable=True)
        if not missing or not offering.sellable or offering.external_id in bundled:
            continue
        if offering.lifecycle_state != CatalogState.RETIRED:
            yield f"{offering.name} {missing}: consumers will not see it.{_tell_others(offering.channels)}"


def _tell_others(channels: Sequence[str]) -> str:
    """A name that was mistyped shows: there is one channel that makes a difference here."""
    told = ", ".join(channels)
    return f" Not known here: {told}. Known is {SERVICE_EXCHANGE} ({CHANNEL_NAME})." if told else ""


def _in_document(entry: Entry, error: FieldError) -> FieldError:
    """What publishing found wrong, with the pointer into the document."""
    pointer = error.pointer.replace("/groups", "/bundledGroupProductOffering", 1).replace(
        "/rules", "/x-compatibilityRule", 1
    )
    if isinstance(entry, OfferingEntry) and (found := re.match("/members/([0-9]+)", pointer)):
        at = entry.bundle.members[int(found[1])].reference.pointer.removesuffix("/id")
        return FieldError(at + pointer[found.end() :], error.code, error.message)
    return FieldError(entry.pointer + pointer, error.code, error.message)


def _create(session: Session, plan: _Plan, entry: Entry, columns: dict[str, Any]) -> Row:
    """As a draft; an entry that comes as retired was published elsewhere before and is stored as it is."""
    state = entry.lifecycle_state if entry.lifecycle_state == CatalogState.RETIRED else CatalogState.IN_DRAFT
    model = Specification if isinstance(entry, SpecificationEntry) else ProductOffering
    row = model(id=plan.id_of(entry), lifecycle_state=str(state), **columns)
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


def _as_part(part: Part, name: str) -> dict[str, Any]:
    return {
        "key": part.key or key_of(name),
        "mandatory": part.minimum > 0,
        "default_selected": part.default_selected,
        "min_quantity": max(1, part.minimum),
        "max_quantity": part.maximum,
    }
