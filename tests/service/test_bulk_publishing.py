"""Publishing many at once: what can go goes, and of each of the others it is said why not."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from bridge.database import Database
from provider.domain.errors import InvalidFields
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer, Specification
from provider.services.authoring import author_producer
from provider.services.bulk_publishing import BULK_LIMIT, publish_producers, sell_entries
from provider.services.catalog_import import import_catalog
from tests.factories import NOW, events_of, import_small_catalog, make_connection, provider_database, small_catalog

ANN = "user/ann"
ALL = {"all_consumers": True}
FORM = {"variables": [{"key": "reason", "label": "Why", "type": "text"}]}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


def author(session: Any, name: str, **facts: Any) -> str:
    return author_producer(session, {"name": name, **facts}, ANN, NOW).identity


def test_each_item_is_judged_by_itself(database: Database) -> None:
    with database.transaction() as session:
        connection = make_connection(session)
        first, empty, last = author(session, "A", form=FORM), author(session, "B"), author(session, "C", form=FORM)
        unknown = str(uuid4())
        found = publish_producers(session, [first, empty, unknown, last, first], ALL, ANN, NOW)
        assert [(one.name, one.is_done) for one in found] == [("A", True), ("B", False), (unknown, False), ("C", True)]
        assert found[0].message == "Revision 1 is published."
        assert "add a question" in found[1].message
        assert "no remote record producer" in found[2].message
        told = sorted(data["name"] for _, _, data in events_of(session, connection.id))
        assert told == ["A", "C"]
        entitled = set(session.scalars(select(Entitlement.identity).where(Entitlement.entitled)))
        assert entitled == {first, last}
        states = {one.name: one.state for one in session.scalars(select(RemoteRecordProducer))}
        assert states == {"A": "published", "B": "draft", "C": "published"}


def test_without_an_audience_an_item_goes_to_whom_it_is_for_already(database: Database) -> None:
    with database.transaction() as session:
        known, new = author(session, "A", form=FORM), author(session, "B", form=FORM)
        publish_producers(session, [known], ALL, ANN, NOW)
        (again,) = publish_producers(session, [known], None, ANN, NOW)
        assert (again.is_done, again.message) == (
            False, "its newest revision is published: there is no draft to publish",
        )  # fmt: skip
        (lacking,) = publish_producers(session, [new], None, ANN, NOW)
        assert (lacking.is_done, lacking.message) == (False, "say whom it is for first")


def test_as_many_as_people_can_look_at_are_taken_at_once(database: Database) -> None:
    some = [str(uuid4()) for _ in range(BULK_LIMIT + 1)]
    with database.transaction() as session:
        for wrong in ([], some):
            with pytest.raises(InvalidFields):
                publish_producers(session, wrong, ALL, ANN, NOW)
        with pytest.raises(InvalidFields):
            publish_producers(session, some[:1], {"moon": "full"}, ANN, NOW)
        assert len(publish_producers(session, some[:BULK_LIMIT], ALL, ANN, NOW)) == BULK_LIMIT


def test_entries_of_the_catalog_are_sold_each_by_itself(database: Database) -> None:
    document = small_catalog()
    (sold,) = document["productOffering"]
    plain = sold | {"id": "po-plain", "name": "Plain", "lifecycleStatus": "Active", "channel": [], "isSellable": False}
    document["productOffering"].append(plain)
    document["serviceSpecification"] = [
        {"id": "ss-front", "name": "Front", "lifecycleStatus": "In design", "x-serviceType": "customer_facing"},
        {"id": "ss-back", "name": "Back", "lifecycleStatus": "In design", "x-serviceType": "resource_facing"},
    ]
    with database.transaction() as session:
        import_catalog(session, document, NOW)
        offerings = {row.name: row.id for row in session.scalars(select(ProductOffering))}
        services = {
            row.name: row.id for row in session.scalars(select(Specification).where(Specification.kind == "service"))
        }
        entries = [
            ("offering", offerings["Plain"]), ("offering", offerings[sold["name"]]),
            ("specification", services["Front"]), ("specification", services["Back"]), ("offering", str(uuid4())),
        ]  # fmt: skip
        found = sell_entries(session, entries, ANN, NOW)
        assert [(one.name, one.is_done) for one in found[:4]] == [
            ("Plain", True), (sold["name"], False), ("Front", True), ("Back", False),
        ]  # fmt: skip
        assert "already" in found[1].message
        assert "customer-facing" in found[3].message
        assert not found[4].is_done
        made = select(RemoteRecordProducer).where(
            RemoteRecordProducer.identity.in_([found[0].identity, found[2].identity])
        )
        assert sorted((one.name, one.state) for one in session.scalars(made)) == [
            ("Front", "draft"),
            ("Plain", "draft"),
        ]


def test_a_draft_of_the_catalog_is_published_as_it_is_sold(database: Database) -> None:
    document = small_catalog()
    document["productOffering"][0]["lifecycleStatus"] = "In design"
    with database.transaction() as session:
        import_catalog(session, document, NOW)
        offering = session.scalars(select(ProductOffering)).one()
        (outcome,) = sell_entries(session, [("offering", offering.id)], ANN, NOW)
        assert (outcome.is_done, offering.lifecycle_state) == (True, "published"), outcome.message


def test_a_refused_sale_leaves_the_entry_as_it_was(database: Database) -> None:
    with database.transaction() as session:
        import_small_catalog(session)
        before = session.scalars(select(ProductOffering.version)).all()
        offering = session.scalars(select(ProductOffering)).one()
        assert not sell_entries(session, [("offering", offering.id)], ANN, NOW)[0].is_done
        assert session.scalars(select(ProductOffering.version)).all() == before
