"""Publishing to consumers: who is told what, and nobody else."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import select

from bridge.database import Database
from bridge.vocabulary import ConnectionState
from provider.domain.errors import Conflict, InvalidFields, NotFound
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer
from provider.services.catalog import retire_offering
from provider.services.catalog_import import import_catalog
from provider.services.producers import publish_producer, retire_producer
from tests.factories import (
    NOW,
    events_of,
    get_orderable_item,
    import_small_catalog,
    make_connection,
    provider_database,
    publish_to_all,
    small_catalog,
)

CHANGED = "exchange.catalog_item.changed"
REMOVED = "exchange.catalog_item.removed"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


def test_only_those_of_the_criteria_are_told(database: Database) -> None:
    with database.transaction() as session:
        one, other = make_connection(session, name="one"), make_connection(session, name="other")
        draft = import_small_catalog(session)
        publish_producer(session, draft.identity, {"connection_ids": [one.id]}, "user/ann", NOW)
        (event,) = events_of(session, one.id)
        assert event[:2] == (CHANGED, f"catalog_item/{draft.identity}")
        assert event[2] == {
            "item_id": draft.identity,
            "revision": 1,
            "name": "Business Line",
            "short_description": "A line for businesses",
            "category": "Networking",
            "kind": "product",
            "form": draft.form,
            "orderable": True,
            "compatibility": "1.0",
        }
        assert events_of(session, other.id) == []


def test_changing_the_audience_tells_only_those_it_changes_for(database: Database) -> None:
    with database.transaction() as session:
        stays, leaves, comes = (make_connection(session, name=name) for name in ("stays", "leaves", "comes"))
        identity = import_small_catalog(session).identity
        publish_producer(session, identity, {"connection_ids": [stays.id, leaves.id]}, "user/ann", NOW)
    with database.transaction() as session:
        publish_producer(session, identity, {"connection_ids": [stays.id, comes.id]}, "user/ann", NOW)
        assert [event[0] for event in events_of(session, stays.id)] == [CHANGED]
        assert [event[0] for event in events_of(session, comes.id)] == [CHANGED]
        assert [event[0] for event in events_of(session, leaves.id)] == [CHANGED, REMOVED]
        assert events_of(session, leaves.id)[1][2] == {"item_id": identity, "reason": "not_entitled"}


def test_a_new_revision_supersedes_and_the_old_one_can_still_be_ordered(database: Database) -> None:
    newer = small_catalog(version="2.0", description="Faster.")
    newer["productOffering"][0]["version"] = "2.0"
    with database.transaction() as session:
        connection = make_connection(session)
        identity = import_small_catalog(session).identity
        publish_to_all(session)
        import_catalog(session, newer, NOW)
        with pytest.raises(NotFound):
            get_orderable_item(session, connection.id, identity, 2)  # still a draft
        publish_producer(session, identity, {"all_consumers": True}, "user/ann", NOW)
        columns = select(RemoteRecordProducer.revision, RemoteRecordProducer.state)
        rows = session.execute(columns.where(RemoteRecordProducer.identity == identity))
        states = {row.revision: row.state for row in rows}
        assert states == {1: "inactive", 2: "published"}
        assert [event[2]["revision"] for event in events_of(session, connection.id)] == [1, 2]
        assert get_orderable_item(session, connection.id, identity, 1)[0].revision == 1
        assert get_orderable_item(session, connection.id, identity, 2)[0].revision == 2


def test_retiring_the_offering_withdraws_the_item_and_ends_ordering(database: Database) -> None:
    with database.transaction() as session:
        connection = make_connection(session)
        identity = import_small_catalog(session).identity
        publish_to_all(session)
        offering = session.execute(select(ProductOffering)).scalar_one()
        retire_offering(session, offering.id, "user/ann", NOW)
        assert events_of(session, connection.id)[-1] == (
            REMOVED,
            f"catalog_item/{identity}",
            {"item_id": identity, "reason": "retired"},
        )
        with pytest.raises(NotFound):
            get_orderable_item(session, connection.id, identity, 1)
        with pytest.raises(Conflict):
            publish_producer(session, identity, {"all_consumers": True}, "user/ann", NOW)


def test_a_right_that_is_won_again_continues_the_stream(database: Database) -> None:
    with database.transaction() as session:
        connection, other = make_connection(session), make_connection(session, name="other")
        identity = import_small_catalog(session).identity
        for audience in (connection.id, other.id, connection.id):
            publish_producer(session, identity, {"connection_ids": [audience]}, "user/ann", NOW)
        assert [event[0] for event in events_of(session, connection.id)] == [CHANGED, REMOVED, CHANGED]
        row = session.get_one(Entitlement, (connection.id, identity))
        assert (row.entitled, row.consumer_state) == (True, "pending_activation")


@pytest.mark.parametrize(
    ("criteria", "pointer"),
    [
        ({}, "/criteria"),
        ({"connection_ids": []}, "/criteria"),
        ({"all_consumers": True, "connection_ids": [str(uuid4())]}, "/criteria"),
        ({"connection_ids": [str(uuid4())]}, "/criteria/connection_ids/0"),
    ],
)
def test_an_audience_is_named_never_implied(database: Database, criteria: dict[str, object], pointer: str) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        with pytest.raises(InvalidFields) as refused:
            publish_producer(session, identity, criteria, "user/ann", NOW)
    assert refused.value.errors[0].pointer == pointer


def test_those_who_are_not_verified_or_revoked_are_told_nothing(database: Database) -> None:
    with database.transaction() as session:
        quiet = [make_connection(session, state=state) for state in (ConnectionState.PENDING, ConnectionState.REVOKED)]
        paused = make_connection(session, state=ConnectionState.PAUSED)
        import_small_catalog(session)
        publish_to_all(session)
        assert [events_of(session, connection.id) for connection in quiet] == [[], []]
        assert len(events_of(session, paused.id)) == 1


def test_a_retired_producer_stays_retired(database: Database) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        publish_to_all(session)
        assert retire_producer(session, identity, "user/ann", NOW).state == "retired"
        assert retire_producer(session, identity, "user/ann", NOW).state == "retired"
