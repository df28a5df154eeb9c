"""A request is accepted once, whatever is repeated, delayed or sent at the same time."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.errors import IdempotencyKeyReused
from bridge.idempotency import Answer, answer_once
from bridge.models import Delivery, OutboxEvent
from provider.domain.errors import Conflict, DomainError, IllegalMove, InvalidFields, NotFound
from provider.models.catalog import Entitlement, RemoteRecordProducer
from provider.models.orders import CustomerOrder, OrderLine, ProviderTask
from provider.services.intake import (
    cancel_provider_task,
    remember_refusal,
    resubmit_provider_task,
    submit_provider_task,
)
from provider.services.orders import approve_order, reject_order
from tests.factories import (
    AGENT,
    NOW,
    as_part,
    at_once,
    count_selects,
    events_of,
    exchange_database,
    make_consumer,
    make_item,
    make_order,
    make_request,
    make_router_item,
    make_specification,
    read_order,
    states_sent,
)

NEXT = {"id": str(uuid4()), "number": "ACME-PT0000002"}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


@pytest.fixture
def shop(database: Database) -> tuple[str, RemoteRecordProducer]:
    """A connection, and an item that it may order."""
    with database.transaction() as session:
        connection = make_consumer(session)
        return connection.id, make_router_item(session, connection.id)


def submit(database: Database, connection_id: str, request: dict[str, Any]) -> dict[str, Any]:
    """As the API does it: a refusal of the content is remembered."""
    refusal: DomainError | None = None
    with database.transaction() as session:
        try:
            with session.begin_nested():
                return submit_provider_task(session, connection_id, request, now=NOW).acceptance or {}
        except DomainError as error:
            remember_refusal(session, connection_id, request["id"], request["revision"], error)
            refusal = error
    raise refusal


def count(database: Database, model: type[Any]) -> int:
    with database.reading() as session:
        return session.execute(select(func.count()).select_from(model)).scalar_one()


def test_a_request_becomes_a_task_an_order_and_a_line(
    database: Database, shop: tuple[str, RemoteRecordProducer]
) -> None:
    connection_id, item = shop
    request = make_request(item, quantity=2)
    answer = submit(database, connection_id, request)
    assert answer["task_id"] == request["id"]
    assert answer["number"] == "ACME-PT0000001"
    assert (answer["order_state"], answer["state"], answer["state_label"]) == ("new", "received", "Received")
    assert (answer["order_version"], answer["ponr"], answer["reason"]) == (1, False, None)
    assert answer["characteristics"] == {"bandwidth": "100"}
    locked = read_order(database, answer["order_number"])
    assert (locked.order.number, locked.order.category, locked.order.company) == ("ORD0000001", "product", "ACME Ltd")
    (line,) = locked.lines
    assert (line.name, line.action, line.quantity, line.state) == ("Router item", "add", 2, "new")
    assert line.location == request["location"]
    assert line.contacts == request["contacts"]
    assert line.requested_on == "2026-12-01"
    assert locked.order_tasks == []


def test_submitting_tells_three_states(database: Database) -> None:
    made = make_order(database)
    with database.reading() as session:
        events = events_of(session, made.connection_id)
    assert [data["order_state"] for _, _, data in events] == ["draft", "submitted", "new"]
    assert {stream for _, stream, _ in events} == {f"provider_task/{made.task_id}"}
    assert events[2][2] == {
        "task_id": made.task_id,
        "number": "ACME-PT0000001",
        "order_number": "ORD0000001",
        "order_state": "new",
        "order_state_label": "New",
        "order_version": 1,
        "ponr": False,
        "reason": None,
        "cancellation": None,
        "cancellation_message": None,
    }
    with database.reading() as session:
        assert {row.state for row in session.execute(select(Delivery)).scalars()} == {"pending"}


def test_a_service_item_makes_a_service_order(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        specification = make_specification(session, "VPN", kind="service", service_type="customer_facing")
        item = make_item(session, specification, connection.id)
    answer = submit(database, connection.id, make_request(item))
    locked = read_order(database, answer["order_number"])
    assert locked.order.category == "service"
    assert locked.lines[0].product_offering_id is None


def test_parts_become_lines_below_their_parent(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        fan = make_specification(session, "Fan")
        edge = make_specification(session, "Edge", children=[as_part(fan, "fan")])
        extra = make_specification(session, "Extra")
        children = [as_part(edge, "edge"), as_part(extra, "extra", mandatory=False)]
        item = make_item(session, make_specification(session, "Package", children=children), connection.id)
    parts = {"edge": {"selected": True, "quantity": 2, "parts": {"fan": {"quantity": 3}}}, "extra": {"selected": False}}
    answer = submit(database, connection.id, make_request(item, quantity=4, parts=parts))
    lines = read_order(database, answer["order_number"]).lines
    names = {line.id: line.name for line in lines}
    assert [(line.position, line.name, line.quantity, names.get(line.parent_line_id or "")) for line in lines] == [
        (1, "Package item", 4, None),
        (2, "Edge", 2, "Package item"),
        (3, "Fan", 3, "Edge"),
    ]
    assert [line.product_offering_id is None for line in lines] == [False, True, True]
    assert len({line.number for line in lines}) == 3


def test_an_order_makes_at_most_a_thousand_products(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        part = as_part(make_specification(session, "Card"), "card", max_quantity=None)
        item = make_item(session, make_specification(session, "Rack", children=[part]), connection.id)
    with pytest.raises(InvalidFields, match="1001000 products"):
        submit(database, connection.id, make_request(item, quantity=1000, parts={"card": {"quantity": 1000}}))
    assert count(database, ProviderTask) == 0


def test_the_same_content_again_is_the_same_answer(database: Database, shop: tuple[str, RemoteRecordProducer]) -> None:
    connection_id, item = shop
    request = make_request(item)
    first = submit(database, connection_id, request)
    with database.transaction() as session:
        approve_order(session, first["order_number"], actor=AGENT, now=NOW)
    assert submit(database, connection_id, request) == first
    assert count(database, CustomerOrder) == 1
    assert states_sent(database, connection_id) == ["draft", "submitted", "new", "acknowledged", "in_progress"]


def test_other_content_under_an_accepted_id_is_refused(
    database: Database, shop: tuple[str, RemoteRecordProducer]
) -> None:
    connection_id, item = shop
    request = make_request(item)
    submit(database, connection_id, request)
    with pytest.raises(Conflict) as refused:
        submit(database, connection_id, {**request, "quantity": 3})
    assert refused.value.code == "already_accepted"
    assert count(database, OrderLine) == 1


def test_a_taken_number_comes_with_a_free_one(database: Database, shop: tuple[str, RemoteRecordProducer]) -> None:
    connection_id, item = shop
    submit(database, connection_id, make_request(item, 9_999_999))
    submit(database, connection_id, make_request(item, 2))
    with pytest.raises(Conflict) as refused:
        submit(database, connection_id, make_request(item, 2))
    assert refused.value.code == "number_taken"
    assert refused.value.facts == {"next_number": "ACME-PT10000000"}
    again = make_request(item, 10_000_000)
    submit(database, connection_id, again)
    with pytest.raises(Conflict) as refused:
        submit(database, connection_id, make_request(item, 2))
    assert refused.value.facts == {"next_number": "ACME-PT10000001"}


@pytest.mark.parametrize("number", ["ACM-PT0000001", "ACME-PT000001", "ACME-PT0000000000001", "ACME-PT000000\uff11"])
def test_a_number_carries_the_prefix_of_its_connection(
    database: Database, shop: tuple[str, RemoteRecordProducer], number: str
) -> None:
    connection_id, item = shop
    with pytest.raises(InvalidFields) as refused:
        submit(database, connection_id, make_request(item) | {"number": number})
    assert [error.pointer for error in refused.value.errors] == ["/number"]


def test_wrong_answers_are_refused_with_their_places(
    database: Database, shop: tuple[str, RemoteRecordProducer]
) -> None:
    connection_id, item = shop
    with pytest.raises(InvalidFields) as refused:
        submit(database, connection_id, make_request(item, characteristics={"bandwidth": "51"}, quantity=0))
    assert sorted(error.pointer for error in refused.value.errors) == ["/characteristics/bandwidth", "/quantity"]


def test_only_entitled_items_can_be_ordered(database: Database, shop: tuple[str, RemoteRecordProducer]) -> None:
    _, item = shop
    with database.transaction() as session:
        stranger = make_consumer(session, "OTHER")
    with pytest.raises(NotFound):
        submit(database, stranger.id, make_request(item, prefix="OTHER"))


def test_a_late_copy_of_a_refused_revision_cannot_win(
    database: Database, shop: tuple[str, RemoteRecordProducer]
) -> None:
    connection_id, item = shop
    good = make_request(item)
    with pytest.raises(InvalidFields):
        submit(database, connection_id, {**good, "quantity": 0, "revision": 2})
    with database.transaction() as session:  # an older refusal that comes late does not take it back
        remember_refusal(session, connection_id, good["id"], 1, NotFound("catalog item", "x"))
    for revision in (2, 1):
        with pytest.raises(Conflict) as late:
            submit(database, connection_id, {**good, "revision": revision})
        assert late.value.code == "revision_superseded"
    assert submit(database, connection_id, {**good, "revision": 3})["revision"] == 3


def test_ids_belong_to_their_connection(database: Database, shop: tuple[str, RemoteRecordProducer]) -> None:
    """Two consumers may use the same UUID; neither learns of the other's."""
    connection_id, item = shop
    request = make_request(item)
    submit(database, connection_id, request)
    with database.transaction() as session:
        other = make_consumer(session, "OTHER")
        theirs = make_router_item(session, other.id)
    answer = submit(database, other.id, make_request(theirs, prefix="OTHER", id=request["id"]))
    assert answer["number"] == "OTHER-PT0000001"
    assert count(database, ProviderTask) == 2


@pytest.mark.parametrize("same_key", [True, False])
def test_twenty_submits_at_once_make_one_order(
    database: Database, shop: tuple[str, RemoteRecordProducer], same_key: bool
) -> None:
    connection_id, item = shop
    request = make_request(item)

    def produce(session: Session) -> Answer:
        task = submit_provider_task(session, connection_id, request, now=NOW)
        return Answer(201, json.dumps(task.acceptance, sort_keys=True))

    def call() -> Answer:
        key = "the key" if same_key else str(uuid4())
        return answer_once(database.transaction, connection_id, key, "fingerprint", produce, now=NOW)

    answers = at_once([call] * 20)
    assert [answer for answer in answers if not isinstance(answer, Answer)] == []
    assert len(set(answers)) == 1
    assert (count(database, CustomerOrder), count(database, ProviderTask)) == (1, 1)
    assert states_sent(database, connection_id) == ["draft", "submitted", "new"]


def test_a_call_that_has_its_answer_leaves_nothing_of_a_second_time_behind(
    database: Database, shop: tuple[str, RemoteRecordProducer]
) -> None:
    """Whatever it would do now: here it asks for something else under the key of before."""
    connection_id, item = shop

    def call(number: int, fingerprint: str) -> Answer:
        def produce(session: Session) -> Answer:
            task = submit_provider_task(session, connection_id, make_request(item, number), now=NOW)
            return Answer(201, task.acceptance["number"])

        return answer_once(database.transaction, connection_id, "the key", fingerprint, produce, now=NOW)

    first = call(1, "of the first")
    assert call(2, "of the first") == first
    with pytest.raises(IdempotencyKeyReused):
        call(3, "of another")
    assert (count(database, CustomerOrder), count(database, OutboxEvent)) == (1, 3)


def test_one_number_for_two_ids_at_once_is_given_to_one(
    database: Database, shop: tuple[str, RemoteRecordProducer]
) -> None:
    connection_id, item = shop
    requests = [make_request(item, 7) for _ in range(6)]
    answers = at_once([lambda request=request: submit(database, connection_id, request) for request in requests])  # type: ignore[misc]
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert [error.code for error in refused] == ["number_taken"] * 5
    assert count(database, CustomerOrder) == 1


def test_a_composite_of_fifty_lines_takes_no_more_queries_than_one_of_five(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        leaf = make_specification(session, "Leaf")
        items = [
            make_item(
                session,
                make_specification(session, "Box", children=[as_part(leaf, f"leaf{n}") for n in range(size - 1)]),
                connection.id,
            )
            for size in (5, 50)
        ]
    counts = []
    for number, item in enumerate(items, start=1):
        with count_selects(database) as submitting, database.transaction() as session:
            task = submit_provider_task(session, connection.id, make_request(item, number), now=NOW)
            order = session.get_one(CustomerOrder, task.order_id)
        with count_selects(database) as approving, database.transaction() as session:
            approve_order(session, order.number, actor=AGENT, now=NOW)
        counts.append((len(submitting), len(approving)))
    assert len(read_order(database, order.number).lines) == 50
    assert counts[0] == counts[1]
    assert sum(counts[1]) < 30


# --- correcting and cancelling


def test_a_rejected_request_is_corrected_under_its_number(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        reject_order(session, made.order_number, reason="The address is unknown.", actor=AGENT, now=NOW)
    before = read_order(database, made.order_number)
    correction = {k: v for k, v in made.request.items() if k not in ("id", "number", "catalog_item_id")}
    correction |= {"revision": 2, "characteristics": {"bandwidth": "50"}, "location": {"name": "Hamburg"}}
    for _ in range(2):
        with database.transaction() as session:
            answer = resubmit_provider_task(session, made.connection_id, made.task_id, correction, now=NOW)
        assert answer["number"] == made.request["number"]
        assert (answer["revision"], answer["order_version"], answer["order_state"]) == (2, 2, "new")
        assert answer["characteristics"] == {"bandwidth": "50"}
    after = read_order(database, made.order_number)
    (line,) = after.lines
    assert (line.characteristics, line.location, line.state) == ({"bandwidth": "50"}, {"name": "Hamburg"}, "new")
    assert line.id != before.lines[0].id
    assert states_sent(database, made.connection_id)[3:] == ["rejected", "draft", "submitted", "new"]


def test_a_corrected_composite_has_the_lines_of_its_new_parts(database: Database) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        part = as_part(make_specification(session, "Edge"), "edge", mandatory=False)
        item = make_item(session, make_specification(session, "Package", children=[part]), connection.id)
    request = make_request(item)
    number = submit(database, connection.id, request)["order_number"]
    assert len(read_order(database, number).lines) == 2
    with database.transaction() as session:
        reject_order(session, number, reason="No edges.", actor=AGENT, now=NOW)
        correction = {**request, "revision": 2, "parts": {"edge": {"selected": False}}}
        resubmit_provider_task(session, connection.id, request["id"], correction, now=NOW)
    assert [line.name for line in read_order(database, number).lines] == ["Package item"]


@pytest.mark.parametrize("meanwhile", ["retired", "archived", "not_entitled"])
def test_a_rejected_request_is_corrected_though_its_item_was_taken_away(database: Database, meanwhile: str) -> None:
    made = make_order(database)
    with database.transaction() as session:
        reject_order(session, made.order_number, reason="Which floor?", actor=AGENT, now=NOW)
        if meanwhile == "not_entitled":
            session.execute(update(Entitlement).values(entitled=False))
        else:
            session.execute(update(RemoteRecordProducer).values(state=meanwhile))
    with pytest.raises(NotFound), database.transaction() as session:
        submit_provider_task(session, made.connection_id, made.request | NEXT, now=NOW)
    with database.transaction() as session:
        answer = resubmit_provider_task(
            session, made.connection_id, made.task_id, {**made.request, "revision": 2, "quantity": 3}, now=NOW
        )
    assert (answer["order_state"], answer["order_version"]) == ("new", 2)
    assert read_order(database, made.order_number).lines[0].quantity == 3


def test_of_a_deleted_item_a_correction_is_refused_for_good(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        reject_order(session, made.order_number, reason="Which floor?", actor=AGENT, now=NOW)
        session.execute(delete(Entitlement))
        session.execute(delete(RemoteRecordProducer))
    with pytest.raises(InvalidFields) as refused, database.transaction() as session:
        resubmit_provider_task(session, made.connection_id, made.task_id, {**made.request, "revision": 2}, now=NOW)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/catalog_item_revision", "not_offered")
    ]
    with database.transaction() as session:
        cancel_provider_task(session, made.connection_id, made.task_id, reason="Never mind.", now=NOW)
    assert read_order(database, made.order_number).order.state == "cancelled"


def test_only_a_rejected_request_can_be_corrected(database: Database) -> None:
    made = make_order(database)
    correction = {**made.request, "revision": 2, "quantity": 3}
    with pytest.raises(IllegalMove), database.transaction() as session:
        resubmit_provider_task(session, made.connection_id, made.task_id, correction, now=NOW)
    locked = read_order(database, made.order_number)
    assert (locked.order.state, locked.order.version, locked.lines[0].quantity) == ("new", 1, 1)


def test_a_correction_needs_a_higher_revision_and_right_answers(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        reject_order(session, made.order_number, reason="No.", actor=AGENT, now=NOW)
    with pytest.raises(Conflict, match="revision 1"), database.transaction() as session:
        resubmit_provider_task(session, made.connection_id, made.task_id, {**made.request, "quantity": 3}, now=NOW)
    wrong = {**made.request, "revision": 2, "characteristics": {}}
    with pytest.raises(InvalidFields), database.transaction() as session:
        resubmit_provider_task(session, made.connection_id, made.task_id, wrong, now=NOW)
    assert read_order(database, made.order_number).order.state == "rejected"


def test_what_another_consumer_asked_does_not_exist(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        stranger = make_consumer(session, "OTHER").id
    with pytest.raises(NotFound), database.transaction() as session:
        cancel_provider_task(session, stranger, made.task_id, reason="Mine now.", now=NOW)
    with pytest.raises(NotFound), database.transaction() as session:
        resubmit_provider_task(session, stranger, made.task_id, {**made.request, "revision": 2}, now=NOW)
    assert read_order(database, made.order_number).order.state == "new"
