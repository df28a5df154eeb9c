"""Offerings and specifications: published, they become remote catalog items; retired, they end them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from provider.domain.bundles import Group, Member, Offering, Relation, build_offering_form
from provider.domain.catalog import (
    CATALOG_MOVES,
    CatalogState,
    Characteristic,
    CharacteristicType,
    Child,
    Option,
    ServiceType,
    SpecificationKind,
    build_form,
    generates_remote_record_producer,
)
from provider.domain.catalog import Specification as SpecificationValue
from provider.domain.choice_rules import ChoiceRule, Condition, RuleKind
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.domain.order_tasks import DEFAULT_TEMPLATES, TaskTemplate
from provider.models.catalog import ProductOffering, RemoteRecordProducer, Specification
from provider.services.audit import record_audit
from provider.services.connections import as_id
from provider.services.entitlements import lock_guard
from provider.services.pages import Page, read_page
from provider.services.producers import draft_producer, retire_revisions


def list_offerings(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[ProductOffering]:
    """All offerings in all versions."""
    keys = [ProductOffering.external_id, ProductOffering.version]
    return read_page(session, select(ProductOffering), keys, limit=limit, after=after)


def list_specifications(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[Specification]:
    """All specifications in all versions."""
    keys = [Specification.external_id, Specification.version]
    return read_page(session, select(Specification), keys, limit=limit, after=after)


def publish_offering(session: Session, offering_id: str, actor: str, now: datetime) -> ProductOffering:
    """In draft to published. A sellable offering for the service exchange drafts its remote record producer.

    Raises NotFound, IllegalMove, InvalidFields for a bundle that nobody could order, or Conflict while its
    specification or a member is not published.
    """
    lock_guard(session)
    offering = _get_offering(session, offering_id)
    specification = session.get_one(Specification, offering.specification_id)
    if specification.lifecycle_state != CatalogState.PUBLISHED:
        message = f"specification {specification.name} is {specification.lifecycle_state}; publish it first"
        raise Conflict("specification_not_published", message, specification_id=specification.id)
    form = build_offering_form(load_offering(session, offering.id))
    _check_members(session, offering)
    _move(offering, CatalogState.PUBLISHED)
    record_audit(session, actor, "offering.publish", f"product_offering/{offering.id}", now)
    if generates_remote_record_producer(channels=offering.channels, sellable=offering.sellable):
        draft_producer(session, specification, offering, form)
    return offering


def publish_specification(session: Session, specification_id: str, actor: str, now: datetime) -> Specification:
    """In draft to published. A customer-facing service for the exchange drafts its remote record producer."""
    lock_guard(session)
    specification = _get_specification(session, specification_id)
    _move(specification, CatalogState.PUBLISHED)
    form = build_form(load_specification(session, specification.id))
    record_audit(session, actor, "specification.publish", f"specification/{specification.id}", now)
    service_type = ServiceType(specification.service_type) if specification.service_type else None
    if generates_remote_record_producer(channels=specification.channels, service_type=service_type):
        draft_producer(session, specification, None, form)
    return specification


def retire_offering(session: Session, offering_id: str, actor: str, now: datetime) -> ProductOffering:
    """Published to retired; its catalog items are withdrawn at once. Open orders and products go on."""
    lock_guard(session)
    offering = _get_offering(session, offering_id)
    _move(offering, CatalogState.RETIRED)
    record_audit(session, actor, "offering.retire", f"product_offering/{offering.id}", now)
    _retire_items(session, RemoteRecordProducer.product_offering_id == offering.id, actor, now)
    return offering


def retire_specification(session: Session, specification_id: str, actor: str, now: datetime) -> Specification:
    """Published to retired, with the catalog items made of the specification itself; offerings retire on their own."""
    lock_guard(session)
    specification = _get_specification(session, specification_id)
    _move(specification, CatalogState.RETIRED)
    record_audit(session, actor, "specification.retire", f"specification/{specification.id}", now)
    own = (RemoteRecordProducer.specification_id == specification.id) & (RemoteRecordProducer.kind == "service")
    _retire_items(session, own, actor, now)
    return specification


def load_specification(session: Session, specification_id: str) -> SpecificationValue:
    """A stored specification with all it bundles, as the rules want it. Raises InvalidFields if it contains itself."""
    return _load(session, specification_id, ())


def load_offering(session: Session, offering_id: str) -> Offering:
    """A stored offering with all it bundles, as the rules want it. Raises InvalidFields if it contains itself."""
    return _load_offering(session, offering_id, ())


def characteristic_value(row: Mapping[str, Any]) -> Characteristic:
    """A stored characteristic as the rules want it."""
    default = row["default"]
    return Characteristic(
        key=row["key"],
        name=row["name"],
        type=CharacteristicType(row["type"]),
        options=tuple(Option(option["value"], option["label"]) for option in row["options"]),
        mandatory=row["mandatory"],
        default=tuple(default) if isinstance(default, list) else default,
        min_cardinality=row["min_cardinality"],
        max_cardinality=row["max_cardinality"],
        description=row["description"],
        choice=row.get("choice"),
    )


def template_value(row: Mapping[str, Any]) -> TaskTemplate:
    """A stored task template as the rules want it."""
    return TaskTemplate(row["key"], row["name"], tuple(row["depends_on"]), row["point_of_no_return"])


def _load_offering(session: Session, offering_id: str, above: tuple[str, ...]) -> Offering:
    if offering_id in above:
        raise InvalidFields([FieldError("/members", "cycle", "an offering cannot contain itself")])
    row = session.get_one(ProductOffering, offering_id)
    members = tuple(
        Member(
            key=member["key"],
            offering=_load_offering(session, member["offering_id"], (*above, offering_id)),
            mandatory=member["mandatory"],
            default_selected=member["default_selected"],
            min_quantity=member["min_quantity"],
            max_quantity=member["max_quantity"],
            group=member["group"],
        )
        for member in row.members
    )
    return Offering(
        id=row.external_id,
        name=row.name,
        specification=load_specification(session, row.specification_id),
        members=members,
        groups=tuple(Group(**group) for group in row.groups),
        relations=tuple(Relation(RuleKind(one["kind"]), one["offering"]) for one in row.relations),
        rules=_rules(row.rules),
    )


def _rules(stored: Sequence[Mapping[str, Any]]) -> tuple[ChoiceRule, ...]:
    return tuple(
        ChoiceRule(RuleKind(rule["kind"]), _condition(rule["if"]), tuple(_condition(one) for one in rule["then"]))
        for rule in stored
    )


def _condition(stored: Mapping[str, Any]) -> Condition:
    return Condition(tuple(stored["parts"]), stored["characteristic"], tuple(stored["values"]))


def _check_members(session: Session, bundle: ProductOffering) -> None:
    wanted = [member["offering_id"] for member in bundle.members]
    query = select(ProductOffering).where(
        ProductOffering.id.in_(wanted), ProductOffering.lifecycle_state != CatalogState.PUBLISHED
    )
    for member in session.scalars(query.order_by(ProductOffering.name)):
        message = f"{member.name}, which is in the bundle, is {member.lifecycle_state}; publish it first"
        raise Conflict("member_not_published", message, product_offering_id=member.id)


def _load(session: Session, specification_id: str, above: tuple[str, ...]) -> SpecificationValue:
    if specification_id in above:
        raise InvalidFields([FieldError("/children", "cycle", "a specification cannot contain itself")])
    row = session.get_one(Specification, specification_id)
    children = tuple(
        Child(
            key=child["key"],
            specification=_load(session, child["specification_id"], (*above, specification_id)),
            mandatory=child["mandatory"],
            default_selected=child["default_selected"],
            min_quantity=child["min_quantity"],
            max_quantity=child["max_quantity"],
        )
        for child in row.children
    )
    return SpecificationValue(
        id=row.id,
        name=row.name,
        version=row.version,
        kind=SpecificationKind(row.kind),
        service_type=ServiceType(row.service_type) if row.service_type else None,
        characteristics=tuple(characteristic_value(c) for c in row.characteristics if c.get("configurable", True)),
        children=children,
        rules=_rules(row.rules),
        task_templates=tuple(template_value(task) for task in row.task_templates) or DEFAULT_TEMPLATES,
    )


def _get_offering(session: Session, offering_id: str) -> ProductOffering:
    query = select(ProductOffering).where(ProductOffering.id == as_id("product offering", offering_id))
    offering = session.execute(query.with_for_update()).scalar_one_or_none()
    if offering is None:
        raise NotFound("product offering", offering_id)
    return offering


def _get_specification(session: Session, specification_id: str) -> Specification:
    query = select(Specification).where(Specification.id == as_id("specification", specification_id))
    specification = session.execute(query.with_for_update()).scalar_one_or_none()
    if specification is None:
        raise NotFound("specification", specification_id)
    return specification


def _move(entry: ProductOffering | Specification, wanted: CatalogState) -> None:
    current = next(state for state in CatalogState if state == entry.lifecycle_state)
    entry.lifecycle_state = CATALOG_MOVES.move(current, wanted)


def _retire_items(session: Session, which: Any, actor: str, now: datetime) -> None:
    found = session.execute(select(RemoteRecordProducer).where(which).with_for_update()).scalars().all()
    retire_revisions(session, found, actor, now)
