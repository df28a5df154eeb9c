"""The catalog as the TMF620-shaped document that `catalog_import` takes: exported here, it is unchanged elsewhere."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from provider.domain.catalog import CatalogState
from provider.models.catalog import ProductOffering, Specification
from provider.services.tmf_catalog import characteristics_member

_LIFECYCLE = {CatalogState.IN_DRAFT: "In design", CatalogState.PUBLISHED: "Active", CatalogState.RETIRED: "Retired"}
_CHOICES = ("choice", "multiple_choice")

Document = dict[str, Any]


def export_catalog(session: Session) -> Document:
    """All specifications and offerings in all versions, but for archived ones, which no import takes.

    A price id that two offerings use for different prices is told apart by a suffix. Members that the import reads
    past (a brand, attachments) were not kept and are not told.
    """
    specifications = _living(session, Specification)
    offerings = _living(session, ProductOffering)
    by_id = {row.id: row for row in session.scalars(select(Specification))}
    offered = {row.id: row for row in session.scalars(select(ProductOffering))}
    prices = _Prices()
    return {
        "productSpecification": [_specification(row, by_id) for row in specifications if row.kind == "product"],
        "serviceSpecification": [_specification(row, by_id) for row in specifications if row.kind == "service"],
        "productOffering": [_offering(row, by_id[row.specification_id], offered, prices) for row in offerings],
        "productOfferingPrice": [_price(price) for price in prices.told.values()],
    }


def export_offering(session: Session, row: ProductOffering) -> Document:
    """One offering with its prices; its specification and its members are named only."""
    named = [member["offering_id"] for member in row.members]
    members = {one.id: one for one in session.scalars(select(ProductOffering).where(ProductOffering.id.in_(named)))}
    prices = _Prices()
    offering = _offering(row, session.get_one(Specification, row.specification_id), members, prices)
    return {"productOffering": [offering], "productOfferingPrice": [_price(price) for price in prices.told.values()]}


def _living(session: Session, model: Any) -> list[Any]:
    wanted = select(model).where(model.lifecycle_state != CatalogState.ARCHIVED)
    return list(session.scalars(wanted.order_by(model.external_id, model.version)))


def _entry(row: Specification | ProductOffering) -> Document:
    return {
        "id": row.external_id,
        "name": row.name,
        "version": row.version,
        "description": row.description,
        "lifecycleStatus": _LIFECYCLE[CatalogState(row.lifecycle_state)],
    }


def _specification(row: Specification, by_id: Mapping[str, Specification]) -> Document:
    product = row.kind == "product"
    document = {
        **_entry(row),
        "isBundle": bool(row.children),
        characteristics_member(row.kind): [_characteristic(one) for one in row.characteristics],
        "x-taskTemplate": [_task(task) for task in row.task_templates],
        "x-channel": _channels(row.channels),
    }
    if row.children:
        member = "productSpecificationRelationship" if product else "serviceSpecRelationship"
        document[member] = [_part(child, by_id[child["specification_id"]]) for child in row.children]
    if not product:
        document["x-serviceType"] = row.service_type
    return document | ({"x-compatibilityRule": row.rules} if row.rules else {})


def _characteristic(stored: Mapping[str, Any]) -> Document:
    """Types are told by our own names, which the import takes as well as those of TMF620."""
    values = _options(stored) if stored["type"] in _CHOICES else _default(stored)
    document = {
        "id": stored["key"],
        "name": stored["name"],
        "description": stored["description"],
        "valueType": stored["type"],
        "configurable": stored["configurable"],
        "minCardinality": stored["min_cardinality"],
        "maxCardinality": stored["max_cardinality"],
    }
    if choice := stored.get("choice"):
        document["x-choice"] = _choice(choice)
    return {**document, "productSpecCharacteristicValue": values} if values else document


def _choice(stored: Mapping[str, Any]) -> Document:
    named = {
        "definition": stored["definition"], "displayField": stored["display_field"],
        "infoFields": stored["info_fields"], "dependsOn": stored["depends_on"], "qualifier": stored["qualifier"],
    }  # fmt: skip
    return {name: value for name, value in named.items() if value}


def _options(stored: Mapping[str, Any]) -> list[Document]:
    default = stored["default"]
    chosen = default if isinstance(default, list) else [default]
    return [
        {"value": option["value"], "x-label": option["label"], "isDefault": option["value"] in chosen}
        for option in stored["options"]
    ]


def _default(stored: Mapping[str, Any]) -> list[Document]:
    return [] if stored["default"] is None else [{"value": stored["default"], "isDefault": True}]


def _task(stored: Mapping[str, Any]) -> Document:
    return {
        "key": stored["key"],
        "name": stored["name"],
        "dependsOn": stored["depends_on"],
        "pointOfNoReturn": stored["point_of_no_return"],
    }


def _part(child: Mapping[str, Any], specification: Specification) -> Document:
    return {
        "id": specification.external_id,
        "version": specification.version,
        "name": specification.name,
        "relationshipType": "bundles",
        "x-key": child["key"],
        "minimum": child["min_quantity"] if child["mandatory"] else 0,
        "maximum": child["max_quantity"],
        "default": child["min_quantity"] if child["default_selected"] else 0,
    }


def _offering(
    row: ProductOffering, specification: Specification, offered: Mapping[str, ProductOffering], prices: "_Prices"
) -> Document:
    document = {
        **_entry(row),
        **_bundle(row, offered),
        "isSellable": row.sellable,
        "x-lineLevelPointOfNoReturn": row.line_level_ponr,
        "category": [{"name": row.category}] if row.category else [],
        "channel": _channels(row.channels),
        "productSpecification": {
            "id": specification.external_id,
            "version": specification.version,
            "name": specification.name,
        },
        "productOfferingPrice": [{"id": prices.id_of(price)} for price in row.prices],
    }
    ends = {"startDateTime": row.valid_from, "endDateTime": row.valid_to}
    validity = {name: moment.isoformat() for name, moment in ends.items() if moment}
    return {**document, "validFor": validity} if validity else document


def _bundle(row: ProductOffering, offered: Mapping[str, ProductOffering]) -> Document:
    """What an offering holds, and what goes with it; nothing of that for a simple one."""

    def members(group: str | None) -> list[Document]:
        return [_member(one, offered[one["offering_id"]]) for one in row.members if one["group"] == group]

    document: Document = {"isBundle": bool(row.members)}
    if row.members:
        document["bundledProductOffering"] = members(None)
    if row.groups:
        document["bundledGroupProductOffering"] = [
            {
                "id": group["key"],
                "name": group["name"],
                "bundledGroupProductOfferingOption": {
                    "numberRelOfferLowerLimit": group["min_options"],
                    "numberRelOfferUpperLimit": group["max_options"],
                },
                "bundledProductOffering": members(group["key"]),
            }
            for group in row.groups
        ]
    if row.relations:
        document["productOfferingRelationship"] = [
            {"id": one["offering"], "relationshipType": one["kind"]} for one in row.relations
        ]
    return document | ({"x-compatibilityRule": row.rules} if row.rules else {})


def _member(stored: Mapping[str, Any], offering: ProductOffering) -> Document:
    return {
        "id": offering.external_id,
        "version": offering.version,
        "name": offering.name,
        "x-key": stored["key"],
        "bundledProductOfferingOption": {
            "numberRelOfferLowerLimit": stored["min_quantity"] if stored["mandatory"] else 0,
            "numberRelOfferUpperLimit": stored["max_quantity"],
            "numberRelOfferDefault": stored["min_quantity"] if stored["default_selected"] else 0,
        },
    }


class _Prices:
    """Every price once, by an id that is unique in the document."""

    def __init__(self) -> None:
        self.told: dict[str, Mapping[str, Any]] = {}

    def id_of(self, price: Mapping[str, Any]) -> str:
        number, name = 1, str(price["id"])
        while name in self.told and self.told[name] != {**price, "id": name}:
            number += 1
            name = f"{price['id']}~{number}"
        self.told[name] = {**price, "id": name}
        return name


def _price(stored: Mapping[str, Any]) -> Document:
    document = {
        "id": stored["id"],
        "name": stored["name"],
        "priceType": stored["price_type"],
        "price": {"unit": stored["currency"], "value": stored["amount"]},
    }
    period = {"recurringChargePeriodType": "period", "recurringChargePeriodLength": "period_length"}
    return document | {member: stored[name] for member, name in period.items() if stored[name] is not None}


def _channels(stored: Iterable[str]) -> list[Document]:
    return [{"id": channel} for channel in stored]
