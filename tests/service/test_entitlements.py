"""Entitlements follow from criteria, whatever happens at the same moment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bridge.database import Database
from bridge.identity import Keyring
from bridge.models import Delivery
from bridge.vocabulary import ConnectionState
from provider.domain.errors import InvalidFields, NotFound
from provider.models.catalog import Entitlement
from provider.services.entitlements import refresh_entitlements, report_activation
from provider.services.registrations import Challenge, activate_connection, complete_registration, prepare_challenge
from tests.factories import (
    LOOPBACK,
    NOW,
    PROVIDER,
    at_once,
    events_of,
    get_orderable_item,
    import_small_catalog,
    introduction,
    make_connection,
    make_keyring,
    make_registration,
    provider_database,
    publish_to_all,
)

ROUNDS = 6
NEWCOMERS = 3


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


def pending(database: Database, keyring: Keyring) -> Challenge:
    with database.transaction() as session:
        token = make_registration(session)[1]
        admission = complete_registration(session, keyring, LOOPBACK, token, introduction(), now=NOW)
        session.flush()
        return prepare_challenge(session, PROVIDER, admission.connection.id, now=NOW)


def test_publishing_to_all_and_a_new_connection_never_miss_each_other(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    keyring = make_keyring(tmp_path)
    with database.transaction() as session:
        identity = import_small_catalog(session).identity

    def publish() -> None:
        with database.transaction() as session:
            publish_to_all(session)

    for _ in range(ROUNDS):
        challenges = [pending(database, keyring) for _ in range(NEWCOMERS)]

        def activate(challenge: Challenge) -> None:
            with database.transaction() as session:
                activate_connection(session, challenge, now=NOW)

        results = at_once([publish, *(lambda c=c: activate(c) for c in challenges)])  # type: ignore[misc]
        assert [result for result in results if isinstance(result, Exception)] == []
        with database.reading() as session:
            for challenge in challenges:
                events = events_of(session, challenge.connection.id)
                assert [event[1] for event in events] == [f"catalog_item/{identity}"]


def test_a_refresh_finds_nothing_to_do_where_everything_is_right(database: Database) -> None:
    with database.transaction() as session:
        make_connection(session)
        import_small_catalog(session)
        publish_to_all(session)
    with database.transaction() as session:
        before = session.execute(select(func.count()).select_from(Delivery)).scalar_one()
        assert refresh_entitlements(session, NOW) == 0
        assert session.execute(select(func.count()).select_from(Delivery)).scalar_one() == before == 1


def test_a_refresh_mends_what_was_missed(database: Database) -> None:
    with database.transaction() as session:
        import_small_catalog(session)
        publish_to_all(session)
        connection = make_connection(session)
    with database.transaction() as session:
        assert refresh_entitlements(session, NOW) == 1
        assert len(events_of(session, connection.id)) == 1


def test_the_consumer_tells_what_it_activated(database: Database) -> None:
    with database.transaction() as session:
        connection = make_connection(session)
        identity = import_small_catalog(session).identity
        publish_to_all(session)
        before = len(events_of(session, connection.id))
        report_activation(session, connection.id, identity, state="active", revision=1, now=NOW)
        row = session.get_one(Entitlement, (connection.id, identity))
        assert (row.consumer_state, row.active_revision) == ("active", 1)
        report_activation(session, connection.id, identity, state="inactive", revision=1, now=NOW)
        assert row.consumer_state == "inactive"
        # What the consumer did itself is not told back to it.
        assert len(events_of(session, connection.id)) == before
        with pytest.raises(InvalidFields):
            report_activation(session, connection.id, identity, state="active", revision=2, now=NOW)


def test_what_belongs_to_another_connection_does_not_exist(database: Database) -> None:
    with database.transaction() as session:
        make_connection(session)
        identity = import_small_catalog(session).identity
        publish_to_all(session)
        stranger = make_connection(session, state=ConnectionState.PENDING)
        with pytest.raises(NotFound):
            get_orderable_item(session, stranger.id, identity, 1)
        with pytest.raises(NotFound):
            report_activation(session, stranger.id, identity, state="active", revision=1, now=NOW)
