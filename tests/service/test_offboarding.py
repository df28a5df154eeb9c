"""A connection ends from either side, also with the other side dead, and touches no row of any other connection."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from bridge import farewells
from bridge.belongings import find_belongings
from bridge.config import InstanceConfig
from bridge.database import Database
from bridge.identity import Keyring
from bridge.models import (
    Connection,
    Delivery,
    Farewell,
    Heartbeat,
    HeldEvent,
    InboxMessage,
    InboxStream,
    Issue,
    OutboxEvent,
    Rotation,
)
from provider.models.inventory import Product
from provider.models.orders import CustomerOrder
from provider.services.connections import revoke_connection
from sxg.failures import CommandFailed
from sxg.leftovers import read_metadata, save_leftovers
from tests.factories import AGENT, NOW, exchange_database, make_order

METADATA = read_metadata("provider")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def fill(database: Database, keyring: Keyring, prefix: str) -> str:
    """A connection with rows in every corner."""
    connection_id = make_order(database, approved=True, prefix=prefix).connection_id
    with database.transaction() as session:
        session.get_one(Connection, connection_id).secrets = keyring.seal({"webhook": ["whsec_x"]})
        beat = {"connection_id": connection_id, "beat_at": NOW, "every_s": 30.0}
        session.add_all([Heartbeat(direction="out", **beat), Heartbeat(direction="in", **beat)])
        session.add(Issue(connection_id=connection_id, kind="slow", fault="slow", first_at=NOW, last_at=NOW))
        session.add(
            Rotation(connection_id=connection_id, secret="webhook_secret", state="done", grace_s=0, started_at=NOW)
        )
        event_id = session.scalars(select(Delivery.event_id).where(Delivery.connection_id == connection_id)).first()
        session.add(HeldEvent(connection_id=connection_id, event_id=event_id, type="x", held_at=NOW))
        stream = InboxStream(connection_id=connection_id, stream="toy/1")
        session.add(stream)
        session.flush()
        session.add(
            InboxMessage(stream_id=stream.id, sequence=1, id=connection_id, contenthash="0" * 64, received_at=NOW)
        )
    return connection_id


def rows_of(session: Session, connection_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a connection as it stands in the database, by table, its own one and its facts included."""
    owned: dict[Table, Any] = find_belongings(METADATA, connection_id)
    facts = select(Delivery.event_id).where(Delivery.connection_id == connection_id)
    owned |= {
        Connection.__table__: Connection.id == connection_id,  # type: ignore[dict-item]
        OutboxEvent.__table__: OutboxEvent.id.in_(facts),  # type: ignore[dict-item]
    }
    return {
        table.name: [tuple(row) for row in session.execute(select(table).where(ours).order_by(*table.primary_key))]
        for table, ours in owned.items()
    }


def configured(url: str, directory: Path) -> InstanceConfig:
    return InstanceConfig(url, "", directory, "http://127.0.0.1:1", "northwind", "Northwind", (), 30.0, 5.0, "")


def test_ending_one_connection_and_removing_its_data_leaves_every_row_of_all_others_as_it_was(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    keyring = Keyring.load(tmp_path / "keys")
    ended, *others = (fill(database, keyring, prefix) for prefix in ("ACME", "BETA", "GAMMA"))
    with database.reading() as session:
        before = [rows_of(session, other) for other in others]
        filled = {name for name, rows in before[0].items() if rows}
    assert {"order_tasks", "products", "deliveries", "streams", "inbox_messages", "heartbeats", "issues",
            "rotations", "held_events", "entitlements", "provider_tasks", "order_lines"} <= filled  # fmt: skip
    with database.transaction() as session:
        revoke_connection(session, ended, reason="over", actor=AGENT, now=NOW)
    to = tmp_path / "ended.jsonl"
    removed = save_leftovers("provider", configured(database_url, tmp_path), ended, to, remove=True)
    with database.reading() as session:
        assert [rows_of(session, other) for other in others] == before
        left = {name for name, rows in rows_of(session, ended).items() if rows}
        assert session.get_one(Connection, ended).state == "revoked"
        facts = set(session.scalars(select(OutboxEvent.data).where(OutboxEvent.data == "{}")))
    assert left == {"connections"}
    assert facts == {"{}"}, "what only it was told is empty"
    assert removed["customer_orders"] == 1
    lines = [json.loads(line) for line in to.read_text().splitlines()]
    assert {"connections", "customer_orders", "deliveries", "outbox_events"} <= {line["table"] for line in lines}
    assert "whsec_x" not in to.read_text()
    assert len([line for line in lines if line["table"] == "products"]) == removed["products"] > 0


def test_orders_and_products_of_an_ended_connection_stay_readable(database: Database, tmp_path: Path) -> None:
    ended = fill(database, Keyring.load(tmp_path / "keys"), "ACME")
    with database.transaction() as session:
        revoke_connection(session, ended, reason="over", actor=AGENT, now=NOW)
    with database.reading() as session:
        assert session.scalars(select(CustomerOrder).where(CustomerOrder.connection_id == ended)).one()
        assert session.scalars(select(Product).where(Product.connection_id == ended)).all()


def test_what_is_not_ended_is_not_saved_or_removed(database: Database, database_url: str, tmp_path: Path) -> None:
    alive = fill(database, Keyring.load(tmp_path / "keys"), "ACME")
    with pytest.raises(CommandFailed, match="revoke it first"):
        save_leftovers("provider", configured(database_url, tmp_path), alive, tmp_path / "x.jsonl", remove=True)
    assert not (tmp_path / "x.jsonl").exists()


def test_every_table_that_names_a_connection_is_found_or_kept_on_purpose() -> None:
    for side in ("provider", "consumer"):
        metadata = read_metadata(side)
        named = {table.name for one in metadata for table in one.sorted_tables if "connection_id" in table.c}
        found = {table.name for table in find_belongings(metadata, "x")}
        assert named - found == named & {"registrations", "provider_connections", "farewells"}


def test_a_farewell_is_said_once_at_a_time_ever_later_and_given_up_after_a_month(
    database: Database, tmp_path: Path
) -> None:
    keyring = Keyring.load(tmp_path / "keys")
    ended = fill(database, keyring, "ACME")
    with database.transaction() as session:
        revoke_connection(session, ended, reason="over", actor=AGENT, now=NOW)
        assert session.get_one(Connection, ended).secrets is None
    now, tries = NOW, 0
    while True:
        with database.transaction() as session:
            partings = farewells.claim_farewells(session, now=now)
            assert farewells.claim_farewells(session, now=now) == []
        if not partings:
            break
        assert (partings[0].reason, keyring.open(partings[0].connection)["webhook"]) == ("over", ["whsec_x"])
        tries += 1
        with database.transaction() as session:
            farewells.settle_farewell(session, ended, "nobody there", now=now)
            following = session.get_one(Farewell, ended).next_at
        now = following or now + timedelta(days=365)
    assert 30 < tries < 60
    with database.reading() as session:
        farewell = session.get_one(Farewell, ended)
        assert (farewell.secrets, farewell.told_at, farewell.problem) == (None, None, "nobody there")
