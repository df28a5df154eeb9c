"""A catalog document is taken in as a whole or not at all, and what it publishes becomes a draft item."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from bridge.database import Database
from bridge.forms import check_answers
from provider.domain.errors import Conflict, IllegalMove, InvalidFields
from provider.models.catalog import ProductOffering, RemoteRecordProducer, Specification
from provider.services.catalog import load_specification, publish_offering, publish_specification, retire_offering
from provider.services.catalog_import import import_catalog
from provider.services.catalog_references import version_order
from tests.factories import NOW, demo_catalog, provider_database, small_catalog


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


def faults(database: Database, document: dict[str, Any]) -> dict[str, str]:
    """The codes of a refused document by pointer; nothing may have been stored."""
    with pytest.raises(InvalidFields) as refused, database.transaction() as session:
        import_catalog(session, document, NOW)
    with database.reading() as session:
        assert session.execute(select(func.count()).select_from(Specification)).scalar_one() == 0
    return {error.pointer: error.code for error in refused.value.errors}


def test_the_demo_catalog_comes_in_once_and_stays_the_same(database: Database) -> None:
    with database.transaction() as session:
        first = import_catalog(session, demo_catalog(), NOW)
    with database.transaction() as session:
        again = import_catalog(session, demo_catalog(), NOW)
        drafts = session.execute(select(RemoteRecordProducer)).scalars().all()
        offerings = session.execute(select(ProductOffering)).scalars().all()
    assert (first.updated, first.unchanged) == (0, 0)
    assert (again.created, again.updated, again.unchanged) == (0, 0, first.created)
    assert len(offerings) >= 12
    # One spare part is not for the exchange; one customer-facing service is, the resource-facing one is not.
    assert len(drafts) == len(offerings) - 1 + 1 + len(["Manage Inventory"])
    assert {draft.state for draft in drafts} == {"draft"}


def test_the_demo_package_is_a_form_with_parts_that_can_be_filled_in(database: Database) -> None:
    with database.transaction() as session:
        import_catalog(session, demo_catalog(), NOW)
        package = session.execute(
            select(RemoteRecordProducer).where(RemoteRecordProducer.name == "SD-WAN Package")
        ).scalar_one()
        parts = {part["key"]: part for part in package.form["parts"]}
        assert [(key, part["mandatory"]) for key, part in parts.items()] == [
            ("controller", True),
            ("edge", True),
            ("security", False),
        ]
        controller = {"characteristics": {"admin_email": "it@acme.example"}}
        answers = check_answers(package.form, {"parts": {"controller": controller}})
        assert answers["characteristics"]["bandwidth"] == "100"
        specification = load_specification(session, package.specification_id)
        edge = next(child.specification for child in specification.children if child.key == "edge")
        assert [task.key for task in edge.task_templates] == ["site_survey", "ship", "install", "activate"]
        assert [task.key for task in edge.task_templates if task.point_of_no_return] == ["install"]


def test_every_fault_is_told_at_once(database: Database) -> None:
    document = small_catalog()
    document["productSpecification"][0]["productSpecCharacteristic"][0]["valueType"] = "colour"
    document["productSpecification"][0]["x-taskTemplate"] = [{"key": "a", "name": "A", "dependsOn": ["b"]}]
    document["productOffering"][0]["productSpecification"]["id"] = "ps-nothing"
    document["productOffering"][0]["isSelable"] = True
    document["productOfferingPrice"][0]["price"] = {"unit": "euro", "value": "many"}
    document["productOffering"].append({"id": "po-2", "productSpecification": {"id": "ps-line"}})
    assert faults(database, document) == {
        "/productSpecification/0/productSpecCharacteristic/0/valueType": "unknown",
        "/productSpecification/0/x-taskTemplate/0/depends_on/0": "unknown",
        "/productOffering/0/productSpecification/id": "unknown",
        "/productOffering/0/isSelable": "unknown_field",
        "/productOfferingPrice/0/price/unit": "type",
        "/productOfferingPrice/0/price/value": "type",
        "/productOffering/1/name": "required",
    }


def test_duplicates_cycles_and_unknown_prices_are_refused(database: Database) -> None:
    bundles = {"productSpecificationRelationship": [{"id": "ps-outer", "relationshipType": "bundles"}]}
    document = small_catalog(**bundles)
    inner = {"id": "ps-line", "relationshipType": "bundles"}
    outer = {
        "id": "ps-outer",
        "name": "Outer",
        "lifecycleStatus": "Active",
        "productSpecificationRelationship": [inner],
    }
    document["productSpecification"].append(outer)
    document["productOffering"].append(document["productOffering"][0])
    document["productOffering"][0] = {**document["productOffering"][0], "productOfferingPrice": [{"id": "pop-none"}]}
    found = faults(database, document)
    assert found["/productOffering/1/id"] == "duplicate"
    assert found["/productOffering/0/productOfferingPrice/0/id"] == "unknown"
    assert "cycle" in found.values()


@pytest.mark.parametrize(
    ("member", "value", "pointer"),
    [
        ("productSpecification", {}, "/productSpecification"),
        ("productSpecification", [1], "/productSpecification/0"),
        ("productOffering", [{"id": 5, "name": None}], "/productOffering/0/id"),
        ("resourceSpecification", [], "/resourceSpecification"),
    ],
)
def test_documents_of_another_shape_are_refused(database: Database, member: str, value: Any, pointer: str) -> None:
    assert pointer in faults(database, {**small_catalog(), member: value})


def test_a_published_version_is_immutable_and_a_new_one_is_a_new_entry(database: Database) -> None:
    with database.transaction() as session:
        import_catalog(session, small_catalog(), NOW)
    changed = small_catalog(description="Something else.")
    with pytest.raises(InvalidFields) as refused, database.transaction() as session:
        import_catalog(session, changed, NOW)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/productSpecification/0/version", "immutable")
    ]
    newer = small_catalog(description="Something else.", version="1.1")
    newer["productOffering"][0]["version"] = "1.1"
    with database.transaction() as session:
        result = import_catalog(session, newer, NOW)
        producers = (
            session.execute(
                select(RemoteRecordProducer)
                .where(RemoteRecordProducer.kind == "product")
                .order_by(RemoteRecordProducer.revision)
            )
            .scalars()
            .all()
        )
    assert (result.created, result.updated, result.unchanged) == (2, 0, 0)
    assert [producer.revision for producer in producers] == [1, 2]
    assert len({producer.identity for producer in producers}) == 1


def test_a_draft_can_change_until_it_is_published(database: Database) -> None:
    draft = small_catalog(lifecycleStatus="In design")
    draft["productOffering"][0]["lifecycleStatus"] = "In design"
    with database.transaction() as session:
        import_catalog(session, draft, NOW)
        assert session.execute(select(func.count()).select_from(RemoteRecordProducer)).scalar_one() == 0
    with database.transaction() as session:
        result = import_catalog(session, small_catalog(description="Better."), NOW)
        assert (result.created, result.updated) == (0, 2)
        states = select(RemoteRecordProducer.state).where(RemoteRecordProducer.kind == "product")
        assert session.execute(states).scalar_one() == "draft"


def test_an_offering_is_published_after_its_specification_and_once(database: Database) -> None:
    draft = small_catalog(lifecycleStatus="In design")
    draft["productOffering"][0]["lifecycleStatus"] = "In design"
    with database.transaction() as session:
        import_catalog(session, draft, NOW)
        offering = session.execute(select(ProductOffering)).scalar_one()
    with database.transaction() as session, pytest.raises(Conflict) as refused:
        publish_offering(session, offering.id, "user/ann", NOW)
    assert refused.value.code == "specification_not_published"
    with database.transaction() as session:
        publish_specification(session, offering.specification_id, "user/ann", NOW)
        publish_offering(session, offering.id, "user/ann", NOW)
    with database.transaction() as session, pytest.raises(IllegalMove):
        publish_offering(session, offering.id, "user/ann", NOW)


@pytest.mark.parametrize("change", [{"isSellable": False}, {"channel": [{"id": "direct_sales"}]}])
def test_only_what_is_sellable_over_the_exchange_makes_an_item(database: Database, change: dict[str, Any]) -> None:
    document = small_catalog()
    document["productOffering"][0] |= change
    with database.transaction() as session:
        import_catalog(session, document, NOW)
        assert session.execute(select(func.count()).select_from(RemoteRecordProducer)).scalar_one() == 0


def test_a_retired_offering_takes_its_draft_with_it(database: Database) -> None:
    with database.transaction() as session:
        import_catalog(session, small_catalog(), NOW)
        offering = session.execute(select(ProductOffering)).scalar_one()
        retire_offering(session, offering.id, "user/ann", NOW)
        states = select(RemoteRecordProducer.state).where(RemoteRecordProducer.kind == "product")
        assert session.execute(states).scalar_one() == "retired"


def test_a_version_that_only_looks_like_a_number_is_older_than_any_number(database: Database) -> None:
    document = small_catalog()
    with database.transaction() as session:
        import_catalog(session, document, NOW)
        for entries in document.values():
            for entry in entries if isinstance(entries, list) else ():
                entry["version"] = "1.\u00b2"
        import_catalog(session, document, NOW)
    assert sorted(["1.2", "1.\u00b2", "1.10"], key=version_order) == ["1.\u00b2", "1.2", "1.10"]
