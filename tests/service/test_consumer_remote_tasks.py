"""What a consumer tells of its remote tasks when something was refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.carriers import CallAnswer
from bridge.models import Delivery
from consumer_sim.services import remote_task_calls as calls
from consumer_sim.services import remote_tasks, tickets
from tests.consumer_factories import NOW, Consumer, connected_consumer, rows
from tests.remote_worlds import make_told_definition


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


def test_the_provider_is_told_what_of_its_own_was_not_taken_and_nothing_else(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        definition = make_told_definition(session, acme, "Incidents")
        ticket = tickets.open_ticket(session, {"short_description": "Down"}, opened_by="Ada", now=NOW)
        task = tickets.tie_ticket(session, ticket, definition, opened_by="Ada", now=NOW)
        task.submission = "accepted"
        answer = CallAnswer(
            delivery_id="1", connection_id=acme.connection_id, stream=calls.stream_of(task), operation=calls.FIELDS,
            body={}, accepted=False, status=422, document={"code": "invalid_fields", "detail": "No."},
        )  # fmt: skip
        remote_tasks.settle_answer(session, answer, NOW)
        ours = {"direction": "outbound", "key": "priority", "label": "Priority", "kind": "refused", "reason": "No."}
        task.problems_here = [*task.problems_here, ours]
        calls.send_problems(session, task, NOW)
    sent = [json.loads(one.text) for one in rows(acme, Delivery) if (one.target or "").endswith("/problems")]
    assert sent == [{"problems": [{"key": "priority", "reason": "No."}]}]
