"""The catalog for those who look after it: offerings and specifications in one list, each with all it is made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CompoundSelect, Select, String, Subquery, and_, func, literal, null, or_, select, union_all
from sqlalchemy.orm import Session

from provider.domain.errors import NotFound
from provider.models.catalog import ProductOffering, RemoteRecordProducer, Specification
from provider.services.connections import as_id

Document = dict[str, Any]

OFFERING, PRODUCT, SERVICE = "offering", "product", "service"
KINDS = (OFFERING, PRODUCT, SERVICE)
SORTABLE = ("name", "kind", "external_id", "version", "state")
_ALIKE = ("id", "external_id", "version", "name", "lifecycle_state", "channels")
_DEPTH_LIMIT = 32


def search_catalog(
    session: Session, *, text: str = "", kind: str = "", state: str = "", sellable: str = "", sort: str = "name",
    descending: bool = False, offset: int = 0, limit: int = 25,
) -> tuple[list[Document], int]:  # fmt: skip
    """One page of the offerings and specifications that match, and how many match in all.

    `kind` is one of KINDS, `sellable` is "yes" or "no", `text` part of a name, id or category.
    """
    entries = _entries().subquery()
    query = select(entries).where(*_conditions(entries, text, kind, state, sellable))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    key = {"name": func.lower(entries.c.name), "state": entries.c.lifecycle_state}.get(sort)
    key = entries.c[sort] if key is None else key
    order = key.desc() if descending else key
    rows = session.execute(query.order_by(order, entries.c.name, entries.c.id).offset(offset).limit(limit))
    return [dict(row) for row in rows.mappings()], total


def show_offering(session: Session, offering_id: str) -> Document:
    """An offering, what it bundles, its specification with its parts, its items, its versions. Raises NotFound."""
    offering = session.get(ProductOffering, as_id("product offering", offering_id))
    if offering is None:
        raise NotFound("product offering", offering_id)
    mine = RemoteRecordProducer.product_offering_id == offering.id
    return {
        "offering": offering,
        "members": _members(session, offering),
        "tree": read_tree(session, offering.specification_id),
        "producers": _producers(session, mine),
        "versions": _versions(session, ProductOffering, offering.external_id),
    }


def _members(session: Session, offering: ProductOffering) -> list[Document]:
    """How each offering in a bundle is bundled: `{"offering": row, "member": ..., "group": its group or None}`."""
    if not offering.members:
        return []
    wanted = [member["offering_id"] for member in offering.members]
    rows = {row.id: row for row in session.scalars(select(ProductOffering).where(ProductOffering.id.in_(wanted)))}
    groups = {group["key"]: group for group in offering.groups}
    return [
        {"offering": rows[member["offering_id"]], "member": member, "group": groups.get(member["group"])}
        for member in offering.members
    ]


def show_specification(session: Session, specification_id: str) -> Document:
    """A specification with its parts, the offerings that sell it, its own catalog items. Raises NotFound."""
    specification = session.get(Specification, as_id("specification", specification_id))
    if specification is None:
        raise NotFound("specification", specification_id)
    mine = and_(RemoteRecordProducer.specification_id == specification.id, RemoteRecordProducer.kind == SERVICE)
    sold = select(ProductOffering).where(ProductOffering.specification_id == specification.id)
    return {
        "specification": specification,
        "tree": read_tree(session, specification.id),
        "offerings": session.scalars(sold.order_by(ProductOffering.external_id, ProductOffering.version)).all(),
        "producers": _producers(session, mine),
        "versions": _versions(session, Specification, specification.external_id),
    }


def read_tree(session: Session, specification_id: str) -> Document:
    """A specification with what it bundles, `parts` within `parts`; one query for each level of them.

    Each part is `{"specification": row, "part": how it is bundled, "parts": [...]}`.
    """
    rows: dict[str, Specification] = {}
    wanted = {specification_id}
    for _ in range(_DEPTH_LIMIT):
        found = session.scalars(select(Specification).where(Specification.id.in_(wanted))).all()
        rows |= {row.id: row for row in found}
        wanted = {child["specification_id"] for row in found for child in row.children} - rows.keys()
        if not wanted:
            break
    return _tree(rows, specification_id, None, ())


def _tree(
    rows: Mapping[str, Specification], specification_id: str, part: Mapping[str, Any] | None, above: tuple[str, ...]
) -> Document:
    row = rows[specification_id]
    children = [child for child in row.children if child["specification_id"] not in (*above, specification_id)]
    parts = [_tree(rows, child["specification_id"], child, (*above, specification_id)) for child in children]
    return {"specification": row, "part": part, "parts": parts}


def _entries() -> CompoundSelect[Any]:
    offerings: Select[Any] = select(
        literal(OFFERING, String()).label("kind"),
        *(getattr(ProductOffering, name) for name in _ALIKE),
        ProductOffering.sellable.label("sellable"),
        ProductOffering.category.label("category"),
    )
    specifications: Select[Any] = select(
        Specification.kind,
        *(getattr(Specification, name) for name in _ALIKE),
        null().label("sellable"),
        literal("", String()).label("category"),
    )
    return union_all(offerings, specifications)


def _conditions(entries: Subquery, text: str, kind: str, state: str, sellable: str) -> list[Any]:
    searched = (entries.c.name, entries.c.external_id, entries.c.category)
    found = [or_(*(column.icontains(text, autoescape=True) for column in searched))] if text else []
    if kind:
        found.append(entries.c.kind == kind)
    if state:
        found.append(entries.c.lifecycle_state == state)
    if sellable:
        found.append(entries.c.sellable.is_(sellable == "yes"))
    return found


def _producers(session: Session, which: Any) -> Sequence[RemoteRecordProducer]:
    return session.scalars(
        select(RemoteRecordProducer).where(which).order_by(RemoteRecordProducer.revision.desc())
    ).all()


def _versions(session: Session, model: Any, external_id: str) -> Sequence[Any]:
    return session.scalars(select(model).where(model.external_id == external_id).order_by(model.version)).all()
