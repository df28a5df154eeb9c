"""What is exported is taken in elsewhere as it is, and by the instance it comes from as unchanged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bridge.database import Database
from bridge.models import table_of
from provider.models.catalog import ProductOffering, Specification
from provider.services.catalog import retire_offering
from provider.services.catalog_export import export_catalog
from provider.services.catalog_import import import_catalog
from tests.factories import NOW, demo_catalog, provider_database, small_catalog


def values(*given: Any, default: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
    return [{"value": value, "isDefault": value in default} for value in given]


RICH = small_catalog(
    productSpecCharacteristic=[
        {"name": "Speed", "valueType": "string", "minCardinality": 1,
         "productSpecCharacteristicValue": [{"value": "50", "unitOfMeasure": "Mbit/s"}]},
        {"name": "Extras", "valueType": "string", "maxCardinality": 3, "x-label": "What else",
         "productSpecCharacteristicValue": values("a", "b", "c", default=("a", "b"))},
        {"name": "Ports", "valueType": "integer", "productSpecCharacteristicValue": values(8, default=(8,))},
        {"name": "Backup", "valueType": "boolean", "productSpecCharacteristicValue": values(False, default=(False,))},
        {"name": "Vendor", "valueType": "string", "configurable": False},
        {"name": "Contact", "valueType": "email", "minCardinality": 1},
    ],
    **{"x-taskTemplate": [{"name": "Dig", "pointOfNoReturn": True}, {"name": "Lay", "dependsOn": ["dig"]}]},
)  # fmt: skip
RICH["productOffering"][0]["x-lineLevelPointOfNoReturn"] = True


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


def export(database: Database) -> dict[str, Any]:
    with database.reading() as session:
        return export_catalog(session)


def counts(database: Database, document: dict[str, Any]) -> tuple[int, int, int]:
    with database.transaction() as session:
        result = import_catalog(session, document, NOW)
    return result.created, result.updated, result.unchanged


def rows(database: Database) -> list[dict[str, Any]]:
    """Everything that is stored of the catalog, with references by name instead of by id."""
    with database.reading() as session:
        specifications = list(session.scalars(select(Specification).order_by(Specification.external_id)))
        offerings = list(session.scalars(select(ProductOffering).order_by(ProductOffering.external_id)))
    names = {row.id: f"{row.external_id} {row.version}" for row in [*specifications, *offerings]}

    def known(value: Any) -> Any:
        if isinstance(value, list):
            return [known(one) for one in value]
        if isinstance(value, dict):
            return {name: known(one) for name, one in value.items()}
        return names.get(value, value) if isinstance(value, str) else value

    return [
        {column.key: known(getattr(row, column.key)) for column in table_of(type(row)).columns if column.key != "id"}
        for row in [*specifications, *offerings]
    ]


@pytest.mark.parametrize("catalog", [demo_catalog(), RICH], ids=["demo", "rich"])
def test_a_catalog_comes_unchanged_out_of_a_round_trip(
    database: Database, tmp_path: Path, catalog: dict[str, Any]
) -> None:
    created, _, _ = counts(database, catalog)
    document = export(database)
    assert counts(database, document) == (0, 0, created), "to where it comes from"
    with provider_database(f"sqlite:///{tmp_path / 'elsewhere.db'}") as elsewhere:
        assert counts(elsewhere, document) == (created, 0, 0)
        assert counts(elsewhere, document) == (0, 0, created)
        assert rows(elsewhere) == rows(database)
        assert export(elsewhere) == document
        assert counts(elsewhere, catalog) == (0, 0, created), "the author's document says the same"


def test_validity_and_retirement_survive(database: Database, tmp_path: Path) -> None:
    catalog = small_catalog()
    catalog["productOffering"][0]["validFor"] = {
        "startDateTime": "2026-01-01T00:00:00+01:00",
        "endDateTime": "2027-01-01T00:00:00Z",
    }
    counts(database, catalog)
    with database.transaction() as session:
        retire_offering(session, session.scalars(select(ProductOffering.id)).one(), "user/ada", NOW)
    with provider_database(f"sqlite:///{tmp_path / 'elsewhere.db'}") as elsewhere:
        counts(elsewhere, export(database))
        assert rows(elsewhere) == rows(database)
        assert rows(elsewhere)[-1]["lifecycle_state"] == "retired"


def test_one_price_id_with_two_prices_is_told_apart(database: Database, tmp_path: Path) -> None:
    counts(database, small_catalog())
    newer = small_catalog()
    newer["productOffering"][0]["version"] = "2.0"
    newer["productOfferingPrice"][0]["price"]["value"] = "59.90"
    counts(database, newer)
    document = export(database)
    assert [price["id"] for price in document["productOfferingPrice"]] == ["pop-line", "pop-line~2"]
    with provider_database(f"sqlite:///{tmp_path / 'elsewhere.db'}") as elsewhere:
        counts(elsewhere, document)
        assert [row["prices"][0]["amount"] for row in rows(elsewhere)[-2:]] == ["49.90", "59.90"]
