"""One consumer can see our states in other words than everybody: checked before, told at once, undone at will."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from bridge.database import Database
from bridge.mapping import Tables
from bridge.models import Connection, Delivery, MappingVersion
from provider.domain.errors import InvalidFields
from provider.domain.orders import OrderState
from provider.models.access import AuditEntry
from provider.services.mapping_overrides import change_mapping, reset_mapping, show_mapping, try_mapping
from provider.services.order_deliveries import replay_order_deliveries
from provider.services.order_view import show_order
from provider.services.orders import approve_order, move_order
from tests.factories import AGENT, NOW, Ordered, exchange_database, make_order, mapping_tables

TYPE = "exchange.provider_task.state_changed"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def tables(**rows: Any) -> dict[str, Any]:
    """The tables of everybody, with some rows changed; None takes a row away."""
    table = copy.deepcopy(vars(mapping_tables().tables[TYPE]))
    changed = {state: {**table["rows"].get(state, {}), **row} for state, row in rows.items() if row is not None}
    kept = {state: row for state, row in table["rows"].items() if rows.get(state, row) is not None}
    return {"order_state": {"rows": kept | changed}}


def change(database: Database, made: Ordered, document: dict[str, Any]) -> dict[str, Any]:
    with database.transaction() as session:
        return change_mapping(session, made.connection_id, document, actor=AGENT, now=NOW)


def labels_sent(database: Database, connection_id: str) -> list[tuple[str, str]]:
    """What the final texts for a connection say, oldest first."""
    with database.reading() as session:
        texts = select(Delivery.text).where(Delivery.connection_id == connection_id, Delivery.text.is_not(None))
        found = [json.loads(text) for text in session.execute(texts.order_by(Delivery.event_id)).scalars()]
    return [(event["data"]["order_state"], event["data"]["state_label"]) for event in found if event["type"] == TYPE]


def test_an_override_changes_what_this_consumer_is_told_and_nobody_else(database: Database) -> None:
    acme, other = make_order(database), make_order(database, prefix="GLOBEX")
    shown = change(database, acme, tables(acknowledged={"state_label": "Accepted"}))
    assert (shown["is_default"], shown["tables"]["order_state"]["rows"]["acknowledged"]["state_label"]) == (
        False,
        "Accepted",
    )
    with database.transaction() as session:
        for made in (acme, other):
            approve_order(session, made.order_number, actor=AGENT, now=NOW)
        assert show_mapping(session, other.connection_id)["is_default"]
    assert ("acknowledged", "Accepted") in labels_sent(database, acme.connection_id)
    assert ("acknowledged", "Work in Progress") in labels_sent(database, other.connection_id)


def test_what_is_seen_otherwise_now_is_told_again_and_only_that(database: Database) -> None:
    new, approved = make_order(database), make_order(database, approved=True, prefix="GLOBEX")
    for made in (new, approved):
        change(database, made, tables(new={"state_label": "In our queue"}))
    assert labels_sent(database, new.connection_id)[-2:] == [("new", "Received"), ("new", "In our queue")]
    assert labels_sent(database, approved.connection_id)[-1] == ("in_progress", "Work in progress")
    with database.reading() as session:
        task = show_order(session, new.order_number)["provider_task"]
    assert task["state_label"] == "In our queue"


def test_the_default_comes_back_and_is_told(database: Database) -> None:
    made = make_order(database)
    change(database, made, tables(new={"state_label": "In our queue"}))
    with database.transaction() as session:
        shown = reset_mapping(session, made.connection_id, actor=AGENT, now=NOW)
        again = reset_mapping(session, made.connection_id, actor=AGENT, now=NOW)
    assert shown == again
    assert (shown["is_default"], len(shown["versions"])) == (True, 1)
    assert [label for _, label in labels_sent(database, made.connection_id)][-2:] == ["In our queue", "Received"]
    with database.reading() as session:
        audited = select(func.count()).where(AuditEntry.action == "mapping.change")
        assert session.execute(audited).scalar_one() == 2


def test_each_change_is_a_version_and_the_same_again_is_none(database: Database) -> None:
    made = make_order(database)
    first = change(database, made, tables(new={"state_label": "One"}))
    same = change(database, made, tables(new={"state_label": "One"}))
    second = change(database, made, tables(new={"state_label": "Two"}))
    assert first == same
    assert second["version"] > first["version"]
    assert [row["version"] for row in second["versions"]] == [second["version"], first["version"]]


@pytest.mark.parametrize(
    ("rows", "pointer", "code"),
    [
        ({"completed": None}, "/rows", "required"),
        ({"finished": {"state": "closed"}}, "/rows/finished", "unknown"),
        ({"new": {"state": "recieved"}}, "/rows/new/state", "unknown"),
        ({"new": {"state_label": " "}}, "/rows/new/state_label", "text"),
        ({"new": {"state_label": "a" * 256}}, "/rows/new/state_label", "text"),
        ({"new": {"state_label": "\x00"}}, "/rows/new/state_label", "text"),
        ({"new": {"state_label": 7}}, "/rows/new/state_label", "text"),
        ({"new": {"price": "1"}}, "/rows/new/price", "unknown"),
    ],
)
def test_tables_are_checked_before_use(database: Database, rows: Any, pointer: str, code: str) -> None:
    made = make_order(database)
    for act in (
        lambda: change(database, made, tables(**rows)),
        lambda: tried(database, made, tables(**rows)),
    ):
        with pytest.raises(InvalidFields) as refused:
            act()
        assert (f"/tables/order_state{pointer}", code) in [(e.pointer, e.code) for e in refused.value.errors]
    with database.reading() as session:
        assert session.execute(select(func.count()).select_from(MappingVersion)).scalar_one() == 0
    assert len(labels_sent(database, made.connection_id)) == 3


def test_a_state_of_a_provider_task_that_is_nearly_right_is_named(database: Database) -> None:
    with pytest.raises(InvalidFields, match="did you mean received"):
        change(database, make_order(database), tables(new={"state": "recieved"}))


def tried(database: Database, made: Ordered, document: dict[str, Any], limit: int = 100) -> dict[str, Any]:
    with database.reading() as session:
        return try_mapping(session, made.connection_id, document, limit=limit)


def test_a_dry_run_shows_what_would_change_of_the_last_events_and_changes_nothing(database: Database) -> None:
    made, other = make_order(database, approved=True), make_order(database, prefix="GLOBEX")
    document = tables(new={"state_label": "In our queue"}, acknowledged={"state": "received"})
    report = tried(database, made, document)
    assert report["checked"] == 5
    shown = [(row["before"]["order_state_label"], row["after"]["state"], row["after"]["state_label"])
             for row in report["changed"]]  # fmt: skip
    assert shown == [("Acknowledged", "received", "Work in Progress"), ("New", "received", "In our queue")]
    assert {row["number"] for row in report["changed"]} == {made.request["number"]}
    assert tried(database, made, document, limit=1) == {"checked": 1, "changed": []}
    assert tried(database, made, tables())["changed"] == []
    with database.reading() as session:
        assert show_mapping(session, made.connection_id)["is_default"]
        assert session.execute(select(func.count()).select_from(MappingVersion)).scalar_one() == 0
    assert len(labels_sent(database, made.connection_id)) == 5
    assert len(labels_sent(database, other.connection_id)) == 3


def test_a_hole_parks_only_what_it_touches_and_is_replayed_from_the_order_once_it_is_mended(
    database: Database,
) -> None:
    """A hole can come with a new version of ours that knows a state more than a consumer's own table."""
    made, untouched = make_order(database, approved=True), make_order(database, approved=True, prefix="GLOBEX")
    holed = Tables({TYPE: replace(mapping_tables().tables[TYPE], rows=tables(on_hold=None)["order_state"]["rows"])})
    with database.transaction() as session:
        version = MappingVersion(connection_id=made.connection_id, document=holed.to_json(), created_at=NOW)
        session.add(version)
        session.flush()
        session.get_one(Connection, made.connection_id).mapping_version = version.version
    for number in (made.order_number, untouched.order_number):
        with database.transaction() as session:
            move_order(session, number, OrderState.ON_HOLD, reason="Waits for parts", actor=AGENT, now=NOW)
    with database.reading() as session:
        delivery = show_order(session, made.order_number)["delivery"]
        (parked,) = [event for event in delivery["events"] if event["state"] == "parked"]
        assert "no row for on_hold" in parked["reason"]
        assert (delivery["state"], delivery["parked"]) == ("parked", parked["id"])
        products = [event for event in delivery["events"] if event["stream"].startswith("product/")]
        assert {event["state"] for event in products} == {"waiting"}  # other streams of the same order go on
        assert show_order(session, untouched.order_number)["delivery"]["parked"] is None
    change(database, made, tables(on_hold={"state_label": "Paused"}))
    with database.transaction() as session:
        replay_order_deliveries(session, made.order_number, actor=AGENT, now=NOW)
        assert show_order(session, made.order_number)["delivery"]["state"] == "waiting"
    assert ("on_hold", "Paused") in labels_sent(database, made.connection_id)
