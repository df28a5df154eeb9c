"""A bundle from its TMF620 document to the lines of an order, and back to the same document."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bridge.database import Database
from provider.domain.errors import Conflict, InvalidFields
from provider.models.catalog import ProductOffering, RemoteRecordProducer
from provider.models.orders import OrderLine
from provider.services.catalog import publish_offering, publish_specification
from provider.services.catalog_export import export_catalog
from provider.services.catalog_import import import_catalog
from provider.services.intake import submit_provider_task
from provider.services.producers import publish_producer
from tests.factories import NOW, count_selects, exchange_database, make_consumer, make_request


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def offering(id_: str, name: str, price: str | None = None, **members: Any) -> dict[str, Any]:
    entry = {"id": id_, "name": name, "lifecycleStatus": "Active", "channel": [{"id": "service_exchange"}]}
    if price:
        entry["productOfferingPrice"] = [{"id": price}]
    return entry | members


def member(id_: str, **options: int) -> dict[str, Any]:
    limits = {
        "lower": "numberRelOfferLowerLimit",
        "upper": "numberRelOfferUpperLimit",
        "default": "numberRelOfferDefault",
    }
    told = {limits[name]: value for name, value in options.items()}
    return {"id": id_, "x-key": id_.removeprefix("po-"), "bundledProductOfferingOption": told}


def price(id_: str, amount: str) -> dict[str, Any]:
    return {"id": id_, "name": "Monthly", "priceType": "recurring", "price": {"unit": "EUR", "value": amount}}


def office(**members: Any) -> dict[str, Any]:
    """An office: fibre or mobile, and phones, of which each needs fibre; and a site that holds offices."""
    speed = {
        "name": "Speed", "minCardinality": 1,
        "productSpecCharacteristicValue": [{"value": "1"}, {"value": "10", "isDefault": True}],
    }  # fmt: skip
    specifications = [
        {"id": f"ps-{key}", "name": key.title(), "lifecycleStatus": "Active"} for key in ("fibre", "mobile", "phone")
    ]
    specifications[0]["productSpecCharacteristic"] = [speed]  # type: ignore[assignment]
    simple = [
        offering("po-fibre", "Fibre", "p-fibre", productSpecification={"id": "ps-fibre"}),
        offering("po-mobile", "Mobile", productSpecification={"id": "ps-mobile"}),
        offering(
            "po-phone", "Phone", "p-phone", productSpecification={"id": "ps-phone"},
            productOfferingRelationship=[{"id": "po-fibre", "relationshipType": "requires"}],
        ),
    ]  # fmt: skip
    group = {
        "id": "access", "name": "Access",
        "bundledGroupProductOfferingOption": {"numberRelOfferLowerLimit": 1, "numberRelOfferUpperLimit": 1},
        "bundledProductOffering": [member("po-fibre", default=1), member("po-mobile")],
    }  # fmt: skip
    bundle = offering(
        "po-office", "Office", "p-office", isBundle=True,
        bundledProductOffering=[member("po-phone", lower=0, upper=20)], bundledGroupProductOffering=[group],
    ) | members  # fmt: skip
    site = offering("po-site", "Site", isBundle=True, bundledProductOffering=[member("po-office", lower=1, upper=3)])
    return {
        "productSpecification": specifications,
        "productOffering": [site, bundle, *simple],
        "productOfferingPrice": [price("p-fibre", "50.00"), price("p-phone", "5.00"), price("p-office", "9.00")],
    }


def take_in(database: Database, document: dict[str, Any]) -> None:
    with database.transaction() as session:
        import_catalog(session, document, NOW)


def publish(database: Database, external_id: str) -> tuple[str, RemoteRecordProducer]:
    """A consumer that may order it, and the item."""
    with database.transaction() as session:
        connection = make_consumer(session)
        query = select(RemoteRecordProducer).join(ProductOffering).where(ProductOffering.external_id == external_id)
        identity = session.scalars(query).one().identity
        return connection.id, publish_producer(session, identity, {"all_consumers": True}, "user/ann", NOW)


def order(database: Database, connection_id: str, item: RemoteRecordProducer, **parts: Any) -> list[OrderLine]:
    with database.transaction() as session:
        request = make_request(item, characteristics={}, parts=parts)
        made = submit_provider_task(session, connection_id, request, now=NOW)
        lines = select(OrderLine).where(OrderLine.order_id == made.order_id).order_by(OrderLine.position)
        return list(session.scalars(lines))


def faults(database: Database, document: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidFields) as refused:
        take_in(database, document)
    with database.reading() as session:
        assert session.scalars(select(ProductOffering)).all() == []
    return [(error.pointer, error.code) for error in refused.value.errors]


def test_an_order_of_a_bundle_is_one_tree_of_lines_each_with_its_offering_and_price(database: Database) -> None:
    take_in(database, office())
    connection_id, item = publish(database, "po-site")
    chosen = {"phone": {"selected": True, "quantity": 4}}
    lines = order(database, connection_id, item, office={"quantity": 2, "parts": chosen})
    names = {line.id: line.name for line in lines}
    assert [(line.name, names.get(line.parent_line_id), line.quantity) for line in lines] == [
        ("Site", None, 1), ("Office", "Site", 2), ("Phone", "Office", 4), ("Fibre", "Office", 1),
    ]  # fmt: skip
    assert all(line.product_offering_id for line in lines)
    costs = {line.name: [charge["amount"] for charge in line.prices or []] for line in lines}
    assert costs == {"Site": [], "Office": ["18.00"], "Phone": ["40.00"], "Fibre": ["100.00"]}
    assert next(line for line in lines if line.name == "Fibre").characteristics == {"speed": "10"}


@pytest.mark.parametrize(
    ("parts", "pointer", "code", "words"),
    [
        ({"fibre": {"selected": False}}, "/parts/fibre/selected", "too_few_options", "Access: choose at least 1"),
        ({"mobile": {"selected": True}}, "/parts/mobile/selected", "too_many_options", "Access: choose at most 1"),
        (
            {"fibre": {"selected": False}, "mobile": {"selected": True}, "phone": {"selected": True}},
            "/parts/fibre/selected", "requires", "Phone needs Fibre",
        ),
        ({"phone": {"selected": True, "quantity": 21}}, "/parts/phone/quantity", "range", "between 1 and 20"),
    ],
)  # fmt: skip
def test_choices_that_do_not_go_together_are_refused_with_a_pointer_in_plain_words(
    database: Database, parts: dict[str, Any], pointer: str, code: str, words: str
) -> None:
    take_in(database, office())
    connection_id, item = publish(database, "po-office")
    with pytest.raises(InvalidFields) as refused:
        order(database, connection_id, item, **parts)
    (error,) = refused.value.errors
    assert (error.pointer, error.code) == (pointer, code)
    assert words in error.message


def test_a_bundle_comes_in_once_and_goes_out_as_it_came(database: Database) -> None:
    take_in(database, office())
    with database.transaction() as session:
        again = import_catalog(session, office(), NOW)
        exported = export_catalog(session)
        same = import_catalog(session, exported, NOW)
    assert (again.created, again.updated) == (0, 0)
    assert (same.created, same.updated, same.unchanged) == (0, 0, again.unchanged)
    told = {one["id"]: one for one in exported["productOffering"]}
    assert told["po-office"]["isBundle"] is True
    assert told["po-fibre"]["isBundle"] is False
    assert told["po-office"]["bundledGroupProductOffering"][0]["bundledProductOffering"][0] == {
        "id": "po-fibre", "version": "1.0", "name": "Fibre", "x-key": "fibre",
        "bundledProductOfferingOption": {
            "numberRelOfferLowerLimit": 0, "numberRelOfferUpperLimit": 1, "numberRelOfferDefault": 1,
        },
    }  # fmt: skip
    assert told["po-phone"]["productOfferingRelationship"] == [{"id": "po-fibre", "relationshipType": "requires"}]


BUNDLE = "/productOffering/1"
BELOW_GROUP = f"{BUNDLE}/bundledGroupProductOffering/0"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"bundledProductOffering": [member("po-site")]}, [("/productOffering/0/id", "cycle")]),
        ({"bundledProductOffering": [member("po-tv")]}, [(f"{BUNDLE}/bundledProductOffering/0/id", "unknown")]),
        (
            {"bundledProductOffering": [], "bundledGroupProductOffering": []},
            [("/productOffering/1/isBundle", "required")],
        ),
        ({"isBundle": False, "productSpecification": {"id": "ps-fibre"}}, [(f"{BUNDLE}/isBundle", "contradiction")]),
        (
            {"bundledGroupProductOffering": [{
                "id": "access", "name": "Access", "bundledProductOffering": [member("po-fibre")],
                "bundledGroupProductOfferingOption": {"numberRelOfferLowerLimit": 2},
            }]},
            [(f"{BELOW_GROUP}/min_options", "range")],
        ),
        (
            {"x-compatibilityRule": [{"kind": "excludes", "if": {"parts": ["tv"]}, "then": [{"parts": ["phone"]}]}]},
            [("/productOffering/1/x-compatibilityRule/0/if/parts/0", "unknown")],
        ),
        (
            {"bundledProductOffering": [member("po-phone", lower=3, upper=2)]},
            [("/productOffering/1/bundledProductOffering/0/max_quantity", "range")],
        ),
    ],
)  # fmt: skip
def test_a_bundle_that_cannot_be_is_refused_with_a_pointer_into_the_document(
    database: Database, change: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert faults(database, office(**change)) == found


def test_a_bundle_is_published_after_its_members(database: Database) -> None:
    draft = office()
    for entry in draft["productOffering"]:
        entry["lifecycleStatus"] = "In design"
    take_in(database, draft)
    with database.transaction() as session:
        ids = {row.external_id: row.id for row in session.scalars(select(ProductOffering))}
        specification_id = session.get_one(ProductOffering, ids["po-office"]).specification_id
        publish_specification(session, specification_id, "user/ann", NOW)
        for name in ("po-fibre", "po-mobile"):
            publish_offering(session, ids[name], "user/ann", NOW)
        with pytest.raises(Conflict, match="Phone, which is in the bundle, is in_draft") as refused:
            publish_offering(session, ids["po-office"], "user/ann", NOW)
        assert refused.value.code == "member_not_published"
        publish_offering(session, ids["po-phone"], "user/ann", NOW)
        assert publish_offering(session, ids["po-office"], "user/ann", NOW).lifecycle_state == "published"


def test_what_a_bundle_is_made_of_is_read_once(database: Database) -> None:
    take_in(database, office())
    connection_id, item = publish(database, "po-site")
    order(database, connection_id, item)
    with count_selects(database) as seen, database.transaction() as session:
        request = make_request(item, 2, characteristics={}, parts={})
        submit_provider_task(session, connection_id, request, now=NOW)
    assert not [one for one in seen if "FROM specifications" in one]
    assert len([one for one in seen if "FROM product_offerings" in one]) == 1  # the prices of the members
