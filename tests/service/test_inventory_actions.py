"""What a consumer may have done with what it has: by the rules, once, at once or at a date, and visible on the way."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from bridge import failpoints
from bridge.database import Database
from bridge.failpoints import FailpointReached
from bridge.vocabulary import EventType
from provider.domain.errors import Conflict, InvalidFields, NotFound
from provider.domain.orders import OrderState
from provider.models.inventory import InventoryOperation, Product, ProductChange
from provider.models.orders import CustomerOrder
from provider.services.intake import cancel_provider_task, resubmit_provider_task, submit_provider_task
from provider.services.inventory_actions import request_action
from provider.services.inventory_schedule import perform_due, resume_due_products
from provider.services.orders import approve_order, move_order, reject_order
from provider.services.producers import retire_producer
from provider.services.product_changes import moment, show_history
from tests.factories import (
    AGENT,
    NOW,
    at_once,
    events_of,
    exchange_database,
    make_consumer,
    make_request,
    make_router_item,
    read_order,
)
from tests.inventory_factories import (
    all_products,
    ask,
    carry_out,
    make_action,
    make_owner,
    make_package_owner,
    states,
    work,
)

TOMORROW, NEXT_WEEK = NOW + timedelta(days=1), NOW + timedelta(days=7)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def perform(database: Database, now: object) -> int:
    return perform_due(database.reading, database.transaction, now=now)  # type: ignore[arg-type]


def told(database: Database, connection_id: str, number: str) -> list[tuple[str, str, str]]:
    """State, and by which action and order it came, of each event about a product."""
    with database.reading() as session:
        events = events_of(session, connection_id)
    return [
        (data["state"], data["changed_by"]["action"], data["changed_by"]["order_number"])
        for type_, _, data in events
        if type_ == EventType.PRODUCT_CHANGED and data["number"] == number
    ]


def suspended_owner(database: Database) -> str:
    me = make_owner(database)
    carry_out(database, ask(database, me, all_products(database)[0], make_action("suspend")))
    assert states(database) == {"1": "suspended"}
    return me


def test_a_suspension_is_an_order_whose_line_points_at_the_product(database: Database) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    number = ask(database, me, router, make_action("suspend"))
    locked = read_order(database, number)
    assert (locked.state, locked.task.number, locked.order.category) == (OrderState.NEW, "ACME-PT0000002", "product")
    assert [(line.action, line.name, line.quantity) for line in locked.lines] == [("suspend", "Router item", 1)]
    assert states(database) == {"1": "active"}
    carry_out(database, number)
    assert read_order(database, number).state is OrderState.COMPLETED
    assert [task.name for task in read_order(database, number).order_tasks] == ["Suspend"]
    assert told(database, me, router.number) == [
        ("installation_pending", "add", "ORD0000001"),
        ("active", "add", "ORD0000001"),
        ("suspended", "suspend", "ORD0000002"),
    ]


@pytest.mark.parametrize(
    ("action", "while_it_lasts", "end"),
    [("resume", "suspended", "active"), ("disconnect", "inactivation_pending", "inactive")],
)
def test_what_is_suspended_is_resumed_or_disconnected(
    database: Database, action: str, while_it_lasts: str, end: str
) -> None:
    me = suspended_owner(database)
    number = ask(database, me, all_products(database)[0], make_action(action, 3))
    with database.transaction() as session:
        approve_order(session, number, actor=AGENT, now=NOW)
    assert states(database) == {"1": while_it_lasts}
    with database.transaction() as session:
        work(session, number)
    assert states(database) == {"1": end}


def test_what_is_active_is_disconnected_and_keeps_its_history(database: Database) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    carry_out(database, ask(database, me, router, make_action("disconnect")))
    with database.reading() as session:
        history = show_history(session, router.id)
    assert [(step["action_label"], step["to_state_label"], step["task_number"]) for step in history] == [
        ("Add", "Installation pending", "ACME-PT0000001"),
        ("Add", "Active", "ACME-PT0000001"),
        ("Disconnect", "Inactivation pending", "ACME-PT0000002"),
        ("Disconnect", "Inactive", "ACME-PT0000002"),
    ]
    with pytest.raises(Conflict, match="is Inactive, so Resume is not possible; nothing can be done") as refusal:
        ask(database, me, router, make_action("resume", 3))
    assert refusal.value.facts == {"product": router.number, "state": "inactive", "allowed": []}


def test_the_refusal_names_the_state_and_what_is_allowed(database: Database) -> None:
    me = suspended_owner(database)
    with pytest.raises(Conflict, match="Suspended, so Change is not possible; possible is Resume or Disc") as refusal:
        ask(database, me, all_products(database)[0], make_action("change", 3, characteristics={"bandwidth": "50"}))
    assert refusal.value.code == "action_not_allowed"
    assert refusal.value.facts["allowed"] == ["resume", "disconnect"]
    assert len(told(database, me, "PRD0000001")) == 3


def test_nothing_is_done_with_what_is_still_being_installed(database: Database) -> None:
    me = make_owner(database)
    with database.transaction() as session:
        request = make_request(make_router_item(session, me), 2)
        submit_provider_task(session, me, request, now=NOW)
        approve_order(session, "ORD0000002", actor=AGENT, now=NOW)
    coming = all_products(database)[1]
    for action in ("suspend", "resume", "disconnect", "change", "move"):
        extra = {"change": {"characteristics": {"bandwidth": "50"}}, "move": {"location": {"name": "Bonn"}}}
        with pytest.raises(Conflict, match="is Installation pending"):
            ask(database, me, coming, make_action(action, 3, **extra.get(action, {})))


def test_parts_go_with_the_whole_and_alone_only_where_it_permits(database: Database) -> None:
    me = make_package_owner(database)
    package, edge, *_ = all_products(database)
    assert [product.name for product in all_products(database)] == ["Package item", "Edge", "Edge", "Fan", "Fan"]
    carry_out(database, ask(database, me, edge, make_action("suspend", 2)))
    assert states(database) == {"1": "active", "2": "suspended", "3": "active", "4": "suspended", "5": "active"}
    carry_out(database, ask(database, me, package, make_action("suspend", 3)))
    assert set(states(database).values()) == {"suspended"}
    with pytest.raises(Conflict, match=r"PRD0000001 \(what PRD0000002 is part of\) is Suspended, so Resume"):
        ask(database, me, edge, make_action("resume", 4))
    carry_out(database, ask(database, me, edge, make_action("disconnect", 5)))
    assert states(database) == {"1": "suspended", "2": "inactive", "3": "suspended", "4": "inactive", "5": "suspended"}
    carry_out(database, ask(database, me, package, make_action("resume", 6)))
    assert states(database) == {"1": "active", "2": "inactive", "3": "active", "4": "inactive", "5": "active"}


def test_an_order_of_a_whole_has_a_line_for_each_part_below_that_of_what_it_is_part_of(database: Database) -> None:
    me = make_package_owner(database)
    lines = read_order(database, ask(database, me, all_products(database)[0], make_action("disconnect"))).lines
    above = {line.id: line.name for line in lines}
    assert [(line.name, above.get(line.parent_line_id or "")) for line in lines] == [
        ("Package item", None), ("Edge", "Package item"), ("Fan", "Edge"), ("Edge", "Package item"), ("Fan", "Edge"),
    ]  # fmt: skip


def test_a_change_is_checked_by_the_form_of_the_specification_and_keeps_what_was_before(database: Database) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    for wrong, code in (({"bandwidth": "7"}, "choice"), ({"colour": "red"}, "unknown"), ({"bandwidth": "100"}, "unch")):
        with pytest.raises(InvalidFields) as refusal:
            ask(database, me, router, make_action("change", characteristics=wrong))
        (error,) = refusal.value.errors
        assert error.pointer.startswith("/characteristics")
        assert error.code.startswith(code) or code == "choice"
    number = ask(database, me, router, make_action("change", characteristics={"bandwidth": "50"}))
    with database.transaction() as session:
        approve_order(session, number, actor=AGENT, now=NOW)
        operation = session.scalars(select(InventoryOperation)).one()
        assert operation.previous["characteristics"] == {"bandwidth": "100"}
    assert [line.action for line in read_order(database, number).lines] == ["change"]
    (pending,) = all_products(database)
    assert (pending.state, pending.characteristics) == ("change_pending", {"bandwidth": "100"})
    with database.transaction() as session:
        work(session, number)
    (changed,) = all_products(database)
    assert (changed.state, changed.characteristics) == ("active", {"bandwidth": "50"})
    with database.reading() as session:
        assert show_history(session, router.id)[-1]["changed"] == {"characteristics": {"bandwidth": ["100", "50"]}}


def test_a_move_takes_all_parts_along_and_the_new_place_appears_when_it_is_done(database: Database) -> None:
    me = make_package_owner(database)
    package, edge, *_ = all_products(database)
    there = {"name": "Bonn office", "city": "Bonn"}
    with pytest.raises(Conflict, match="parts move with the whole only"):
        ask(database, me, edge, make_action("move", location=there))
    number = ask(database, me, package, make_action("move", location=there))
    with database.transaction() as session:
        approve_order(session, number, actor=AGENT, now=NOW)
    assert {(one.state, one.location_name) for one in all_products(database)} == {("change_pending", "Berlin office")}
    with database.transaction() as session:
        work(session, number)
    moved = all_products(database)
    assert {(one.state, one.location_name, one.location["city"]) for one in moved if one.location} == {
        ("active", "Bonn office", "Bonn")
    }
    with pytest.raises(InvalidFields, match="this is where it is"):
        ask(database, me, package, make_action("move", 3, location=there))


@pytest.mark.parametrize(
    ("action", "wrong", "pointer"),
    [
        ("change", {}, "/characteristics"),
        ("move", {}, "/location"),
        ("suspend", {"location": {"name": "Bonn"}}, "/location"),
        ("resume", {"characteristics": {"bandwidth": "50"}}, "/characteristics"),
        ("suspend", {"starts_at": moment(NEXT_WEEK), "ends_at": moment(TOMORROW)}, "/ends_at"),
        ("suspend", {"ends_at": moment(NOW)}, "/ends_at"),
        ("disconnect", {"ends_at": moment(TOMORROW)}, "/ends_at"),
    ],
)
def test_what_does_not_fit_the_action_is_pointed_at(
    database: Database, action: str, wrong: dict[str, object], pointer: str
) -> None:
    me = make_owner(database)
    with pytest.raises(InvalidFields) as refusal:
        ask(database, me, all_products(database)[0], make_action(action, **wrong))
    assert [error.pointer for error in refusal.value.errors] == [pointer]


def test_a_suspension_at_a_date_waits_visibly_and_is_performed_once(database: Database) -> None:
    me = make_owner(database)
    number = ask(database, me, all_products(database)[0], make_action("suspend", starts_at=moment(TOMORROW)))
    carry_out(database, number)
    locked = read_order(database, number)
    assert (locked.state, locked.lines[0].state) == (OrderState.SCHEDULED, "scheduled")
    assert states(database) == {"1": "active"}
    assert perform(database, TOMORROW - timedelta(seconds=1)) == 0
    assert perform(database, TOMORROW) == 1
    assert perform(database, TOMORROW) == 0
    assert (read_order(database, number).state, states(database)) == (OrderState.COMPLETED, {"1": "suspended"})
    assert [state for state, _, _ in told(database, me, "PRD0000001")].count("suspended") == 1


def test_a_date_in_the_past_is_now(database: Database) -> None:
    me = make_owner(database)
    earlier = moment(NOW - timedelta(days=3))
    number = ask(database, me, all_products(database)[0], make_action("suspend", starts_at=earlier))
    carry_out(database, number)
    assert states(database) == {"1": "suspended"}


def test_work_that_is_late_is_done_before_what_was_due(database: Database) -> None:
    me = make_owner(database)
    number = ask(database, me, all_products(database)[0], make_action("disconnect", starts_at=moment(TOMORROW)))
    with database.transaction() as session:
        approve_order(session, number, actor=AGENT, now=NOW)
    with database.transaction() as session:
        move_order(session, number, OrderState.SCHEDULED, reason="Put off.", actor=AGENT, now=NOW)
    assert perform(database, NEXT_WEEK) == 1
    assert (read_order(database, number).state, states(database)) == (
        OrderState.IN_PROGRESS, {"1": "inactivation_pending"},
    )  # fmt: skip
    with database.transaction() as session:
        work(session, number, NEXT_WEEK)
    assert perform(database, NEXT_WEEK) == 1
    assert states(database) == {"1": "inactive"}


def test_a_scheduled_action_can_be_cancelled_and_nothing_happens_then(database: Database) -> None:
    me = make_owner(database)
    request = make_action("disconnect", starts_at=moment(TOMORROW))
    number = ask(database, me, all_products(database)[0], request)
    with database.transaction() as session:
        approve_order(session, number, actor=AGENT, now=NOW)
    assert states(database) == {"1": "inactivation_pending"}
    with database.transaction() as session:
        cancel_provider_task(session, me, request["id"], reason="No.", now=NOW)
        move_order(session, number, OrderState.CANCELLATION_IN_PROGRESS, reason=None, actor=AGENT, now=NOW)
    if read_order(database, number).state is not OrderState.CANCELLED:
        with database.transaction() as session:
            move_order(session, number, OrderState.CANCELLED, reason=None, actor=AGENT, now=NOW)
    assert states(database) == {"1": "active"}
    assert perform(database, NEXT_WEEK) == 0
    assert ask(database, me, all_products(database)[0], make_action("suspend", 3)) == "ORD0000003"


def test_a_suspension_with_an_end_is_resumed_by_itself(database: Database) -> None:
    me = make_package_owner(database)
    package = all_products(database)[0]
    times = {"starts_at": moment(TOMORROW), "ends_at": moment(NEXT_WEEK)}
    number = ask(database, me, package, make_action("suspend", **times))
    carry_out(database, number)
    assert perform(database, TOMORROW) == 1
    assert {(one.state, one.resumes_at) for one in all_products(database)} == {("suspended", NEXT_WEEK)}
    assert perform(database, NEXT_WEEK - timedelta(seconds=1)) == 0
    assert perform(database, NEXT_WEEK) == 1
    assert {(one.state, one.resumes_at) for one in all_products(database)} == {("active", None)}
    assert perform(database, NEXT_WEEK) == 0
    assert told(database, me, package.number)[-1] == ("active", "resume", number)


def test_the_end_of_a_suspension_waits_for_what_acts_on_the_product(database: Database) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    carry_out(database, ask(database, me, router, make_action("suspend", ends_at=moment(TOMORROW))))
    request = make_action("disconnect", 3)
    ask(database, me, router, request)
    assert perform(database, NEXT_WEEK) == 0
    with database.transaction() as session:  # a sweeper that looked before the request came
        resume_due_products(session, router.order_id, now=NEXT_WEEK)
    assert states(database) == {"1": "suspended"}
    with database.transaction() as session:
        cancel_provider_task(session, me, request["id"], reason="No.", now=NEXT_WEEK)
    assert perform(database, NEXT_WEEK) == 1
    assert states(database) == {"1": "active"}


def test_a_resumption_asked_for_takes_the_place_of_the_end(database: Database) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    carry_out(database, ask(database, me, router, make_action("suspend", ends_at=moment(NEXT_WEEK))))
    carry_out(database, ask(database, me, router, make_action("resume", 3)))
    assert states(database) == {"1": "active"}
    assert perform(database, NEXT_WEEK) == 0


def test_a_crash_between_the_change_and_its_commit_is_made_good(database: Database) -> None:
    me = make_owner(database)
    carry_out(database, ask(database, me, all_products(database)[0], make_action("suspend", ends_at=moment(TOMORROW))))
    failpoints.install("schedule.in_tx:raise")
    try:
        with pytest.raises(FailpointReached):
            perform(database, TOMORROW)
        assert states(database) == {"1": "suspended"}
        assert perform(database, TOMORROW) == 1
    finally:
        failpoints.install("")
    assert states(database) == {"1": "active"}
    with database.reading() as session:
        assert session.scalar(select(func.count()).where(ProductChange.action == "resume")) == 1


@pytest.mark.parametrize("changes", [{"starts_at": moment(TOMORROW)}, {"ends_at": moment(TOMORROW)}], ids=str)
def test_what_cannot_be_done_at_its_date_holds_up_nobody_else(
    database: Database, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """An event that would be too large is refused with its change, whatever the change was."""
    for prefix in ("ACME", "BETA"):
        me = make_owner(database, prefix)
        (product,) = (one for one in all_products(database) if one.connection_id == me)
        carry_out(database, ask(database, me, product, make_action("suspend", prefix=prefix, **changes)))
    with database.transaction() as session:
        first = session.scalars(select(Product).order_by(Product.number)).first()
        assert first is not None
        first.characteristics = {"note": "x" * 300_000}
    assert perform(database, TOMORROW) == 2
    assert "cannot be done" in caplog.text and "EventTooLarge" in caplog.text
    before, after = ("active", "suspended") if "starts_at" in changes else ("suspended", "active")
    with database.reading() as session:
        assert session.scalars(select(Product.state).order_by(Product.number)).all() == [before, after]


def test_two_sweepers_perform_what_is_due_once(database: Database) -> None:
    me = make_owner(database)
    carry_out(database, ask(database, me, all_products(database)[0], make_action("suspend", ends_at=moment(TOMORROW))))
    at_once([lambda: perform(database, TOMORROW)] * 4)
    assert [state for state, _, _ in told(database, me, "PRD0000001")].count("active") == 2


def test_of_two_that_want_the_same_product_at_once_one_wins_and_the_other_is_told_who(database: Database) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    requests = [make_action(action, 2 + n) for n, action in enumerate(["suspend", "disconnect"] * 3)]
    results = at_once([lambda request=request: ask(database, me, router, request) for request in requests])
    won = [n for n, result in enumerate(results) if isinstance(result, str)]
    assert len(won) == 1, results
    lost = [result for result in results if not isinstance(result, str)]
    assert {(one.code, one.facts["number"]) for one in lost} == {("product_busy", requests[won[0]]["number"])}
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(CustomerOrder)) == 2


def test_a_whole_and_its_part_at_once_have_one_winner(database: Database) -> None:
    me = make_package_owner(database)
    package, _, _, fan, _ = all_products(database)
    wanted = [(package, make_action("suspend", 2)), (fan, make_action("disconnect", 3))]
    results = at_once([lambda pair=pair: ask(database, me, *pair) for pair in wanted])
    assert sorted(type(result) for result in results if not isinstance(result, str)) == [Conflict]


def test_the_same_request_at_once_is_one_order_and_the_same_answer(database: Database) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    request = make_action("suspend")
    results = at_once([lambda: ask(database, me, router, request)] * 5)
    assert set(results) == {"ORD0000002"}


def test_a_rejected_action_keeps_the_product_until_it_is_cancelled_and_is_not_corrected(database: Database) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    request = make_action("suspend")
    number = ask(database, me, router, request)
    with database.transaction() as session:
        reject_order(session, number, reason="Not now.", actor=AGENT, now=NOW)
    with pytest.raises(Conflict, match="cancel it, and ask anew"), database.transaction() as session:
        resubmit_provider_task(session, me, request["id"], request | {"revision": 2}, now=NOW)
    with pytest.raises(Conflict, match=f"request {request['number']} acts on"):
        ask(database, me, router, make_action("suspend", 3))
    with database.transaction() as session:
        cancel_provider_task(session, me, request["id"], reason="", now=NOW)
    assert ask(database, me, router, make_action("suspend", 4)) == "ORD0000003"


def test_only_a_cancellation_changes_an_action_that_is_under_way(database: Database) -> None:
    me = make_owner(database)
    number = ask(database, me, all_products(database)[0], make_action("suspend"))
    with database.transaction() as session:
        approve_order(session, number, actor=AGENT, now=NOW)
    with pytest.raises(Conflict, match="can be cancelled, not revised"), database.transaction() as session:
        move_order(session, number, OrderState.REVISION_IN_PROGRESS, reason=None, actor=AGENT, now=NOW)


def test_the_products_of_others_and_the_inventory_of_those_who_may_not_manage_it_are_not_found(
    database: Database,
) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    with database.transaction() as session:
        other = make_consumer(session, "OTHER").id
    with pytest.raises(NotFound, match="product"), database.transaction() as session:
        request_action(session, other, router.id, make_action("suspend", prefix="OTHER"), now=NOW)
    with database.transaction() as session:
        from provider.models.catalog import Entitlement  # noqa: PLC0415

        for entitlement in session.scalars(select(Entitlement).where(Entitlement.connection_id == me)):
            entitlement.entitled = False
    with pytest.raises(NotFound, match="catalog item"):
        ask(database, me, router, make_action("suspend"))


def test_actions_go_on_when_the_offering_is_retired(database: Database) -> None:
    me = make_owner(database)
    (router,) = all_products(database)
    with database.transaction() as session:
        retire_producer(session, router.catalog_item_id, AGENT, NOW)
    carry_out(database, ask(database, me, router, make_action("suspend")))
    assert states(database) == {"1": "suspended"}
