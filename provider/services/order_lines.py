"""The lines of an order: one for what was asked, one below it for each selected part, and so on downwards."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from provider.domain.errors import FieldError, InvalidFields
from provider.domain.orders import LineAction
from provider.domain.pricing import price_line
from provider.models.catalog import ProductOffering, RemoteRecordProducer, Specification
from provider.models.orders import OrderLine
from provider.services.inventory import count_pieces
from provider.services.numbers import next_numbers
from provider.services.order_locks import LockedOrder

PRODUCT_LIMIT = 1000
"""How many products one order may make."""

_DEPTH_LIMIT = 16


@dataclass(frozen=True)
class _Catalog:
    """The specifications of one composite, by id."""

    specifications: Mapping[str, Specification]

    def child(self, parent: Specification, key: str) -> Specification:
        child_id = next(child["specification_id"] for child in parent.children if child["key"] == key)
        return self.specifications[child_id]


def write_lines(
    session: Session, locked: LockedOrder, producer: RemoteRecordProducer, answers: Mapping[str, Any]
) -> None:
    """Replace the lines of an order that was not approved yet; the new ones take the order's state.

    Raises InvalidFields when the quantities make more than PRODUCT_LIMIT products.
    """
    root_id = str(producer.specification_id)  # whatever can be ordered has one
    catalog = _read_catalog(session, root_id)
    root = catalog.specifications[root_id]
    common = {name: answers.get(name) for name in ("location", "requested_on")}
    common["contacts"] = answers.get("contacts") or []
    lines = list(_lines(locked, catalog, root, answers, None, common))
    lines[0].product_offering_id = producer.product_offering_id
    lines[0].name = producer.name
    lines[0].prices = _prices(session, producer, lines[0].quantity)
    if (pieces := sum(count_pieces(lines).values())) > PRODUCT_LIMIT:
        message = f"this would make {pieces} products; one order makes at most {PRODUCT_LIMIT}"
        raise InvalidFields([FieldError("/quantity", "range", message)])
    if locked.lines:
        session.execute(delete(OrderLine).where(OrderLine.order_id == locked.order.id))
    for position, (line, number) in enumerate(zip(lines, next_numbers(session, "order_line", len(lines)), strict=True)):
        line.position, line.number = position + 1, number
    session.add_all(lines)
    session.flush()
    locked.lines = lines


def _lines(
    locked: LockedOrder, catalog: _Catalog, specification: Specification, answers: Mapping[str, Any],
    parent: OrderLine | None, common: Mapping[str, Any],
) -> Iterator[OrderLine]:  # fmt: skip
    """A line and those below it, parents first."""
    line = OrderLine(
        id=str(uuid4()),
        order_id=locked.order.id,
        parent_line_id=parent.id if parent else None,
        name=specification.name,
        specification_id=specification.id,
        action=LineAction.ADD,
        quantity=answers["quantity"],
        state=locked.order.state,
        saved_states=[],
        ponr=False,
        characteristics=answers["characteristics"],
        **common,
    )
    yield line
    for key, part in answers["parts"].items():
        if part["selected"]:
            yield from _lines(locked, catalog, catalog.child(specification, key), part, line, common)


def _prices(session: Session, producer: RemoteRecordProducer, quantity: int) -> list[dict[str, Any]]:
    """What is ordered costs what its offering costs now; its parts have no prices of their own."""
    if producer.product_offering_id is None:
        return []
    return price_line(session.get_one(ProductOffering, producer.product_offering_id).prices, quantity)


def _read_catalog(session: Session, specification_id: str) -> _Catalog:
    """A specification and all it consists of, in one query per level."""
    found: dict[str, Specification] = {}
    wanted = {specification_id}
    for _ in range(_DEPTH_LIMIT):
        if not wanted:
            break
        rows = session.execute(select(Specification).where(Specification.id.in_(wanted))).scalars()
        level = {row.id: row for row in rows}
        found |= level
        wanted = {child["specification_id"] for row in level.values() for child in row.children} - found.keys()
    return _Catalog(found)
