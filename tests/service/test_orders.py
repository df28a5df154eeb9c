"""An order moves as the table says and in no other way; every move is told once; every level keeps what it had."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from bridge.database import Database
from provider.domain.errors import Conflict, IllegalMove, InvalidFields, NotFound
from provider.domain.order_tasks import OrderTaskState
from provider.domain.orders import ORDER_MOVES, OrderState
from provider.models.orders import OrderStateChange
from provider.services.cancellations import cancel_order
from provider.services.order_moves import legal_moves
from provider.services.order_tasks import complete_task, move_task, start_task
from provider.services.orders import approve_order, list_orders, move_order, reject_order
from tests.factories import (
    AGENT,
    NOW,
    Ordered,
    at_once,
    events_of,
    exchange_database,
    make_order,
    products_of,
    read_order,
    states_sent,
)

S = OrderState
FULFILMENT = (S.SCHEDULED, S.IN_PROGRESS, S.AWAITING_INFORMATION, S.ON_HOLD)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def move(database: Database, number: str, *states: OrderState) -> None:
    for state in states:
        with database.transaction() as session:
            move_order(session, number, state, reason="because", actor=AGENT, now=NOW)


def give_up_tasks(database: Database, number: str) -> None:
    for order_task in read_order(database, number).order_tasks:
        with database.transaction() as session:
            move_task(session, order_task.number, OrderTaskState.CANCELLED, reason="not needed", actor=AGENT, now=NOW)


def way_to(state: OrderState, then: OrderState) -> tuple[OrderState, ...]:
    """Moves from New to `state`, such that it may go on to `then` if the table allows that."""
    begun = (S.ACKNOWLEDGED, S.IN_PROGRESS)
    before_request = {
        S.REVISION_IN_PROGRESS: then if then in (S.SCHEDULED, S.IN_PROGRESS) else S.IN_PROGRESS,
        S.ASSESSING_CANCELLATION: then if then in (*FULFILMENT, S.REVISION_IN_PROGRESS) else S.IN_PROGRESS,
    }
    if state in before_request:
        origin = before_request[state]
        return (*way_to(origin, state), state)
    return {
        S.NEW: (),
        S.REJECTED: (S.REJECTED,),
        S.DRAFT: (S.REJECTED, S.DRAFT),
        S.SUBMITTED: (S.REJECTED, S.DRAFT, S.SUBMITTED),
        S.ENRICHMENT_IN_PROGRESS: (S.REJECTED, S.DRAFT, S.SUBMITTED, S.ENRICHMENT_IN_PROGRESS),
        S.ENRICHMENT_ON_HOLD: (S.REJECTED, S.DRAFT, S.SUBMITTED, S.ENRICHMENT_IN_PROGRESS, S.ENRICHMENT_ON_HOLD),
        S.ACKNOWLEDGED: (S.ACKNOWLEDGED,),
        S.IN_PROGRESS: begun,
        S.CANCELLED: (S.CANCELLED,),
        S.CANCELLATION_IN_PROGRESS: (*begun, S.ASSESSING_CANCELLATION, S.CANCELLATION_IN_PROGRESS),
        S.COMPLETED: (*begun, S.COMPLETED),
    }.get(state, (*begun, state))


def bring(database: Database, made: Ordered, state: OrderState, then: OrderState) -> None:
    for step in way_to(state, then):
        if step is S.COMPLETED:
            give_up_tasks(database, made.order_number)
        move(database, made.order_number, step)
    if (state, then) == (S.IN_PROGRESS, S.COMPLETED):
        give_up_tasks(database, made.order_number)


@pytest.mark.parametrize("current", list(S))
def test_the_service_performs_every_legal_move_and_no_other(database: Database, current: OrderState) -> None:
    """All 256 cells of the table: each legal one with a fresh order; what is refused leaves its order as it was."""
    legal = [wanted for wanted in S if wanted in ORDER_MOVES.moves[current]]
    for index, wanted in enumerate(legal):
        made = make_order(database, prefix=f"C{index}")
        bring(database, made, current, wanted)
        before = read_order(database, made.order_number)
        assert before.state is current
        assert wanted in legal_moves(before.order)
        told = len(states_sent(database, made.connection_id))
        move(database, made.order_number, wanted)
        after = read_order(database, made.order_number)
        assert after.state is wanted
        assert {line.state for line in after.lines} == {wanted}
        assert states_sent(database, made.connection_id)[told:] == [wanted]
    made = make_order(database, prefix="REFUSED")
    bring(database, made, current, current)
    before = read_order(database, made.order_number)
    assert before.state is current
    told = len(states_sent(database, made.connection_id))
    for wanted in [wanted for wanted in S if wanted not in legal]:
        with pytest.raises(IllegalMove) as refused:
            move(database, made.order_number, wanted)
        assert (refused.value.current, refused.value.wanted) == (current, wanted)
        assert wanted not in refused.value.legal
        assert read_order(database, made.order_number).order.row_version == before.order.row_version
        assert len(states_sent(database, made.connection_id)) == told


def test_approving_acknowledges_and_begins(database: Database) -> None:
    made = make_order(database, quantity=2)
    with database.transaction() as session:
        approve_order(session, made.order_number, actor=AGENT, now=NOW)
    assert states_sent(database, made.connection_id)[3:] == ["acknowledged", "in_progress"]
    locked = read_order(database, made.order_number)
    assert [(task.key, task.state) for task in locked.order_tasks] == [("build", "open"), ("ship", "draft")]
    assert [product.state for product in products_of(database, made.order_number)] == ["installation_pending"] * 2


def test_moving_step_by_step_and_approving_never_disagree(database: Database) -> None:
    made = make_order(database)
    move(database, made.order_number, S.ACKNOWLEDGED)
    assert read_order(database, made.order_number).order_tasks == []
    move(database, made.order_number, S.ON_HOLD, S.IN_PROGRESS, S.SCHEDULED, S.IN_PROGRESS)
    locked = read_order(database, made.order_number)
    assert [(task.key, task.state) for task in locked.order_tasks] == [("build", "open"), ("ship", "draft")]
    assert len(products_of(database, made.order_number)) == 1


def test_history_and_events_tell_the_same(database: Database) -> None:
    made = make_order(database, approved=True)
    with database.reading() as session:
        rows = session.execute(select(OrderStateChange).order_by(OrderStateChange.id)).scalars().all()
    assert [row.to_state for row in rows] == states_sent(database, made.connection_id)
    assert [row.from_state for row in rows] == [None, *(row.to_state for row in rows)][:-1]
    assert [row.actor for row in rows] == [f"connection/{made.connection_id}"] * 3 + [AGENT] * 2


def test_a_rejection_tells_its_reason(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        reject_order(session, made.order_number, reason="No such street.", actor=AGENT, now=NOW)
    with database.reading() as session:
        _, _, data = events_of(session, made.connection_id)[-1]
    assert (data["order_state"], data["reason"]) == ("rejected", "No such street.")
    move(database, made.order_number, S.DRAFT)
    made = make_order(database, prefix="B")
    with pytest.raises(InvalidFields), database.transaction() as session:
        move_order(session, made.order_number, S.REJECTED, reason="  ", actor=AGENT, now=NOW)


def test_completing_by_hand_waits_for_the_tasks(database: Database) -> None:
    made = make_order(database, approved=True)
    with pytest.raises(Conflict, match="2 are open: TASK0000001, TASK0000002") as refused:
        move(database, made.order_number, S.COMPLETED)
    assert refused.value.code == "tasks_open"
    assert read_order(database, made.order_number).state is S.IN_PROGRESS


@pytest.mark.parametrize("interruption", [S.ON_HOLD, S.REVISION_IN_PROGRESS, S.ASSESSING_CANCELLATION])
def test_declining_gives_back_what_every_level_had(database: Database, interruption: OrderState) -> None:
    made = make_order(database, approved=True)
    with database.transaction() as session:
        start_task(session, "TASK0000001", actor=AGENT, now=NOW)
    move(database, made.order_number, interruption)
    during = read_order(database, made.order_number)
    assert {line.state for line in during.lines} == {interruption}
    assert [task.state for task in during.order_tasks] == ["on_hold", "on_hold"]
    with pytest.raises(Conflict) as refused, database.transaction() as session:
        complete_task(session, "TASK0000001", actor=AGENT, now=NOW)
    assert refused.value.code == "order_not_in_progress"
    move(database, made.order_number, S.IN_PROGRESS)
    after = read_order(database, made.order_number)
    assert [task.state for task in after.order_tasks] == ["in_progress", "draft"]
    assert {task.previous_state for task in after.order_tasks} == {None}
    assert {line.state for line in after.lines} == {S.IN_PROGRESS}
    assert (after.order.saved_states, after.lines[0].saved_states) == ([], [])
    assert after.order.version == (1 if interruption is S.ON_HOLD else 2)


def test_a_request_may_interrupt_another_and_each_gives_its_own_back(database: Database) -> None:
    made = make_order(database, approved=True)
    with database.transaction() as session:
        start_task(session, "TASK0000001", actor=AGENT, now=NOW)
    move(database, made.order_number, S.REVISION_IN_PROGRESS, S.ASSESSING_CANCELLATION)
    assert set(legal_moves(read_order(database, made.order_number).order)) == {
        S.REVISION_IN_PROGRESS,
        S.CANCELLATION_IN_PROGRESS,
    }
    with pytest.raises(IllegalMove, match="revision_in_progress or cancellation_in_progress"):
        move(database, made.order_number, S.IN_PROGRESS)
    move(database, made.order_number, S.REVISION_IN_PROGRESS, S.IN_PROGRESS)
    after = read_order(database, made.order_number)
    assert [task.state for task in after.order_tasks] == ["in_progress", "draft"]
    assert after.order.version == 3


def test_an_approved_revision_goes_on_where_the_work_was(database: Database) -> None:
    made = make_order(database, approved=True)
    with database.transaction() as session:
        start_task(session, "TASK0000001", actor=AGENT, now=NOW)
    move(database, made.order_number, S.REVISION_IN_PROGRESS)
    with database.transaction() as session:
        approve_order(session, made.order_number, actor=AGENT, now=NOW)
    after = read_order(database, made.order_number)
    assert [task.state for task in after.order_tasks] == ["in_progress", "draft"]
    assert len(products_of(database, made.order_number)) == 1
    assert after.order.saved_states == []


def test_approving_and_rejecting_at_once_has_one_winner(database: Database) -> None:
    for round_number in range(10):
        made = make_order(database, prefix=f"R{round_number}")

        def approve(number: str = made.order_number) -> None:
            with database.transaction() as session:
                approve_order(session, number, actor=AGENT, now=NOW)

        def reject(number: str = made.order_number) -> None:
            with database.transaction() as session:
                reject_order(session, number, reason="No.", actor=AGENT, now=NOW)

        results = at_once([approve, reject])
        # Rejected may become In progress, but not Acknowledged: whoever is second is refused.
        assert sorted(type(result).__name__ for result in results) == ["IllegalMove", "NoneType"]
        assert read_order(database, made.order_number).state in (S.IN_PROGRESS, S.REJECTED)


def test_an_unknown_order_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound), database.transaction() as session:
        cancel_order(session, "ORD0000009", reason="", actor=AGENT, now=NOW)


def test_orders_are_listed_by_state(database: Database) -> None:
    made = [make_order(database, prefix=f"L{n}", approved=n == 1) for n in range(3)]
    with database.reading() as session:
        page = list_orders(session, state="new", limit=1)
        rest = list_orders(session, state="new", limit=1, after=page.next_key)
    assert [order.number for order in page.items + rest.items] == [made[0].order_number, made[2].order_number]
    assert rest.next_key is None
