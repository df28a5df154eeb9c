"""No statement of the way from a recorded event to its effect reads a table that grows with the history: each reaches
its rows by an index, on both databases, whatever the planner believes of the tables' sizes.
"""

import json
import re
from collections.abc import Iterator, Set
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event, text

from bridge import flow
from bridge.database import Database
from bridge.models import Base
from consumer_sim.models import Base as ConsumerBase
from tests.consumer_factories import comment_added, connected_consumer, product_changed, state_changed
from tests.toy import ToyShop, add_connection, make_keyring, make_station, record, toy_database

GROWING = {"streams", "outbox_events", "deliveries", "attempts", "inbox_streams", "inbox_messages"} | {
    "provider_tasks", "task_states", "comments", "products", "held_calls",
}  # fmt: skip
assert {*Base.metadata.tables, *ConsumerBase.metadata.tables} >= GROWING
PEERS = {"connections", "provider_connections"}
"""Tables that a receiver with many providers does not read as a whole either; the sweeper asks of each connection what
is due there.
"""
SMALL_PART = {"ix_deliveries_parked"}
"""Indexes of the few rows that wait for people: all of a connection's may be read."""

_ADDS_ROWS = re.compile(r"insert into \w+ \([^)]*\) values", re.IGNORECASE)
"""Such a statement reads nothing, though SQLite shows a scan of the table that refers to the new row: it is made only
while a foreign key is violated.
"""

Statement = tuple[str, Any]


@contextmanager
def statements_of(engine: Engine) -> Iterator[dict[str, Statement]]:
    """Every different statement that runs on the engine meanwhile, with the parameters it ran with first."""
    found: dict[str, Statement] = {}

    def keep(_link: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.split(None, 1)[0].upper() in {"SELECT", "UPDATE", "INSERT", "DELETE", "WITH"}:
            found.setdefault(statement, (statement, parameters[0] if many else parameters))

    event.listen(engine, "before_cursor_execute", keep)
    yield found
    event.remove(engine, "before_cursor_execute", keep)


def scans(database: Database, statement: Statement, of: Set[str] = GROWING) -> list[str]:
    """What of the statement's plan reads more of those tables than the rows it names."""
    text_run, parameters = statement
    if _ADDS_ROWS.match(text_run):
        return []
    if database.engine.dialect.name == "postgresql":
        return _postgresql_scans(database, text_run, parameters, of)
    with database.reading() as session:
        rows = session.connection().exec_driver_sql(f"explain query plan {text_run}", parameters).all()
    return [row.detail for row in rows if _reads_too_much(row.detail, of)]


def _reads_too_much(detail: str, of: Set[str]) -> bool:
    """In SQLite's words: SCAN is a whole table or index, SEARCH by nothing but the connection a large part of it."""
    found = re.match(r"(SCAN|SEARCH) (\w+)(?: USING .*?INDEX (\w+))?(?: \((.*)\))?", detail)
    if found is None or found[2] not in of or found[3] in SMALL_PART:
        return False
    return found[1] == "SCAN" or (found[4] == "connection_id=?" and found[2] not in PEERS)  # of these one row is meant


def _postgresql_scans(database: Database, statement: str, parameters: Any, of: Set[str]) -> list[str]:
    """A table of few rows is read as a whole unless that is forbidden; what still is has no index that fits."""
    with database.reading() as session:
        session.execute(text("set local enable_seqscan = off"))
        (plan,) = session.connection().exec_driver_sql(f"explain (format json) {statement}", parameters).scalar_one()
    return [said for node in _nodes(plan["Plan"]) if (said := _what_is_wrong(node, of))]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _what_is_wrong(node: dict[str, Any], of: Set[str]) -> str | None:
    kind, table, condition = node["Node Type"], node.get("Relation Name"), node.get("Index Cond")
    if table not in of or kind in {"ModifyTable", "Bitmap Heap Scan"}:
        return None
    if kind in {"Index Scan", "Index Only Scan"} and condition:
        return None
    return f"{kind} of {table}: {json.dumps(node)}"


def assert_none_scans(
    database: Database, found: dict[str, Statement], *, at_least: int, of: Set[str] = GROWING
) -> None:
    assert len(found) >= at_least, sorted(found)
    wrong = {text_run: read for text_run, ran in found.items() if (read := scans(database, ran, of))}
    assert not wrong, "\n".join(f"{text_run}\n  {read}" for text_run, read in wrong.items())


def test_recording_and_sending_read_no_history(database_url: str, tmp_path: Path) -> None:
    keyring, ids = make_keyring(tmp_path), list[str]()
    shop = ToyShop(toy_database(f"sqlite:///{tmp_path / 'shop.db'}"), lambda: ids)
    shop.handler.refused.add("toy/robot")
    with closing(shop), closing(toy_database(database_url)) as database:
        with database.transaction() as session:
            ids.append(add_connection(session, keyring, shop.url))
        station = make_station(database, keyring)
        with statements_of(database.engine) as found:
            with database.transaction() as session:
                for toy in ("bear", "robot", "kite"):
                    record(session, ids[0], toy, 2, now=datetime.now(UTC))
            station.drain(ids[0])  # one toy is refused: its stream is held
            station.sweep()
            with database.reading() as session:
                flow.read_flow(session, ids[0])
        assert len(shop.effects()) == 4
        assert_none_scans(database, found, at_least=15)


def test_receiving_reads_no_history(database_url: str, tmp_path: Path) -> None:
    task, product = str(uuid4()), str(uuid4())
    with connected_consumer(database_url, tmp_path) as consumer:
        database = consumer.context.database
        with statements_of(database.engine) as found:
            batch = [state_changed(task, 1), comment_added(task, 2), product_changed(product, 1)]
            assert consumer.verdicts(batch) == ["applied"] * 3
            assert consumer.verdicts(batch) == ["duplicate"] * 3
            assert consumer.verdicts([state_changed(task, 4)]) == ["gap"]
            assert consumer.verdicts([state_changed(task, 3)]) == ["applied"]
        assert_none_scans(database, found, at_least=12, of=GROWING | PEERS)


@pytest.mark.parametrize(
    "statement",
    [
        "select count(*) from deliveries where state = 'delivered'",
        "select id from streams where failures > 0",
        "select * from inbox_messages where id = '00000000000000000000000000000000'",
        "update attempts set detail = null where started_at is null",
    ],
)
def test_a_statement_without_an_index_is_found_out(database_url: str, statement: str) -> None:
    with closing(toy_database(database_url)) as database:
        assert scans(database, (statement, ()))


def test_all_of_a_connection_is_too_much(sqlite_url: str) -> None:
    """Asked of SQLite alone, which decides without looking at how many rows there are."""
    with closing(toy_database(sqlite_url)) as database:
        assert scans(database, ("select id from streams where connection_id = 'x' and failures > 0", ()))
        assert not scans(database, ("select id from streams where connection_id = 'x' and due_at < 'y'", ()))
