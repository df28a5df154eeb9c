"""What Prometheus and the log are told of the flow to each connection."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge import outbox
from bridge.logs import JsonFormatter, configure_logging
from bridge.models import Attempt, Connection, Delivery, Heartbeat, Lease, Stream
from bridge.vocabulary import EventType
from tests.api.provider_client import context_of, make_app, user_headers
from tests.factories import NOW


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(database_url, tmp_path)
    yield app
    context_of(app).database.close()


def connect(app: flask.Flask, name: str, state: str = "active", told: int = 0, **learnt: Any) -> str:
    connection_id = str(uuid4())
    with context_of(app).database.transaction() as session:
        session.add(Connection(id=connection_id, name=name, state=state, settings={}, created_at=NOW))
        session.add(Lease(connection_id=connection_id, **learnt))
        session.flush()
        for n in range(told):
            outbox.record_event(
                session, "product/1", EventType.PRODUCT_CHANGED, {"n": n}, to=[connection_id],
                now=NOW - timedelta(seconds=90),
            )  # fmt: skip
    return connection_id


def scrape(app: flask.Flask) -> dict[tuple[str, str], float]:
    """Value by (metric, connection's name)."""
    text = app.test_client().get("/metrics").get_data(as_text=True)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, sample.labels.get("connection", "")): sample.value for sample in samples}


def test_each_connection_has_its_gauges(app: flask.Flask) -> None:
    connect(app, "acme", told=3, failures=4, failing_since=NOW, last_success_at=NOW - timedelta(minutes=2))
    connect(app, "umbrella", "paused")
    told = scrape(app)
    assert told["sxg_database_up", ""] == 1
    wanted = {"sxg_connection_up": 1, "sxg_queue_depth": 3, "sxg_oldest_pending_seconds": 90, "sxg_parked": 0,
              "sxg_breaker_failures": 4, "sxg_last_success_seconds": 120}  # fmt: skip
    assert {name: told[name, "acme"] for name in wanted} == wanted
    wanted = {"sxg_connection_up": 0, "sxg_queue_depth": 0, "sxg_oldest_pending_seconds": 0}
    assert {name: told[name, "umbrella"] for name in wanted} == wanted
    assert ("sxg_last_success_seconds", "umbrella") not in told, "there was none yet"
    assert ("sxg_rings_lost_total", "") in told
    assert ("process_resident_memory_bytes", "") in told


def test_parked_deliveries_are_told(app: flask.Flask) -> None:
    connect(app, "acme", told=2)
    with context_of(app).database.transaction() as session:
        session.query(Delivery).filter_by(sequence=1).update({"state": "parked", "error": "no"})
        session.query(Stream).update({"due_at": None, "blocked_by": 1})
    told = scrape(app)
    assert (told["sxg_parked", "acme"], told["sxg_queue_depth", "acme"]) == (1, 1)


def test_a_revoked_connection_is_told_no_more(app: flask.Flask) -> None:
    connect(app, "acme", "revoked")
    assert ("sxg_connection_up", "acme") not in scrape(app)


def test_a_database_that_is_away_does_not_take_the_other_figures_with_it(sqlite_url: str, tmp_path: Path) -> None:
    app = make_app(sqlite_url, tmp_path)
    with context_of(app).database.transaction() as session:
        session.connection().exec_driver_sql("alter table leases rename to leases_away")
    told = scrape(app)
    context_of(app).database.close()
    assert told["sxg_database_up", ""] == 0
    assert ("process_resident_memory_bytes", "") in told


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logging("provider-web", stream=stream)
    yield stream
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler.formatter, JsonFormatter)]:
        root.removeHandler(handler)


def test_each_answer_is_one_line_of_log_with_its_ids(app: flask.Flask, logged: io.StringIO) -> None:
    client, headers = app.test_client(), user_headers(app, "viewer")
    client.get("/health")
    client.get("/api/v1/orders/ORD0001042?x=1", headers={**headers, "X-Request-Id": "r-1", "Idempotency-Key": "d-1"})
    (line,) = [json.loads(line) for line in logged.getvalue().splitlines() if "request answered" in line]
    wanted = {"request_id": "r-1", "number": "ORD0001042", "idempotency_key": "d-1", "method": "GET", "status": 404,
              "route": "/api/v1/orders/<number>", "service": "provider-web"}  # fmt: skip
    assert {name: line[name] for name in wanted} == wanted
    assert line["actor"].startswith("user/")
    assert headers["Authorization"].split()[1] not in logged.getvalue()


def test_an_argument_of_a_route_that_logging_has_a_name_of_its_own_for_is_left_out(
    app: flask.Flask, logged: io.StringIO
) -> None:
    with app.test_client().get("/static/webkit/webkit.css") as answer:  # its argument is `filename`
        assert (answer.status_code, answer.mimetype) == (200, "text/css")
    (line,) = [json.loads(line) for line in logged.getvalue().splitlines() if "request answered" in line]
    assert (line["route"], line["status"]) == ("/static/webkit/<path:filename>", 200)


def test_each_direction_tells_whether_its_heartbeats_arrive_and_how_long_they_take(app: flask.Flask) -> None:
    connection_id = connect(app, "acme")
    with context_of(app).database.transaction() as session:
        beats = {"connection_id": connection_id, "beat_at": NOW, "every_s": 30.0, "answered_at": NOW}
        session.add(Heartbeat(direction="out", missed=2, error="no answer", round_trip_s=0.5, **beats))
        session.add(Heartbeat(direction="in", round_trip_s=3.0, **beats))
        session.add(
            Attempt(
                connection_id=connection_id, started_at=NOW, duration_s=0.25, events=1, outcome="judged", status=200
            )
        )
    text = app.test_client().get("/metrics").get_data(as_text=True)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    told = {(s.name, s.labels["direction"]): s.value for s in samples if "direction" in s.labels}
    assert told == {
        ("sxg_direction_up", "out"): 0, ("sxg_direction_slow", "out"): 0, ("sxg_round_trip_seconds", "out"): 0.5,
        ("sxg_direction_up", "in"): 1, ("sxg_direction_slow", "in"): 1, ("sxg_round_trip_seconds", "in"): 3,
    }  # fmt: skip
    assert [s.value for s in samples if s.labels.get("quantile") == "0.95"] == [0.25]
