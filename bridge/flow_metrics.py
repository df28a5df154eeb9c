"""Gauges that are read from the database when Prometheus asks, and one line of log for each request that was answered.

The counters in `bridge.web` belong to one process; these gauges are the same whichever web process answers.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import flask
from prometheus_client import ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bridge.database import Database
from bridge.errors import DatabaseBusy
from bridge.flow import Flow
from bridge.flow_recent import Pulse, read_pulses
from bridge.health import Beats, Condition
from bridge.jobs import RINGS_LOST
from bridge.logs import RECORD_FIELDS
from bridge.web import metrics_registry

log = logging.getLogger(__name__)

_LABELS = ("connection_id", "connection")
_UNLOGGED = frozenset({"/health", "/ready", "/metrics"})
_GAUGES: tuple[tuple[str, str, Callable[[Flow, datetime], float | None]], ...] = (
    ("sxg_connection_up", "1 while the connection is active, else 0.", lambda f, _: f.state == "active"),
    ("sxg_queue_depth", "Deliveries that are not settled, without the parked ones.", lambda f, _: f.waiting),
    ("sxg_oldest_pending_seconds", "Age of the oldest delivery that may be sent; 0 when there is none.",
     lambda f, now: _age_s(f.oldest_at, now) or 0.0),
    ("sxg_parked", "Deliveries that people must replay or skip.", lambda f, _: f.parked),
    ("sxg_breaker_failures", "Failures since the last success.", lambda f, _: f.failures),
    ("sxg_last_success_seconds", "Seconds since the other side last answered well; missing before the first time.",
     lambda f, now: _age_s(f.last_success_at, now)),
)  # fmt: skip


_UP = {Condition.UP: 1.0, Condition.SLOW: 1.0, Condition.DOWN: 0.0}
_SLOW = {Condition.UP: 0.0, Condition.SLOW: 1.0, Condition.DOWN: 0.0}
_DIRECTED = (*_LABELS, "direction")
_BEATS: tuple[tuple[str, str, Callable[[Beats, datetime], float | None]], ...] = (
    ("sxg_direction_up", "1 while heartbeats of the direction arrive, 0 once two are missed; missing before the first.",
     lambda beats, now: _UP.get(beats.condition(now))),
    ("sxg_direction_slow", "1 while its heartbeats arrive, but take longer than 2 s.",
     lambda beats, now: _SLOW.get(beats.condition(now))),
    ("sxg_round_trip_seconds", "How long its last heartbeat took to be answered.", lambda beats, _: beats.round_trip_s),
)  # fmt: skip


class FlowCollector(Collector):
    """Two queries a scrape. When the database does not answer, only `sxg_database_up 0` is told."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("sxg_database_up", "1 if the database answered this scrape.")
        try:
            with self._database.reading() as session:
                pulses = read_pulses(session, self._clock())
        except DatabaseBusy as busy:
            log.warning("no figures of the flow: %s", busy)
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _families(pulses, self._clock())


def _families(pulses: Sequence[Pulse], now: datetime) -> Iterator[GaugeMetricFamily]:
    flows = [pulse.flow for pulse in pulses]
    for name, meaning, read in _GAUGES:
        rows = [([flow.connection_id, flow.name], read(flow, now)) for flow in flows]
        yield _family(name, meaning, _LABELS, rows)
    latencies = [([pulse.flow.connection_id, pulse.flow.name, "0.95"], pulse.p95_s) for pulse in pulses]
    yield _family("sxg_latency_seconds", "How long the newest 50 attempts took.", (*_LABELS, "quantile"), latencies)
    for name, meaning, ask in _BEATS:
        directed = [
            ([flow.connection_id, flow.name, beats.direction], ask(beats, now))
            for flow in flows
            for beats in (flow.outbound, flow.inbound)
        ]
        yield _family(name, meaning, _DIRECTED, directed)


def _family(
    name: str, meaning: str, labels: Sequence[str], rows: Sequence[tuple[list[str], float | None]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for values, value in rows:
        if value is not None:
            family.add_metric(values, value)
    return family


def install_flow_metrics(app: flask.Flask, database: Database, clock: Callable[[], datetime]) -> None:
    """Give an app that `bridge.web.install` has prepared the figures of its flow, and a log of its requests."""
    registry = metrics_registry(app)
    registry.register(FlowCollector(database, clock))
    registry.register(RINGS_LOST)
    ProcessCollector(registry=registry)
    app.after_request(_log_answer)


def _log_answer(response: flask.Response) -> flask.Response:
    """By route, with the ids in it; the ids that the other side sent find the same message in its logs."""
    request = flask.request
    if request.path in _UNLOGGED:
        return response
    facts = {
        **{name: value for name, value in (request.view_args or {}).items() if isinstance(value, str)},
        "method": request.method,
        "route": request.url_rule.rule if request.url_rule else "unmatched",
        "status": response.status_code,
        "duration_ms": round((time.perf_counter() - flask.g.get("started_s", time.perf_counter())) * 1000, 1),
        "idempotency_key": request.environ.get("HTTP_IDEMPOTENCY_KEY"),
        "webhook_id": request.environ.get("HTTP_WEBHOOK_ID"),
        "actor": flask.g.get("actor"),
    }
    told = {name: value for name, value in facts.items() if value is not None and name not in RECORD_FIELDS}
    log.info("request answered", extra=told)
    return response


def _age_s(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else max(0.0, (now - moment).total_seconds())
