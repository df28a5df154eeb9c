"""A cancellation and the task that is the point of no return, both at once, again and again: who wins?"""

import random
import time
from collections import Counter
from dataclasses import dataclass, field

from bridge.database import Database
from bridge.models import Connection
from provider.domain.errors import Conflict
from provider.domain.orders import OrderState
from provider.models.catalog import RemoteRecordProducer
from provider.services.intake import cancel_provider_task, submit_provider_task
from provider.services.order_tasks import complete_task
from provider.services.orders import approve_order
from tests.factories import AGENT, NOW, Ordered, at_once, events_of, make_consumer, make_request, make_router_item
from tests.factories import read_order as read

SHIP = {"task_templates": [{"key": "ship", "name": "Ship", "depends_on": [], "point_of_no_return": True}]}
_JITTER_S = 0.005
"""About as long as either of them takes."""
CANCELLED, TOO_LATE = "cancellation", "point of no return"


@dataclass
class Tally:
    """Who won how often, and each round after which both sides had won, or neither."""

    winners: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def race(database: Database, rounds: int) -> Tally:
    """Two threads and two transactions a round, which begin at nearly the same time and overlap in any way."""
    tally, chance = Tally(), random.Random(rounds)
    with database.transaction() as session:
        connection = make_consumer(session, "RACE")
        item = make_router_item(session, connection.id, **SHIP)
    for number in range(1, rounds + 1):
        made, task = _make_order(database, connection, item, number)

        def cancel(made: Ordered = made) -> None:
            time.sleep(chance.uniform(0, _JITTER_S))
            with database.transaction() as session:
                cancel_provider_task(session, made.connection_id, made.task_id, reason="Too late?", now=NOW)

        def complete(task: str = task) -> None:
            time.sleep(chance.uniform(0, _JITTER_S))
            with database.transaction() as session:
                complete_task(session, task, actor=AGENT, now=NOW)

        _judge(database, tally, made, at_once([cancel, complete]))
    return tally


def told_both(database: Database, connection_id: str) -> list[str]:
    """Requests whose consumer was told that the order is being cancelled, and that it is too late for that."""
    with database.reading() as session:
        data = [data for *_, data in events_of(session, connection_id) if "ponr" in data]
    past = {one["task_id"] for one in data if one["ponr"]}
    return sorted(past & {one["task_id"] for one in data if one["order_state"] == "assessing_cancellation"})


def _make_order(
    database: Database, connection: Connection, item: RemoteRecordProducer, number: int
) -> tuple[Ordered, str]:
    """An order in progress of one task, and the number of that."""
    request = make_request(item, number, "RACE")
    with database.transaction() as session:
        accepted = submit_provider_task(session, connection.id, request, now=NOW)
        order = approve_order(session, accepted.acceptance["order_number"], actor=AGENT, now=NOW)
    (task,) = read(database, order.number).order_tasks
    return Ordered(connection.id, request, request["id"], order.number), task.number


def _judge(database: Database, tally: Tally, made: Ordered, results: list[object]) -> None:
    locked = read(database, made.order_number)
    refused = [result.code for result in results if isinstance(result, Conflict)]
    others = [result for result in results if isinstance(result, Exception) and not isinstance(result, Conflict)]
    found = (locked.state, locked.order.ponr, locked.order.version, refused)
    ends = {
        (OrderState.ASSESSING_CANCELLATION, False, 2, "order_not_in_progress"): CANCELLED,
        (OrderState.COMPLETED, True, 1, "past_point_of_no_return"): TOO_LATE,
    }
    winner = ends.get((*found[:3], refused[0])) if len(refused) == 1 and not others else None
    if winner is None:
        tally.broken.append(f"{made.order_number}: {found} {others}")
    else:
        tally.winners[winner] += 1
