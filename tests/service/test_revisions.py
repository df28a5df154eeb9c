"""Revisions of an item from checkout to deletion, and what consumers are told of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from bridge.database import Database
from provider.domain.errors import Conflict, IllegalMove, InvalidFields, NotFound
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer
from provider.services import revisions
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

ANN = "user/ann"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


@pytest.fixture
def offered(database: Database) -> tuple[str, str]:
    """A connection, and the identity of an item that is published for it and active there."""
    with database.transaction() as session:
        connection = make_connection(session)
        import_small_catalog(session)
        identity = publish_to_all(session).identity
        revisions.accept_activation(session, connection.id, identity, state="active", revision=1, now=NOW)
        return connection.id, identity


def states(session: Any, identity: str) -> dict[int, str]:
    rows = session.execute(
        select(RemoteRecordProducer.revision, RemoteRecordProducer.state).where(
            RemoteRecordProducer.identity == identity
        )
    )
    return {row.revision: row.state for row in rows}


def publish(session: Any, identity: str) -> None:
    publish_producer(session, identity, {"all_consumers": True}, ANN, NOW)


def test_a_checkout_makes_a_draft_and_the_published_one_stays(database: Database, offered: tuple[str, str]) -> None:
    connection_id, identity = offered
    with database.transaction() as session:
        draft = revisions.checkout_producer(session, identity, ANN, NOW)
        assert states(session, identity) == {1: "published", 2: "draft"}
        assert (draft.criteria, draft.compatibility) == ({"all_consumers": True}, "1.0")
        assert len(events_of(session, connection_id)) == 1
        for refused in (revisions.checkout_producer, retire_producer):
            with pytest.raises(Conflict) as conflict:
                refused(session, identity, ANN, NOW)
            assert conflict.value.code == "draft_exists"


def test_a_cancelled_draft_leaves_everything_as_it_was(database: Database, offered: tuple[str, str]) -> None:
    _, identity = offered
    with database.transaction() as session:
        revisions.checkout_producer(session, identity, ANN, NOW)
        assert revisions.cancel_draft(session, identity, ANN, NOW).revision == 1
        assert states(session, identity) == {1: "published"}
        with pytest.raises(Conflict):
            revisions.cancel_draft(session, identity, ANN, NOW)
        assert revisions.checkout_producer(session, identity, ANN, NOW).revision == 2


def test_editing_what_is_published_changes_a_draft_and_nothing_that_consumers_have(
    database: Database, offered: tuple[str, str]
) -> None:
    connection_id, identity = offered
    with database.transaction() as session:
        revisions.edit_producer(session, identity, {"name": "Better Line"}, ANN, NOW)
        draft = revisions.edit_producer(session, identity, {"category": "Lines"}, ANN, NOW)
        assert (draft.revision, draft.name, draft.category) == (2, "Better Line", "Lines")
        assert states(session, identity) == {1: "published", 2: "draft"}
        assert get_orderable_item(session, connection_id, identity, 1)[0].name == "Business Line"
        publish(session, identity)
        assert events_of(session, connection_id)[-1][2]["name"] == "Better Line"
        told = revisions.explain_revisions(session.scalars(select(RemoteRecordProducer).where(
            RemoteRecordProducer.identity == identity).order_by(RemoteRecordProducer.revision)).all())  # fmt: skip
        assert told[1]["differences"] == [
            "Name: Better Line instead of Business Line.", "Category: Lines instead of Networking.",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"compatibility": "new"}, "/compatibility"),
        ({"compatibility": "9.9"}, "/compatibility"),
    ],
)
def test_an_edit_that_nobody_could_use_is_refused(
    database: Database, offered: tuple[str, str], changes: dict[str, str], pointer: str
) -> None:
    with database.transaction() as session, pytest.raises(InvalidFields) as refused:
        revisions.edit_producer(session, offered[1], changes, ANN, NOW)
    assert [error.pointer for error in refused.value.errors] == [pointer]
    with database.reading() as session:
        assert states(session, offered[1]) == {1: "published"}


def test_an_inactive_revision_is_ordered_until_it_is_archived_and_then_consumers_are_told(
    database: Database, offered: tuple[str, str]
) -> None:
    connection_id, identity = offered
    with database.transaction() as session:
        revisions.checkout_producer(session, identity, ANN, NOW)
        publish(session, identity)
        assert get_orderable_item(session, connection_id, identity, 1)[0].revision == 1
        with pytest.raises(IllegalMove):
            revisions.archive_revision(session, identity, 2, ANN, NOW)
        with pytest.raises(NotFound):
            revisions.archive_revision(session, identity, 7, ANN, NOW)
        revisions.archive_revision(session, identity, 1, ANN, NOW)
        assert states(session, identity) == {1: "archived", 2: "published"}
        with pytest.raises(NotFound):
            get_orderable_item(session, connection_id, identity, 1)
        last = events_of(session, connection_id)[-1][2]
        assert (last["revision"], last["revisions"]) == (2, [2])
        session.expire_all()
        entitlement = session.get_one(Entitlement, (connection_id, identity))
        assert (entitlement.consumer_state, entitlement.active_revision) == ("pending_activation", None)
        with pytest.raises(Conflict) as refused:
            revisions.accept_activation(session, connection_id, identity, state="active", revision=1, now=NOW)
        assert refused.value.code == "revision_archived"


def test_who_switched_already_keeps_what_is_active(database: Database, offered: tuple[str, str]) -> None:
    connection_id, identity = offered
    with database.transaction() as session:
        revisions.checkout_producer(session, identity, ANN, NOW)
        publish(session, identity)
        revisions.accept_activation(session, connection_id, identity, state="active", revision=2, now=NOW)
        revisions.archive_revision(session, identity, 1, ANN, NOW)
        session.expire_all()
        entitlement = session.get_one(Entitlement, (connection_id, identity))
        assert (entitlement.consumer_state, entitlement.active_revision) == ("active", 2)


def test_retiring_takes_inactive_ones_along_and_archived_ones_stay(
    database: Database, offered: tuple[str, str]
) -> None:
    _, identity = offered
    with database.transaction() as session:
        for _ in range(2):
            revisions.checkout_producer(session, identity, ANN, NOW)
            publish(session, identity)
        revisions.archive_revision(session, identity, 1, ANN, NOW)
        retire_producer(session, identity, ANN, NOW)
        assert states(session, identity) == {1: "archived", 2: "retired", 3: "retired"}


def test_a_retired_item_is_checked_out_and_published_again(database: Database, offered: tuple[str, str]) -> None:
    connection_id, identity = offered
    with database.transaction() as session:
        retire_producer(session, identity, ANN, NOW)
        revisions.checkout_producer(session, identity, ANN, NOW)
        publish(session, identity)
        assert states(session, identity) == {1: "retired", 2: "published"}
        assert events_of(session, connection_id)[-1][2]["revision"] == 2


def test_what_is_sold_no_more_is_neither_checked_out_nor_copied(database: Database, offered: tuple[str, str]) -> None:
    _, identity = offered
    with database.transaction() as session:
        offering = session.scalars(select(ProductOffering)).one()
        retire_offering(session, offering.id, ANN, NOW)
        for action in (
            lambda: revisions.checkout_producer(session, identity, ANN, NOW),
            lambda: revisions.copy_revision(session, identity, 1, ANN, NOW),
        ):
            with pytest.raises(Conflict) as refused:
                action()
            assert refused.value.code == "origin_not_published"


def test_a_copy_is_an_item_of_its_own_and_new_versions_pass_it_by(database: Database, offered: tuple[str, str]) -> None:
    _, identity = offered
    newer = small_catalog(version="2.0", description="Faster.")
    newer["productOffering"][0]["version"] = "2.0"
    with database.transaction() as session:
        copy = revisions.copy_revision(session, identity, 1, ANN, NOW)
        assert (copy.identity != identity, copy.revision, copy.state) == (True, 1, "draft")
        assert copy.name == "Business Line (copy)"
        with pytest.raises(Conflict) as refused:
            revisions.copy_revision(session, copy.identity, 1, ANN, NOW)
        assert refused.value.code == "not_copyable"
        publish(session, copy.identity)
        revisions.checkout_producer(session, copy.identity, ANN, NOW)
        publish(session, copy.identity)
        import_catalog(session, newer, NOW)
        assert states(session, identity) == {1: "published", 2: "draft"}
        assert states(session, copy.identity) == {1: "inactive", 2: "published"}


def test_the_list_of_what_a_consumer_has_is_not_copied(database: Database, offered: tuple[str, str]) -> None:
    with database.transaction() as session:
        inventory = session.scalars(select(RemoteRecordProducer).where(RemoteRecordProducer.kind == "inventory")).one()
        with pytest.raises(Conflict) as refused:
            revisions.copy_revision(session, inventory.identity, 1, ANN, NOW)
        assert refused.value.code == "only_one"


def test_only_a_retired_item_is_deleted_and_then_with_all_of_it(database: Database, offered: tuple[str, str]) -> None:
    _, identity = offered
    with database.transaction() as session:
        with pytest.raises(Conflict) as refused:
            revisions.delete_producer(session, identity, ANN, NOW)
        assert refused.value.code == "not_retired"
        retire_producer(session, identity, ANN, NOW)
        revisions.delete_producer(session, identity, ANN, NOW)
        assert states(session, identity) == {}
        left = select(func.count()).select_from(Entitlement).where(Entitlement.identity == identity)
        assert session.scalar(left) == 0


def test_a_consumer_of_an_older_version_may_not_activate_what_asks_for_more(
    database: Database, offered: tuple[str, str]
) -> None:
    _, identity = offered
    with database.transaction() as session:
        old = make_connection(session, name="old")
        old.settings = {"peer_version": "0.9"}
        publish(session, identity)
        with pytest.raises(Conflict) as refused:
            revisions.accept_activation(session, old.id, identity, state="active", revision=1, now=NOW)
        assert (refused.value.code, refused.value.facts) == ("version_too_old", {"compatibility": "1.0"})
        assert "and you speak 0.9" in str(refused.value)
        revisions.accept_activation(session, old.id, identity, state="inactive", revision=1, now=NOW)
