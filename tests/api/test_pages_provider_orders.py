"""What order managers and agents do on the pages of orders."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from sqlalchemy import select

from bridge.database import Database
from bridge.models import Delivery, Stream
from provider.domain.orders import OrderState
from provider.models.orders import CustomerOrder, OrderTask, ProviderTask, WorkNote
from provider.services.cancellations import cancel_order
from provider.services.comments import add_comment
from provider.services.intake import cancel_provider_task, submit_provider_task
from provider.services.order_search import SORTABLE
from provider.services.order_tasks import complete_task, start_task
from provider.services.orders import approve_order, move_order, reject_order
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import (
    AGENT,
    NOW,
    TWO_TASKS,
    as_part,
    make_consumer,
    make_item,
    make_order,
    make_request,
    make_router_item,
    make_specification,
    read_order,
)


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


@pytest.fixture
def manager(app: flask.Flask) -> Visitor:
    return signed_in(app, "max", "order_manager")


def make_orders(database: Database, count: int, prefix: str = "ACME") -> list[str]:
    """The numbers of so many orders of one consumer, one minute apart."""
    numbers = []
    with database.transaction() as session:
        connection = make_consumer(session, prefix)
        item = make_router_item(session, connection.id)
        for number in range(1, count + 1):
            at = NOW + timedelta(minutes=number)
            task = submit_provider_task(session, connection.id, make_request(item, number, prefix), now=at)
            numbers.append(session.get_one(CustomerOrder, task.order_id).number)
    return numbers


def moves_of(page: Any) -> dict[str, Any]:
    """The forms below "What can be done", by their address."""
    return {form.get("action"): form for form in page.xpath("//section[@id='moves']//form")}


def listed(page: Any) -> list[str]:
    return [text_of(link) for link in page.xpath("//tbody//td[@data-label='Order']/a")]


# --- the list


def test_orders_are_found_by_number_company_task_and_item(
    app: flask.Flask, database: Database, manager: Visitor
) -> None:
    acme, beta = make_orders(database, 2), make_orders(database, 1, "BETA")
    both = [*acme, *beta]
    for text, found in {
        acme[1]: [acme[1]], "beta ltd": beta, "BETA-PT0000001": beta, "router": both[::-1], "100%": [], "_": [],
    }.items():  # fmt: skip
        assert listed(manager.read(f"/orders?q={text.replace('%', '%25')}")) == found, text
    assert "No order fits this search" in text_of(manager.read("/orders?q=nothing"))


def test_orders_are_filtered_by_state_company_and_category(
    app: flask.Flask, database: Database, manager: Visitor
) -> None:
    (first, second), (third,) = make_orders(database, 2), make_orders(database, 1, "BETA")
    with database.transaction() as session:
        reject_order(session, second, reason="No.", actor=AGENT, now=NOW)
        connection = make_consumer(session, "GAMMA")
        item = make_item(session, make_specification(session, "Watch", kind="service"), connection.id)
        task = submit_provider_task(session, connection.id, make_request(item, 1, "GAMMA"), now=NOW)
        service = session.get_one(CustomerOrder, task.order_id).number
    for filters, found in {
        "state=new": [service, third, first], "state=rejected": [second], "company=BETA Ltd": [third],
        "category=service": [service], "state=new&company=ACME Ltd": [first], "state=none": [],
    }.items():  # fmt: skip
        assert listed(manager.read(f"/orders?{filters}")) == found, filters


def test_every_column_sorts_both_ways_and_pages_follow(database: Database, manager: Visitor) -> None:
    numbers = make_orders(database, 27)
    assert listed(manager.read("/orders?sort=since")) == numbers[:25]
    assert listed(manager.read("/orders?sort=since&page=2")) == numbers[25:]
    assert listed(manager.read("/orders?sort=-since")) == numbers[:1:-1]
    for name in SORTABLE:
        assert len(listed(manager.read(f"/orders?sort={name}"))) == 25
    assert listed(manager.read("/orders?sort=nonsense&page=-3")) == numbers[:1:-1]


def test_since_is_when_the_order_took_its_state_and_delivery_how_far_the_consumer_is(
    database: Database, manager: Visitor
) -> None:
    (number,) = make_orders(database, 1)
    with database.transaction() as session:
        approve_order(session, number, actor=AGENT, now=NOW - timedelta(hours=3))
    (row,) = manager.read("/orders").xpath("//tbody/tr")
    assert "3 hours ago" in text_of(row)
    assert text_of(row).endswith("Waiting")
    park(database, number)
    assert text_of(manager.read("/orders").xpath("//tbody/tr")[0]).endswith("Parked")


def test_a_list_costs_the_same_whatever_its_length(app: flask.Flask, database: Database, manager: Visitor) -> None:
    make_orders(database, 2)
    with CountedStatements(app) as few:
        manager.read("/orders")
    make_orders(database, 20, "BETA")
    with CountedStatements(app) as many:
        manager.read("/orders")
    assert many.count == few.count


def test_an_empty_list_says_where_orders_come_from(manager: Visitor) -> None:
    assert "They appear when a connected consumer orders" in text_of(manager.read("/orders"))


# --- one order


def park(database: Database, number: str) -> str:
    """Park the first event of an order's request; the id of the delivery."""
    with database.transaction() as session:
        task = session.scalars(
            select(ProviderTask).join(CustomerOrder, CustomerOrder.id == ProviderTask.order_id)
            .where(CustomerOrder.number == number)
        ).one()  # fmt: skip
        name = f"provider_task/{task.external_id}"
        stream = session.scalars(select(Stream).where(Stream.stream == name)).one()
        delivery = session.get_one(Delivery, (stream.id, stream.head))
        delivery.state, delivery.error = "parked", "rejected: no such task"
        stream.due_at, stream.blocked_by = None, stream.head
        return delivery.id


def test_a_composite_is_shown_as_a_tree_with_the_names_of_its_characteristics(
    database: Database, manager: Visitor
) -> None:
    with database.transaction() as session:
        connection = make_consumer(session)
        part = make_specification(session, "Antenna")
        whole = make_specification(session, "Site", children=[as_part(part, "antenna")])
        item = make_item(session, whole, connection.id)
        answers = {"antenna": {"selected": True, "quantity": 3, "characteristics": {}, "parts": {}}}
        task = submit_provider_task(session, connection.id, make_request(item, parts=answers), now=NOW)
        number = session.get_one(CustomerOrder, task.order_id).number
    lines = manager.read(f"/orders/{number}").xpath("//section[@id='lines']/ul/li")
    assert [line.get("class").split()[-1] for line in lines] == ["depth-0", "depth-1"]
    assert "Site item add New" in text_of(lines[0])
    assert "Berlin" in text_of(lines[0].xpath(".//details")[0])
    assert "ada@acme.example" in text_of(lines[0].xpath(".//details")[0])
    assert text_of(lines[1]).startswith("3 ")
    router = make_order(database, prefix="BETA")
    assert "Bandwidth: 100" in text_of(manager.read(f"/orders/{router.order_number}"))


def test_every_button_of_every_state_works(app: flask.Flask, database: Database, manager: Visitor) -> None:
    """Walks from a new order over all buttons, to every state that they lead to."""
    with database.transaction() as session:
        connection = make_consumer(session)
        item = make_router_item(session, connection.id)
    made = 0

    def order_after(path: tuple[str, ...]) -> str:
        nonlocal made
        made += 1
        with database.transaction() as session:
            task = submit_provider_task(session, connection.id, make_request(item, made), now=NOW)
            number = session.get_one(CustomerOrder, task.order_id).number
        for to in path:
            assert manager.post(f"/orders/{number}/{to}", {"reason": "Because."}).status_code == 303, (path, to)
        return number

    ways: dict[tuple[str, str], tuple[str, ...]] = {}
    todo: list[tuple[str, ...]] = [()]
    while todo:
        path = todo.pop(0)
        number = order_after(path)
        order = read_order(database, number).order
        where = (order.state, str(order.saved_states))
        if where in ways:
            continue
        ways[where] = path
        buttons = moves_of(manager.read(f"/orders/{number}"))
        assert buttons or order.state in (OrderState.CANCELLED, OrderState.COMPLETED), where
        todo += [(*path, url.removeprefix(f"/orders/{number}/")) for url in buttons]
    states = {state for state, _ in ways}
    # Begun by itself, completed by its tasks, and cancelled at once, as nothing was done that is to be undone.
    passed_by = {OrderState.ACKNOWLEDGED, OrderState.COMPLETED, OrderState.CANCELLATION_IN_PROGRESS}
    assert states >= {*OrderState} - passed_by, states


def test_approval_makes_the_tasks_which_the_page_shows_below_their_line(database: Database, app: flask.Flask) -> None:
    made = make_order(database)
    boss = signed_in(app, "boss", "fulfilment_manager")
    boss.read(f"/orders/{made.order_number}")
    assert boss.post(f"/orders/{made.order_number}/move/approve").status_code == 303
    page = boss.read(f"/orders/{made.order_number}")
    work = [text_of(one) for one in page.xpath("//section[@id='lines']//ul/li/ul/li")]
    assert "Build Open" in work[0]
    assert "Start" in work[0]
    assert "waits for Build" in work[1]
    assert "Start" not in work[1]
    assert "point of no return" in work[1]
    timeline = text_of(page.xpath("//section[@id='timeline']")[0])
    assert "In progress now boss" in timeline


def test_a_reason_is_asked_for_and_what_was_typed_stays(database: Database, manager: Visitor) -> None:
    number = make_order(database).order_number
    manager.read(f"/orders/{number}")
    for reason, complaint in {"": "Say why.", "  ": "Say why.", "x" * 4001: "4000"}.items():
        answer = manager.post(f"/orders/{number}/move/rejected", {"reason": reason})
        assert answer.status_code == 422
        assert complaint in answer.get_data(as_text=True)
        assert reason.strip() in answer.get_data(as_text=True)
    assert read_order(database, number).state is OrderState.NEW
    assert manager.post(f"/orders/{number}/move/rejected", {"reason": "No such street."}).status_code == 303
    assert "max: No such street." in text_of(manager.read(f"/orders/{number}").xpath("//section[@id='timeline']")[0])


@pytest.mark.parametrize(
    ("to", "field", "complaint"),
    [
        ("awaiting_information", "Question to the consumer", "Write what the consumer shall answer."),
        ("scheduled", "When the work will begin", "Say when."),
    ],
)
def test_what_is_no_reason_is_asked_for_in_its_own_words(
    database: Database, manager: Visitor, to: str, field: str, complaint: str
) -> None:
    number = make_order(database, approved=True).order_number
    page = manager.read(f"/orders/{number}")
    assert [text_of(one) for one in page.xpath(f"//label[@for='reason-{to}']")] == [field]
    answer = manager.post(f"/orders/{number}/move/{to}", {"reason": " "})
    assert (answer.status_code, complaint in answer.get_data(as_text=True)) == (422, True)
    assert manager.post(f"/orders/{number}/move/{to}", {"reason": "On Monday?"}).status_code == 303
    assert read_order(database, number).state == to


def test_a_corrected_order_says_so(database: Database, manager: Visitor) -> None:
    made = make_order(database)
    assert "Corrected" not in text_of(manager.read(f"/orders/{made.order_number}"))
    with database.transaction() as session:
        session.scalars(select(ProviderTask)).one().revision = 2
    assert "Corrected (revision 2)" in text_of(manager.read(f"/orders/{made.order_number}").xpath("//*[@id='head']")[0])


def test_a_completed_order_leads_to_its_products_and_says_that_the_consumer_was_told(
    database: Database, manager: Visitor
) -> None:
    made = make_order(database, approved=True)
    link = f"//section[@id='lines']//a[@href='/products?q={made.order_number}']"
    assert manager.read(f"/orders/{made.order_number}").xpath(link) == []
    with database.transaction() as session:
        session.scalars(select(CustomerOrder)).one().state = "completed"
        for stream in session.scalars(select(Stream)):
            stream.head = stream.next_sequence
        for delivery in session.scalars(select(Delivery)):
            delivery.state = "delivered"
    page = manager.read(f"/orders/{made.order_number}")
    assert len(page.xpath(link)) == 1
    assert "Deliveries All sent" in text_of(page.xpath("//section[@id='delivery']//h2")[0])


def test_a_button_that_came_too_late_says_why(database: Database, manager: Visitor) -> None:
    number = make_order(database).order_number
    manager.read(f"/orders/{number}")
    with database.transaction() as session:
        cancel_order(session, number, reason="Changed our mind", actor=AGENT, now=NOW)
    answer = manager.post(f"/orders/{number}/move/approve")
    assert answer.status_code == 422
    assert "This order is cancelled and cannot become acknowledged" in answer.get_data(as_text=True)
    answer = manager.post(f"/orders/{number}/move/decline", {"reason": "No."})
    assert "there is no request to decline" in answer.get_data(as_text=True)
    assert manager.post(f"/orders/{number}/move/nonsense").status_code == 404
    assert manager.get("/orders/ORD9999999").status_code == 404
    assert manager.post("/orders/ORD9999999/move/approve").status_code == 404


def test_a_declined_cancellation_gives_the_state_back(database: Database, manager: Visitor) -> None:
    number = make_order(database, approved=True).order_number
    with database.transaction() as session:
        move_order(session, number, OrderState.ON_HOLD, reason="Closed", actor=AGENT, now=NOW)
        cancel_order(session, number, reason="Changed our mind", actor=AGENT, now=NOW)
    page = manager.read(f"/orders/{number}")
    assert "Decline the cancellation" in text_of(page.xpath("//section[@id='moves']")[0])
    assert manager.post(f"/orders/{number}/move/decline", {"reason": "Built already."}).status_code == 303
    assert read_order(database, number).state is OrderState.ON_HOLD


def test_a_cancellation_is_shown_with_what_it_would_undo_and_decided_there(
    database: Database, manager: Visitor
) -> None:
    made = make_order(database, approved=True)
    with database.transaction() as session:
        complete_task(session, "TASK0000001", actor=AGENT, now=NOW)
        start_task(session, "TASK0000002", actor=AGENT, now=NOW)
        wish: dict[str, Any] = {"reason": "Ordered <b>twice</b>", "asked_by": "Ada Lovelace", "now": NOW}
        cancel_provider_task(session, made.connection_id, made.task_id, **wish)
    url = f"/orders/{made.order_number}"
    shown = text_of(manager.read(url).xpath("//section[@id='cancellation']")[0])
    for words in (
        "Cancellation to decide", "Ada Lovelace of ACME", "Ordered <b>twice</b>", "Done already: Build.",
        "Begun, and to be given up: Ship (ann).", "Undo: Build",
    ):  # fmt: skip
        assert words in shown
    assert manager.post(f"{url}/move/cancellation_in_progress").status_code == 303
    page = manager.read(url)
    assert "Approve the cancellation" not in text_of(page.xpath("//section[@id='moves']")[0])
    assert "close as cancelled" not in text_of(page)  # the task that undoes comes first
    with database.transaction() as session:
        complete_task(session, "TASK0000003", actor=AGENT, now=NOW)
    page = manager.read(url)
    assert not page.xpath("//section[@id='cancellation']")
    assert read_order(database, made.order_number).state is OrderState.CANCELLED


def test_complete_is_offered_only_when_no_task_is_open(database: Database, manager: Visitor) -> None:
    made = make_order(database, approved=True)
    assert f"/orders/{made.order_number}/move/completed" not in moves_of(manager.read(f"/orders/{made.order_number}"))
    with database.transaction() as session:
        for task in session.scalars(select(OrderTask)):
            task.state = "cancelled"
    assert f"/orders/{made.order_number}/move/completed" in moves_of(manager.read(f"/orders/{made.order_number}"))
    assert manager.post(f"/orders/{made.order_number}/move/completed").status_code == 303


def test_comments_go_to_the_consumer_and_notes_stay(database: Database, manager: Visitor) -> None:
    made = make_order(database)
    with database.transaction() as session:
        add_comment(
            session, made.connection_id, made.task_id, comment_id=str(uuid4()), text="Gate 2.", author_name="Ada",
            created_at=NOW, now=NOW,
        )  # fmt: skip
    url = f"/orders/{made.order_number}"
    manager.read(url)
    assert manager.post(f"{url}/comment", {"text": "<b>Which</b> gate?"}).status_code == 303
    assert manager.post(f"{url}/note", {"text": "Ask the depot."}).status_code == 303
    page = manager.read(url)
    said = page.xpath("//*[@id='comments']//li")
    assert {text_of(one) for one in said} == {"Ada, ACME Ltd · now Gate 2.", "max, Northwind · now <b>Which</b> gate?"}
    assert [one.get("class") for one in said if "max" in text_of(one)] == ["ours"]
    assert "Ask the depot." in text_of(page.xpath("//*[@id='work-notes']")[0])
    assert "private" in text_of(page.xpath("//section[@aria-labelledby='notes']")[0])
    assert "Ask the depot." not in text_of(page.xpath("//*[@id='comments']")[0])
    for form in ("comment", "note"):
        assert "Write something." in manager.post(f"{url}/{form}", {"text": " "}).get_data(as_text=True)
    with database.reading() as session:
        assert session.scalars(select(WorkNote.text)).all() == ["Ask the depot."]


def test_the_page_tells_what_the_consumer_sees_and_what_it_will_see(database: Database, manager: Visitor) -> None:
    made = make_order(database)
    url = f"/orders/{made.order_number}"
    seen = text_of(manager.read(url).xpath("//section[@id='consumer']")[0])
    assert "nothing of ours is confirmed yet" in seen
    assert "It will see: Received" in seen
    assert made.request["number"] in seen
    with database.transaction() as session:
        stream = session.scalars(select(Stream).where(Stream.stream == f"provider_task/{made.task_id}")).one()
        for delivery in session.scalars(select(Delivery).where(Delivery.stream_id == stream.id)):
            delivery.state, delivery.settled_at = "delivered", NOW - timedelta(minutes=2)
        stream.head = stream.next_sequence
    seen = text_of(manager.read(url).xpath("//section[@id='consumer']")[0])
    assert "Received order: New Confirmed 2 minutes ago" in seen
    assert "It will see" not in seen
    with database.transaction() as session:
        approve_order(session, made.order_number, actor=AGENT, now=NOW)
    seen = text_of(manager.read(url).xpath("//section[@id='consumer']")[0])
    assert "Received order: New Confirmed" in seen
    assert "It will see: In progress order: In progress" in seen


def test_what_is_parked_says_why_and_is_sent_again_by_those_who_may(
    app: flask.Flask, database: Database, manager: Visitor
) -> None:
    number = make_order(database).order_number
    park(database, number)
    delivery = manager.read(f"/orders/{number}").xpath("//section[@id='delivery']")[0]
    assert "Parked: rejected: no such task" in text_of(delivery)
    assert not delivery.xpath(".//form")
    assert manager.post(f"/orders/{number}/replay").status_code == 403
    admin = signed_in(app, "eve", "exchange_admin")
    assert admin.read(f"/orders/{number}").xpath("//section[@id='delivery']//form")
    assert admin.post(f"/orders/{number}/replay").status_code == 303
    assert "Waiting" in text_of(admin.read(f"/orders/{number}").xpath("//section[@id='delivery']")[0])


def test_an_order_costs_the_same_whatever_its_size(app: flask.Flask, database: Database, manager: Visitor) -> None:
    small = make_order(database, approved=True)
    many = [{**TWO_TASKS[0], "key": f"task-{number}"} for number in range(15)]
    large = make_order(database, approved=True, prefix="BETA", columns={"task_templates": many}, quantity=20)
    with CountedStatements(app) as few:
        manager.read(f"/orders/{small.order_number}")
    with CountedStatements(app) as more:
        manager.read(f"/orders/{large.order_number}")
    assert more.count == few.count


# --- who may


@pytest.mark.parametrize(
    ("role", "buttons"),
    [("viewer", 0), ("fulfilment_agent", 0), ("order_agent", 1), ("order_manager", 3), ("exchange_admin", 0)],
)
def test_only_what_a_role_may_do_is_shown(app: flask.Flask, database: Database, role: str, buttons: int) -> None:
    made = make_order(database)
    visitor = signed_in(app, "someone", role)
    page = visitor.read(f"/orders/{made.order_number}")
    assert len(moves_of(page)) == buttons


def test_who_may_not_is_told_whom_to_ask(app: flask.Flask, database: Database, manager: Visitor) -> None:
    number = make_order(database).order_number
    viewer = signed_in(app, "vera", "viewer")
    viewer.read(f"/orders/{number}")
    for last in ("move/approve", "move/rejected", "cancel", "comment", "note"):
        answer = viewer.post(f"/orders/{number}/{last}", {"reason": "Because", "text": "Hello"})
        assert answer.status_code == 403
        assert "max (order_manager)" in answer.get_data(as_text=True)
    assert read_order(database, number).state is OrderState.NEW
    catalog = signed_in(app, "carl", "catalog_manager")
    assert catalog.get("/orders").status_code == 403
    assert catalog.get(f"/orders/{number}").status_code == 403


def test_strangers_are_sent_to_sign_in(app: flask.Flask, database: Database) -> None:
    number = make_order(database).order_number
    answer = Visitor(app).get(f"/orders/{number}")
    assert (answer.status_code, answer.location) == (303, f"/sign-in?next=/orders/{number}")


def test_a_form_without_its_token_changes_nothing(database: Database, manager: Visitor) -> None:
    number = make_order(database).order_number
    manager.page = ""
    assert manager.post(f"/orders/{number}/move/approve").status_code == 400
    assert read_order(database, number).state is OrderState.NEW


def test_the_pages_look_after_themselves(database: Database, manager: Visitor) -> None:
    number = make_order(database).order_number
    for url in ("/orders", f"/orders/{number}"):
        first = manager.get(url)
        assert first.status_code == 200
        assert manager.get(url, headers={"If-None-Match": first.headers["ETag"], "X-Live": "1"}).status_code == 304
        page = manager.read(url)
        assert page.xpath("//*[@data-live]")
        assert not page.xpath("//*[@data-live]//textarea[@name='text']")
        assert all(part.get("id") for part in page.xpath("//*[@data-live]"))
        assert len(page.xpath("//h1")) == 1
        ids = [one.get("id") for one in page.xpath("//*[@id]")]
        assert len(ids) == len(set(ids))
