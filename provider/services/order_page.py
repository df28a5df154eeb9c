"""Everything that the page of one order shows: the order, its work, and what the consumer was told of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.models import Delivery, OutboxEvent, Stream
from bridge.vocabulary import EventType
from provider.domain.orders import OrderState
from provider.models.catalog import Specification
from provider.services.cancellations import show_cancellation
from provider.services.fulfilment import SETTLED
from provider.services.order_view import show_order
from provider.services.scratchpads import read_entries
from provider.services.task_search import show_order_task, tasks_of_order

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to one characteristic: its name, the value in words, and the raw value where that differs.

    Words are labels of options; of what has none, like a number or a text, the value itself.
    """

    label: str
    value: Any
    raw: str | None


def read_order_page(session: Session, number: str) -> Document:
    """An order as `show_order` tells it, and more for people. Raises NotFound.

    `lines` is flat, each with its `depth` and its `characteristics` as Answers. `told` is what the consumer has
    confirmed last about the state, empty before that. `order_tasks` are those of `task_search`, by their line.
    `assessed` is what `show_cancellation` tells, while one is decided or carried out.
    """
    order = show_order(session, number)
    lines = list(_flat(order["lines"], 0))
    asked = _asked(session, {line["specification_id"] for line in lines})
    tasks = tasks_of_order(session, number)
    for line in lines:
        line["characteristics"] = tell_answers(asked.get(line["specification_id"], ()), line["characteristics"])
        line["order_tasks"] = [task for task in tasks if task["line_id"] == line["id"]]
    is_cancelling = order["state"] in (OrderState.ASSESSING_CANCELLATION, OrderState.CANCELLATION_IN_PROGRESS)
    assessed = show_cancellation(session, number) if is_cancelling else None
    return (
        order
        | {"lines": lines, "order_tasks": tasks, "told": _told(session, order), "assessed": assessed}
        | {"scratchpad": read_entries(session, order["provider_task"]["number"])}
    )


def read_task_page(session: Session, number: str) -> Document:
    """A task of `task_search` with its `line`, as `read_order_page` tells it, and the `note` of the request. Where and
    when, and whom to speak to, stand on the line at the top of the tree. Raises NotFound.
    """
    task = show_order_task(session, number)
    order = show_order(session, task["order_number"])
    lines = list(_flat(order["lines"], 0))
    at = next(index for index, line in enumerate(lines) if line["number"] == task["line_number"])
    line, top = lines[at], next(line for line in lines[at::-1] if not line["depth"])
    asked = _asked(session, {line["specification_id"]}).get(line["specification_id"], ())
    told = {name: top[name] for name in ("location", "contacts", "requested_on")}
    parts = [
        part["name"] for part in line["lines"] if part["state"] not in (OrderState.COMPLETED, OrderState.CANCELLED)
    ]
    characteristics = tell_answers(asked, line["characteristics"])
    own = [one for one in order["order_tasks"] if one["line_number"] == line["number"]]
    return task | {
        "line": line | told | {"characteristics": characteristics},
        "open_parts": parts,
        "is_line_open": any(one["state"] not in SETTLED for one in own),
        "note": order["provider_task"].get("note"),
    }


def _flat(lines: list[Document], depth: int) -> Iterator[Document]:
    for line in lines:
        yield line | {"depth": depth}
        yield from _flat(line["lines"], depth + 1)


def tell_answers(characteristics: Sequence[Mapping[str, Any]], answers: Mapping[str, Any]) -> list[Answer]:
    """Answers by their keys, in the words of a specification; an answer that it no longer asks for as it is."""
    asked = {one["key"]: one for one in characteristics}
    return [_answer(asked.get(key, {"name": key}), value) for key, value in answers.items()]


def _answer(characteristic: Mapping[str, Any], value: Any) -> Answer:
    labels = {one["value"]: one["label"] for one in characteristic.get("options") or ()}
    many = value if isinstance(value, list) else [value]
    words = [labels.get(str(one), one) for one in many]
    raw = ", ".join(str(one) for one in many) if words != many else None
    return Answer(characteristic["name"], words if isinstance(value, list) else words[0], raw)


def _asked(session: Session, specification_ids: set[str]) -> dict[str, list[dict[str, Any]]]:
    """The characteristics of each specification."""
    rows = session.execute(
        select(Specification.id, Specification.characteristics).where(Specification.id.in_(specification_ids))
    )
    return {row.id: row.characteristics for row in rows}


def _told(session: Session, order: Document) -> Document | None:
    """The newest state of the request that the consumer has confirmed, in the words it got, and when."""
    name = f"provider_task/{order['provider_task']['task_id']}"
    stream = select(Stream.id).where(Stream.connection_id == order["connection_id"], Stream.stream == name)
    confirmed = (
        select(Delivery.text, Delivery.settled_at)
        .join(OutboxEvent, OutboxEvent.id == Delivery.event_id)
        .where(Delivery.stream_id == stream.scalar_subquery(), Delivery.state == "delivered")
        .where(Delivery.original_id.is_(None), OutboxEvent.type == EventType.PROVIDER_TASK_STATE_CHANGED)
        .order_by(Delivery.sequence.desc())
    )
    newest = session.execute(confirmed.limit(1)).first()
    if newest is None:
        return None
    data: Document = json.loads(newest.text)["data"]
    return data | {"settled_at": newest.settled_at}
