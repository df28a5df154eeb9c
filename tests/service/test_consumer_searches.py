"""What the consumer's pages ask, on both databases: every order and filter, and what ten thousand records cost."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from bridge.models import table_of
from consumer_sim.models import ITEM_STATES, Product, ProviderTask
from consumer_sim.services import item_search, link_trouble, product_search
from consumer_sim.services.drafts import PROGRAM
from consumer_sim.services.receipts import read_receipts
from consumer_sim.services.request_search import STAGES, count_stages
from consumer_sim.services.users import Permission
from consumer_sim.services.waiting import count_waiting, read_first_steps
from tests.consumer_factories import (
    NOW,
    Consumer,
    comment_added,
    connected_consumer,
    item_changed,
    make_connection,
    make_item,
    product_changed,
    state_changed,
)

PAGE: dict[str, Any] = {"offset": 0, "limit": 25}
ENOUGH_S = 0.3
MANY = 10_000


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(database_url, tmp_path) as one:
        yield one


def both_ways(one: Consumer, sorts: tuple[str, ...], search: Callable[..., tuple[list[Any], int]]) -> None:
    """Every order gives the same rows; descending, the first one is at the end of those that differ."""
    with one.context.database.reading() as session:
        for sort in sorts:
            up, down = (search(session, sort=sort, descending=way, **PAGE) for way in (False, True))
            assert up[1] == down[1] == len(up[0]) == len(down[0]), sort
            assert {str(row) for row in up[0]} == {str(row) for row in down[0]}, sort


def test_products_come_in_every_order(acme: Consumer) -> None:
    for number, place in enumerate(("Berlin", "aachen", None)):
        location = {"name": place} if place else None
        acme.verdicts([product_changed(str(uuid4()), 1, number=f"PRD{number}", location=location)])
    nothing: dict[str, Any] = {"text": "", "state": None, "location": None}
    both_ways(
        acme, product_search.SORTS, lambda session, **place: product_search.search_products(session, **nothing, **place)
    )
    with acme.context.database.reading() as session:
        choices = product_search.get_choices(session)
    assert dict(choices.locations)[product_search.NOWHERE] == "Without a location (1)"
    assert choices.locations[-1][0] == product_search.NOWHERE


def test_items_come_in_every_order_and_are_counted_by_what_is_to_be_done(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        for state in ITEM_STATES:
            make_item(session, acme.connection_id, name=state, state=state)
        make_item(session, acme.connection_id, revision=2, activation="refused")
    nothing: dict[str, Any] = {"text": "", "kind": None, "connection_id": None}
    both_ways(acme, item_search.SORTS, lambda session, **place: item_search.search_items(session, **nothing, **place))
    with acme.context.database.reading() as session:
        assert item_search.count_items(session) == {
            "pending_activation": 1, "revised": 1, "refused": 1, "active": 2, "inactive": 1, "removed": 1,
        }  # fmt: skip


def test_connections_come_in_every_order(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        make_connection(session, acme.context, prefix="BETA", state="pending")
    nothing: dict[str, Any] = {"text": "", "state": None, "health": None, "now": NOW}
    both_ways(acme, link_trouble.SORTS, lambda session, **place: link_trouble.search_links(session, **nothing, **place))


def test_what_came_is_told_newest_first(acme: Consumer) -> None:
    task, item = str(uuid4()), str(uuid4())
    acme.verdicts([state_changed(task, 1), comment_added(task, 2), item_changed(item, 1), item_changed(item, 2)])
    acme.verdicts([product_changed(str(uuid4()), 1)])
    with acme.context.database.reading() as session:
        found = read_receipts(session)
    assert sorted(one.kind for one in found) == ["item", "product", "task", "task"]


def test_stages_and_first_steps_are_counted(acme: Consumer) -> None:
    with acme.context.database.reading() as session:
        assert count_stages(session) == dict.fromkeys(STAGES, 0)
        assert read_first_steps(session) == {"connect": True, "activate": False, "order": False}
    acme.verdicts([state_changed(str(uuid4()), 1), state_changed(str(uuid4()), 1, "rejected", state="awaiting_info")])
    with acme.context.database.reading() as session:
        assert count_stages(session) == dict.fromkeys(STAGES, 0) | {"received": 1, "rejected": 1}
        waiting = count_waiting(session, writer=PROGRAM, permissions=frozenset(Permission), now=NOW)
    assert {"drafts", "trouble", "pending_activation", *STAGES} <= set(waiting)


def test_ten_thousand_records_and_a_hundred_connections_cost_no_patience(acme: Consumer) -> None:
    """The best of three: others use the machine, too."""
    with acme.context.database.transaction() as session:
        links = [make_connection(session, acme.context, prefix=f"P{number}")[0] for number in range(100)]
        whole = {"connection_id": acme.connection_id, "updated_at": NOW}
        product = {"name": "Edge", "state": "active", "state_label": "Active", "order_number": "ORD1"} | whole
        product |= {"line_number": "OL1", "characteristics": {"note": "x" * 500}, "location": None}
        told = {"opened_at": NOW, "revision": 1, "placeholder": False, "submission": "accepted", "state": "closed"}
        for number in range(MANY // 1000):
            ids = [str(uuid4()) for _ in range(1000)]
            tasks = [whole | told | {"id": id, "number": f"T{number}-{n}"} for n, id in enumerate(ids)]
            session.execute(insert(table_of(ProviderTask)), tasks)
            products = [
                product | {"id": id, "number": f"P{number}-{n}", "task_id": id, "location_name": f"Place {n}"}
                for n, id in enumerate(ids)
            ]
            session.execute(insert(table_of(Product)), products)
        for connection_id in links:
            make_item(session, connection_id)
    anything: dict[str, Any] = {"text": "", "state": None, "location": None, "descending": False, "limit": 25}
    asked: list[Callable[[Session], object]] = [
        lambda session: product_search.search_products(session, sort="location", offset=0, **anything),
        lambda session: product_search.search_products(session, sort="updated", offset=MANY - 25, **anything),
        lambda session: product_search.search_products(session, sort="name", offset=0, **anything | {"text": "lace 9"}),
        product_search.get_choices,
        read_receipts,
        lambda session: count_waiting(session, writer=PROGRAM, permissions=frozenset(Permission), now=NOW),
        lambda session: link_trouble.search_links(
            session, text="", state=None, health=None, sort="name", descending=False, now=NOW, **PAGE
        ),
    ]
    for place, ask in enumerate(asked):
        assert min(_took_s(acme, ask) for _ in range(3)) < ENOUGH_S, place


def _took_s(one: Consumer, ask: Callable[[Session], object]) -> float:
    with one.context.database.reading() as session:
        started = time.monotonic()
        ask(session)
        return time.monotonic() - started
