"""The tables at the end: what each consumer has and where, and what it was told of each order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sxg.demo import answers
from sxg.demo.cast import Consumer
from sxg.demo.opening import find_item
from sxg.demo.order import Order, is_same_state
from sxg.demo.outage import Outage
from sxg.demo.show import Show

PONR = "point of no return reached"
REFUSED = "cancellation refused"
_COLUMNS = ("request", "#", "order state", "the consumer shows", "ms", "")
_MS = 4


def show_inventory(show: Show, consumer: Consumer) -> None:
    """As the consumer's own Manage Inventory item lists it."""
    item = find_item(consumer, answers.INVENTORY)
    products = consumer.client.pages(f"/catalog-items/{item['id']}/products")
    counts = Counter((one["location"]["name"], one["name"], one["state_label"]) for one in products)
    groups: dict[str, list[Sequence[str]]] = {}
    for (location, name, state), count in sorted(counts.items()):
        first = location if location not in groups else ""
        groups.setdefault(location, []).append((first, name, str(count), state))
    columns = ("location", "product", "how many", "state")
    show.table(f"Inventory of {consumer.company}, by location", columns, list(groups.values()), 2)


def show_states(show: Show, consumer: Consumer, orders: Sequence[Order], outage: Outage) -> None:
    """Each state of each order as the consumer was told it, and how long that took."""
    away = outage if outage.consumer is consumer else None
    groups = [_rows(order, away) for order in orders]
    show.table(f"What {consumer.company} was told of its orders, and how long that took", _COLUMNS, groups, _MS)


def _rows(order: Order, outage: Outage | None) -> list[Sequence[str]]:
    timeline = order.request()["timeline"]
    names = [order.request_number, order.what, *[""] * len(timeline)]
    return [
        (name, *_cells(row, former), _note(row, former, outage))
        for name, row, former in zip(names, timeline, [None, *timeline], strict=False)
    ]


def _cells(row: Mapping[str, Any], former: Mapping[str, Any] | None) -> Sequence[str]:
    took = datetime.fromisoformat(row["received_at"]) - datetime.fromisoformat(row["at"])
    told = REFUSED if row["cancellation"] == "refused" else PONR
    state = told if is_same_state(row, former) else row["order_state_label"]
    return str(row["sequence"]), state, row["state_label"], f"{took.total_seconds() * 1000:.0f}"


def _note(row: Mapping[str, Any], former: Mapping[str, Any] | None, outage: Outage | None) -> str:
    """Why it came to this, or why it took so long."""
    if outage is not None and outage.includes(row["at"]):
        return f"{outage.consumer.company} was offline"
    told_before = former is not None and former["reason"] == row["reason"]
    return "" if told_before else row["reason"] or ""
