"""The lines of an order: one for what was asked, one below it for each selected part, and so on downwards."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bridge.ids import new_id
from bridge.models import table_of
from provider.domain.errors import FieldError, InvalidFields
from provider.domain.orders import LineAction
from provider.domain.pricing import price_line
from provider.models.orders import CustomerOrder, OrderLine
from provider.services.orderable import OrderableItem, Part, Prices

PRODUCT_LIMIT = 1000
"""How many products one order may make."""

_ADD_LINES = insert(table_of(OrderLine))

Row = dict[str, Any]


def plan_lines(item: OrderableItem, prices: Prices, answers: Mapping[str, Any]) -> list[Row]:
    """The lines that an order of this needs, parents first, without what they have of their order and their number;
    none for what needs no order.

    An offering costs what it costs now, also as a member of a bundle; parts have no prices of their own. Raises
    InvalidFields when the quantities make more than PRODUCT_LIMIT products.
    """
    if item.whole is None:
        return []
    common = {name: answers.get(name) for name in ("location", "requested_on")}
    common["contacts"] = answers.get("contacts") or []
    lines = list(_lines(item.whole, answers, None, None, common))
    lines[0]["name"] = item.name
    pieces: dict[str, int] = {}
    for line in lines:
        pieces[line["id"]] = line["quantity"] * pieces.get(line["parent_line_id"], 1)
        if line["product_offering_id"]:
            line["prices"] = price_line(prices[line["product_offering_id"]], pieces[line["id"]])
    if (total := sum(pieces.values())) > PRODUCT_LIMIT:
        message = f"this would make {total} products; one order makes at most {PRODUCT_LIMIT}"
        raise InvalidFields([FieldError("/quantity", "range", message)])
    return lines


def write_lines(session: Session, order: CustomerOrder, lines: Sequence[Row], numbers: Sequence[str]) -> None:
    """Give the planned lines and their numbers to an order; they take its state."""
    places = enumerate(zip(lines, numbers, strict=True), 1)
    of_order = {"order_id": order.id, "state": order.state}
    rows = [line | of_order | {"position": position, "number": number} for position, (line, number) in places]
    session.connection().execute(_ADD_LINES, rows if len(rows) > 1 else rows[0])  # the machinery for many costs more


def _lines(
    part: Part, answers: Mapping[str, Any], parent_id: str | None, part_key: str | None, common: Row
) -> Iterator[Row]:
    """A line and those below it."""
    line_id = new_id()
    yield {
        "id": line_id,
        "parent_line_id": parent_id,
        "product_offering_id": part.product_offering_id,
        "name": part.name,
        "specification_id": part.specification_id,
        "part_key": part_key,
        "action": LineAction.ADD,
        "quantity": answers["quantity"],
        "saved_states": [],
        "ponr": False,
        "characteristics": answers["characteristics"],
        "prices": None,
        **common,
    }
    for key, answer in answers["parts"].items():
        if answer["selected"]:
            yield from _lines(part.children[key], answer, line_id, key, common)
