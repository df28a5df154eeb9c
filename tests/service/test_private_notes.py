"""A private work note leaves in nothing: every payload, page and answer that a consumer may get is walked for it."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import flask
import pytest
from sqlalchemy import select, text

from bridge.attachments import AttachmentLimits
from provider.models.orders import WorkNote
from provider.services.attachments import attach_file
from provider.services.cancellations import cancel_order
from provider.services.comments import add_reply, add_work_note
from provider.services.order_tasks import complete_task, start_task
from provider.services.orders import approve_order
from tests.api.provider_client import context_of, make_app
from tests.api.test_exchange_tasks import Consumer
from tests.factories import AGENT, NOW

CANARY = "CANARY-only-for-colleagues"
MAY_HOLD = {"work_notes"}
"""The only tables of the provider in which a note stands."""


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


def live(app: flask.Flask, acme: Consumer) -> dict[str, Any]:
    """A request's whole life, with a note after each step."""
    context, task = context_of(app), acme.order()
    number = task["order_number"]
    who: dict[str, Any] = {"actor": AGENT, "now": NOW}
    kept = context.files.keep(BytesIO(b"A plan."), "plan.txt", AttachmentLimits())

    def step(act: Any) -> None:
        with context.transaction() as session:
            act(session)
            add_work_note(session, number, text=f"{CANARY} {act}", author=AGENT, now=NOW)

    step(lambda session: add_reply(session, number, text="Which gate?", author_name="Ann", now=NOW))
    step(lambda session: attach_file(
        session, number, name="plan.txt", media_type="text/plain", kept=kept, author_name="Ann",
        limits=AttachmentLimits(), now=NOW,
    ))  # fmt: skip
    step(lambda session: approve_order(session, number, **who))
    with context.database.reading() as session:
        first = session.execute(text("select number from order_tasks order by number")).scalars().first()
    step(lambda session: start_task(session, str(first), **who))
    step(lambda session: complete_task(session, str(first), **who))
    step(lambda session: cancel_order(session, number, reason="Ordered twice", **who))
    return task


def test_no_payload_and_no_answer_holds_a_private_note(app: flask.Flask) -> None:
    acme = Consumer(app)
    task = live(app, acme)
    database = context_of(app).database
    with database.reading() as session:
        notes = session.scalars(select(WorkNote.text)).all()
        tables = session.execute(text("select name from sqlite_master where type = 'table'")).scalars().all()
        holding = {name for name in tables if CANARY in repr(session.execute(text(f'select * from "{name}"')).all())}
        sent = session.execute(text("select text from deliveries")).scalars().all()
    assert len(notes) == 6 and len(sent) > 5, "so that the absence means something"
    assert holding == MAY_HOLD, "rows that could be sent hold none"
    asked = 0
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/exchange/") and "GET" in (rule.methods or ()):
            path = rule.rule.replace("<task_id>", task["task_id"])
            path = path.replace("<item_id>", acme.item.identity)
            answer = acme.client.get(path, headers=acme.headers, buffered=True)
            assert CANARY not in answer.text, path
            asked += answer.status_code == 200
    assert asked >= 6
