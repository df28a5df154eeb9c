"""What the start page says is waiting, and for whom."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from sqlalchemy import select, update

from bridge.database import Database
from bridge.models import Delivery, Stream
from provider.domain.orders import OrderState
from provider.domain.roles import Role
from provider.models.catalog import Entitlement
from provider.models.orders import CustomerOrder
from provider.services.cancellations import cancel_order
from provider.services.comments import add_comment, add_reply
from provider.services.connections import pause_connection
from provider.services.orders import move_order
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import AGENT, NOW, import_small_catalog, make_order, make_registration, publish_to_all


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


def for_me(page: Any) -> dict[str, int]:
    """What waits for the reader, by its label."""
    cards = page.xpath("//*[@id='waiting']//ul[contains(@class, 'row')]//a")
    return {text.partition(" ")[2]: int(text.partition(" ")[0]) for text in map(text_of, cards)}


def for_others(page: Any) -> list[str]:
    return [text_of(one) for one in page.xpath("//ul[@class='list-group mb-4']/li")]


def make_a_day(database: Database) -> dict[str, str]:
    """Orders in several states; their numbers by state."""
    with database.transaction() as session:
        import_small_catalog(session)
    numbers = {"new": make_order(database).order_number}
    for place, state in enumerate(("on_hold", "awaiting_information", "assessing_cancellation")):
        made = make_order(database, approved=True, prefix=f"C{place}", number=place + 1)
        numbers[state] = made.order_number
        with database.transaction() as session:
            if state == "assessing_cancellation":
                cancel_order(session, made.order_number, reason="No need", actor=AGENT, now=NOW)
            else:
                move_order(session, made.order_number, OrderState(state), reason="Wait", actor=AGENT, now=NOW)
    running = make_order(database, approved=True, prefix="RUN")
    with database.transaction() as session:
        pause_connection(session, running.connection_id, reason="Maintenance", actor=AGENT, now=NOW)
        stream = session.scalars(select(Stream).where(Stream.stream == f"provider_task/{running.task_id}")).one()
        session.get_one(Delivery, (stream.id, 1)).state = "parked"
    return numbers


def test_each_role_sees_what_waits_for_it_and_what_for_others(app: flask.Flask, database: Database) -> None:
    make_a_day(database)
    manager = signed_in(app, "max", "order_manager").read("/")
    assert for_me(manager) == {
        "Order to approve": 1, "Cancellation to decide": 1, "Revisions to decide": 0, "Cancellations being undone": 0,
        "Order on hold": 1, "Orders with new comments of the consumer": 0,
        "Cases of mine": 0, "Cases to take": 0,
    }  # fmt: skip
    assert for_others(manager) == [
        "Task to take 1 waiting for admin, fulfilment agent, fulfilment manager, fallout agent, fallout manager",
        "Order awaiting information 1 waiting for the consumer",
    ]
    agent = signed_in(app, "fred", "fulfilment_agent").read("/")
    assert for_me(agent) == {
        "Orders with new comments of the consumer": 0, "Tasks of mine": 0, "Task to take": 1,
        "Cases of mine": 0, "Cases to take": 0,
    }  # fmt: skip
    exchange = for_me(signed_in(app, "eve", "exchange_admin").read("/"))
    assert exchange == {
        "Parked delivery": 1, "Connection in trouble": 1, "Drafts of catalog items to review": 2,
        "Removals of many to confirm": 0, "Users of consumers to approve": 0, "Items that reach nobody": 0,
    }  # fmt: skip


def test_an_item_that_nobody_may_order_is_counted(app: flask.Flask, database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        session.execute(
            update(Entitlement).where(Entitlement.connection_id == made.connection_id).values(entitled=False)
        )
    assert for_me(signed_in(app, "eve", "exchange_admin").read("/"))["Item that reaches nobody"] == 1


def test_a_role_sees_nothing_that_it_may_not_read(app: flask.Flask, database: Database) -> None:
    make_a_day(database)
    page = signed_in(app, "carl", "catalog_manager").read("/")
    assert for_me(page) == {}
    assert [text.split(" 2 ")[0] for text in for_others(page)] == ["Drafts of catalog items to review"]


def test_each_count_leads_to_as_many_records(app: flask.Flask, database: Database) -> None:
    make_a_day(database)
    admin = signed_in(app, "ann", "admin")
    lists = ("/orders?", "/tasks?", "/deliveries?", "/producers?")
    links = [one for one in admin.read("/").xpath("//*[@id='waiting']//a") if one.get("href").startswith(lists)]
    assert len(links) == 12
    for link in links:
        count = int(next(word for word in text_of(link.getparent()).split() if word.isdigit()))
        assert len(admin.read(link.get("href")).xpath("//tbody/tr")) == count, link.get("href")


def test_the_page_links_only_to_what_a_role_may_open(app: flask.Flask, database: Database) -> None:
    make_a_day(database)
    for role in Role:
        visitor = signed_in(app, f"one-{role}", str(role))
        for link in visitor.read("/").xpath("//*[@id='waiting']//a"):
            assert visitor.get(link.get("href")).status_code == 200, (role, link.get("href"))


def test_a_new_instance_says_what_to_do_first_and_ticks_off_what_is_done(app: flask.Flask, database: Database) -> None:
    admin = signed_in(app, "ann", "admin")

    def steps() -> list[str]:
        return [text_of(one).split()[-1] for one in admin.read("/").xpath("//ol/li")]

    assert steps() == ["next", "later", "later", "later", "later", "later"]
    with database.transaction() as session:
        import_small_catalog(session)
    assert steps() == ["done", "next", "later", "later", "later", "later"]
    with database.transaction() as session:
        publish_to_all(session)
        make_registration(session)
    assert steps() == ["done", "done", "done", "next", "later", "later"]
    number = make_order(database).order_number
    assert steps() == ["done"] * 5 + ["next"]
    assert len(admin.read("/").xpath("//ol/li//a")) == 6, "what is done is still a way to go there"
    with database.transaction() as session:
        session.scalars(select(CustomerOrder).where(CustomerOrder.number == number)).one().state = "completed"
    assert steps() == []


def test_what_a_consumer_says_waits_to_be_read_until_we_answer_or_move_the_order(
    app: flask.Flask, database: Database
) -> None:
    manager = signed_in(app, "max", "order_manager")
    made = make_order(database, approved=True)

    def new_comments() -> int:
        found = manager.read("/orders?comments=new").xpath("//tbody/tr")
        label = (
            "Order with new comments of the consumer" if len(found) == 1 else "Orders with new comments of the consumer"
        )
        assert for_me(manager.read("/"))[label] == len(found)
        signs = [text_of(row) for row in manager.read("/orders").xpath("//tbody/tr")]
        assert len([sign for sign in signs if "New comment" in sign]) == len(found)
        return len(found)

    def say(minutes: int) -> None:
        at = NOW + timedelta(minutes=minutes)
        with database.transaction() as session:
            add_comment(
                session, made.connection_id, made.task_id, comment_id=str(uuid4()), text="Here.", author_name="Pat",
                created_at=at, now=at,
            )  # fmt: skip

    def move(state: OrderState, minutes: int) -> None:
        at = NOW + timedelta(minutes=minutes)
        with database.transaction() as session:
            move_order(session, made.order_number, state, reason="Which floor?", actor=AGENT, now=at)

    assert new_comments() == 0
    move(OrderState.AWAITING_INFORMATION, 1)
    assert new_comments() == 0
    say(2)
    assert new_comments() == 1
    with database.transaction() as session:
        add_reply(session, made.order_number, text="Thanks.", author_name="max", now=NOW + timedelta(minutes=3))
    assert new_comments() == 0
    say(4)
    say(5)
    assert new_comments() == 1
    move(OrderState.IN_PROGRESS, 6)
    assert new_comments() == 0


def test_a_step_is_a_link_for_those_who_may_see_where_it_leads(app: flask.Flask) -> None:
    assert len(signed_in(app, "ann", "admin").read("/").xpath("//ol/li//a")) == 6
    assert len(signed_in(app, "max", "order_manager").read("/").xpath("//ol/li//a")) == 3


def test_the_page_costs_the_same_whatever_waits_and_refreshes_itself(app: flask.Flask, database: Database) -> None:
    admin = signed_in(app, "ann", "admin")
    with CountedStatements(app) as few:
        admin.read("/")
    make_a_day(database)
    with CountedStatements(app) as many:
        admin.read("/")
    assert many.count == few.count
    assert admin.read("/").xpath("//*[@id='waiting'][@data-live]")


def test_strangers_are_sent_to_sign_in(app: flask.Flask) -> None:
    assert Visitor(app).get("/").location == "/sign-in?next=/"
