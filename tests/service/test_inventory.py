"""Products come with the approval, are in use when their line is done, and go with a cancelled order."""

from collections.abc import Iterator

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from bridge.database import Database
from bridge.vocabulary import EventType
from provider.domain.errors import NotFound
from provider.domain.orders import OrderState
from provider.models.inventory import Product
from provider.services.intake import cancel_provider_task, submit_provider_task
from provider.services.inventory import list_products, show_product
from provider.services.order_tasks import complete_task
from provider.services.orders import approve_order, move_order
from tests.factories import (
    AGENT,
    NOW,
    Ordered,
    as_part,
    events_of,
    exchange_database,
    make_consumer,
    make_item,
    make_order,
    make_request,
    make_specification,
    products_of,
    read_order,
)

S = OrderState


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def make_package(database: Database, quantity: int, edges: int) -> Ordered:
    """An approved order: Package x quantity, each with `edges` edges, each with three fans."""
    with database.transaction() as session:
        connection = make_consumer(session)
        fan = as_part(make_specification(session, "Fan"), "fan")
        edge = as_part(make_specification(session, "Edge", children=[fan]), "edge")
        item = make_item(session, make_specification(session, "Package", children=[edge]), connection.id)
        parts = {"edge": {"quantity": edges, "parts": {"fan": {"quantity": 3}}}}
        request = make_request(item, quantity=quantity, parts=parts)
        submit_provider_task(session, connection.id, request, now=NOW)
        order = approve_order(session, "ORD0000001", actor=AGENT, now=NOW)
    return Ordered(connection.id, request, request["id"], order.number)


def product_events(database: Database, made: Ordered) -> list[tuple[str, dict[str, object]]]:
    with database.reading() as session:
        events = events_of(session, made.connection_id)
    return [(stream, data) for type_, stream, data in events if type_ == EventType.PRODUCT_CHANGED]


def move(database: Database, made: Ordered, *states: OrderState) -> None:
    for state in states:
        with database.transaction() as session:
            move_order(session, made.order_number, state, reason=None, actor=AGENT, now=NOW)


def test_approving_makes_one_product_for_each_piece(database: Database) -> None:
    made = make_package(database, quantity=2, edges=2)
    products = products_of(database, made.order_number)
    pieces: dict[str, list[int]] = {}
    for product in products:
        pieces.setdefault(product.name, []).append(product.unit)
    assert pieces == {"Package item": [1, 2], "Edge": [1, 2, 3, 4], "Fan": list(range(1, 13))}
    assert {product.state for product in products} == {"installation_pending"}
    assert len({product.number for product in products}) == 18
    wholes = {product.id: product for product in products}
    belong = {(p.name, p.unit): wholes[p.parent_id].unit for p in products if p.parent_id}
    assert [belong["Edge", unit] for unit in range(1, 5)] == [1, 1, 2, 2]
    assert [belong["Fan", unit] for unit in range(1, 13)] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert {(product.name, tuple(product.part or ())) for product in products} == {
        ("Package item", ()), ("Edge", ("edge",)), ("Fan", ("edge", "fan")),
    }  # fmt: skip


def test_each_product_is_told_on_its_own_stream(database: Database) -> None:
    made = make_order(database, approved=True)
    (product,) = products_of(database, made.order_number)
    assert product_events(database, made) == [
        (
            f"product/{product.id}",
            {
                "product_id": product.id,
                "number": "PRD0000001",
                "name": "Router item",
                "state": "installation_pending",
                "state_label": "Installation pending",
                "task_id": made.task_id,
                "order_number": "ORD0000001",
                "line_number": "ORDL0000001",
                "characteristics": {"bandwidth": "100"},
                "location": {"name": "Berlin office", "city": "Berlin", "country": "DE"},
                "catalog_item_id": made.request["catalog_item_id"],
                "parent_id": None,
                "part": [],
                "resumes_at": None,
                "changed_by": {
                    "action": "add",
                    "task_id": made.task_id,
                    "order_number": "ORD0000001",
                    "changed": None,
                },
            },
        )
    ]


def test_a_finished_line_puts_its_products_to_use(database: Database) -> None:
    made = make_package(database, quantity=1, edges=1)
    told = len(product_events(database, made))
    with database.transaction() as session:
        for number in ("TASK0000003", "TASK0000002"):  # the fans, and then the edge that holds them
            complete_task(session, number, actor=AGENT, now=NOW)
    states = {product.name: product.state for product in products_of(database, made.order_number)}
    assert states == {"Package item": "installation_pending", "Edge": "active", "Fan": "active"}
    news = product_events(database, made)[told:]
    told_now = [(data["name"], data["state"], data["state_label"]) for _, data in news]
    assert told_now == [("Fan", "active", "Active")] * 3 + [("Edge", "active", "Active")]


def test_cancelling_takes_out_of_use_what_was_in_use(database: Database) -> None:
    made = make_package(database, quantity=1, edges=1)
    with database.transaction() as session:
        for number in ("TASK0000003", "TASK0000002"):  # the fans, and then the edge that holds them
            complete_task(session, number, actor=AGENT, now=NOW)
        cancel_provider_task(session, made.connection_id, made.task_id, reason="No longer.", now=NOW)
    move(database, made, S.CANCELLATION_IN_PROGRESS)
    states = {product.name: product.state for product in products_of(database, made.order_number)}
    assert states["Edge"] == "inactivation_pending"
    undoing = [task for task in read_order(database, made.order_number).order_tasks if task.compensates_id]
    with database.transaction() as session:
        for task in undoing:
            complete_task(session, task.number, actor=AGENT, now=NOW)
    assert {product.state for product in products_of(database, made.order_number)} == {"inactive"}
    streams = [data["state"] for stream, data in product_events(database, made) if data["name"] == "Edge"]
    assert streams == ["installation_pending", "active", "inactivation_pending", "inactive"]


def test_an_order_cancelled_before_approval_never_had_products(database: Database) -> None:
    made = make_order(database)
    move(database, made, S.CANCELLED)
    assert product_events(database, made) == []


def test_the_same_piece_cannot_be_made_twice(database: Database) -> None:
    made = make_order(database, approved=True)
    (product,) = products_of(database, made.order_number)
    values = {column.key: getattr(product, column.key) for column in Product.__table__.columns}
    values |= {"id": "00000000-0000-4000-8000-000000000009", "number": "PRD9"}
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.execute(insert(Product).values(values))


def test_products_are_listed_and_shown_to_their_owner(database: Database) -> None:
    made, another = make_order(database, approved=True, quantity=3), make_order(database, approved=True, prefix="B")
    with database.reading() as session:
        page = list_products(session, made.connection_id, limit=2)
        rest = list_products(session, made.connection_id, limit=2, after=page.next_key)
        everything = list_products(session, None, limit=10)
        assert [row["number"] for row in page.items + rest.items] == ["PRD0000001", "PRD0000002", "PRD0000003"]
        assert len(everything.items) == 4
        product_id = page.items[0]["product_id"]
        assert show_product(session, made.connection_id, product_id) == page.items[0]
        with pytest.raises(NotFound):
            show_product(session, another.connection_id, product_id)
