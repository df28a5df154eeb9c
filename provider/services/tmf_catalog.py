"""What does a TMF620-shaped catalog document say in our words? Nothing is looked up or changed here.

Member names are those of TMF620 and TMF633 v4. Our own begin with `x-`: `x-taskTemplate` (the work that fulfils a
specification), `x-choice` (from which live data a characteristic is chosen), `x-channel` and `x-serviceType` (of
service specifications), `x-label` (of characteristics and their values), `x-key` (of a bundled part),
`x-lineLevelPointOfNoReturn` (of an offering: only lines past the point of no return stay when the others of their order
are cancelled), and `x-compatibilityRule` (which choices need or exclude each other). A bundle that names no
specification gets one of its own, of its id, name and version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from provider.domain.catalog import CatalogState, CharacteristicType, ServiceType
from provider.services.tmf_bundles import BUNDLE_MEMBERS, Bundle, Part, read_bundle, read_rules
from provider.services.tmf_reader import Faults, Node, Reference, key_of

_COMMON = frozenset({"id", "href", "name", "description", "version", "lifecycleStatus", "lastUpdate", "validFor"})
_SPECIFICATION = _COMMON | {
    "isBundle",
    "x-compatibilityRule",
    "x-taskTemplate",
    "x-channel",
    "attachment",
    "relatedParty",
}
_PRODUCT_SPECIFICATION = _SPECIFICATION | {
    *("brand", "productNumber", "productSpecCharacteristic"),
    *("bundledProductSpecification", "productSpecificationRelationship"),
}
_SERVICE_SPECIFICATION = _SPECIFICATION | {"specCharacteristic", "serviceSpecRelationship", "x-serviceType"}
_OFFERING = _COMMON | {
    *("isBundle", "isSellable", "statusReason", "category", "channel", "productOfferingPrice"),
    *("productSpecification", "attachment", "x-lineLevelPointOfNoReturn"),
    *BUNDLE_MEMBERS,
}
_PRICE = _COMMON | {"isBundle", "priceType", "recurringChargePeriodType", "recurringChargePeriodLength", "price"}
_CHARACTERISTIC = frozenset(
    {
        *("id", "name", "description", "valueType", "configurable", "minCardinality", "maxCardinality", "x-label"),
        "x-choice",
        *("productSpecCharacteristicValue", "characteristicValueSpecification", "isUnique", "extensible", "validFor"),
    }
)
_CHOICE = frozenset({"definition", "displayField", "infoFields", "dependsOn", "qualifier"})
_VALUE = frozenset({"value", "isDefault", "valueType", "unitOfMeasure", "x-label", "validFor"})
_PART = frozenset(
    {
        *("id", "href", "name", "version", "lifecycleStatus", "relationshipType"),
        *("minimum", "maximum", "default", "x-key"),
    }
)
_TASK = frozenset({"key", "name", "dependsOn", "pointOfNoReturn"})
DOCUMENT = frozenset({"productSpecification", "serviceSpecification", "productOffering", "productOfferingPrice"})

_LIFECYCLE = {
    "": CatalogState.IN_DRAFT,
    **dict.fromkeys(("in study", "in design", "in test", "draft", "in draft"), CatalogState.IN_DRAFT),
    **dict.fromkeys(("active", "launched", "published"), CatalogState.PUBLISHED),
    **dict.fromkeys(("retired", "obsolete"), CatalogState.RETIRED),
}
_VALUE_TYPES = {
    **{str(type_).replace("_", ""): type_ for type_ in CharacteristicType},
    "": CharacteristicType.TEXT,
    "string": CharacteristicType.TEXT,
    "number": CharacteristicType.DECIMAL,
    "ipaddress": CharacteristicType.IP_ADDRESS,
}
_PRICE_TYPES = {"recurring": "recurring", "onetime": "one_time", "usage": "usage"}


@dataclass(frozen=True)
class SpecificationEntry:
    """A specification of the document. `characteristics` and `task_templates` are as the tables keep them."""

    pointer: str
    kind: str
    external_id: str
    version: str
    name: str
    description: str
    service_type: str | None
    lifecycle_state: str
    characteristics: list[dict[str, Any]]
    parts: list[Part]
    task_templates: list[dict[str, Any]]
    channels: list[str]
    rules: list[dict[str, Any]]


@dataclass(frozen=True)
class OfferingEntry:
    """An offering of the document, with its prices in it."""

    pointer: str
    external_id: str
    version: str
    name: str
    description: str
    category: str
    specification: Reference
    sellable: bool
    channels: list[str]
    prices: list[dict[str, Any]]
    line_level_ponr: bool
    bundle: Bundle
    rules: list[dict[str, Any]]
    lifecycle_state: str
    valid_from: datetime | None
    valid_to: datetime | None

    @property
    def is_its_own_specification(self) -> bool:
        """A bundle for which the document names no specification."""
        return self.specification.pointer == self.pointer


@dataclass(frozen=True)
class CatalogDocument:
    """Everything the document says, and everything that is wrong with its shape."""

    specifications: list[SpecificationEntry]
    offerings: list[OfferingEntry]
    faults: Faults


def read_catalog(document: Mapping[str, Any]) -> CatalogDocument:
    """Read the whole document; faults are collected, with pointers into it."""
    faults = Faults()
    root = Node(document, "", faults)
    root.allow(DOCUMENT)
    specifications = [_specification(node, "product") for node in root.children("productSpecification")]
    specifications += [_specification(node, "service") for node in root.children("serviceSpecification")]
    prices = _prices(root)
    offerings = [_offering(node, prices) for node in root.children("productOffering")]
    specifications += [_specification_of(offering) for offering in offerings if offering.is_its_own_specification]
    _refuse_repeated(specifications, faults)
    _refuse_repeated(offerings, faults)
    return CatalogDocument(specifications, offerings, faults)


def _specification(node: Node, kind: str) -> SpecificationEntry:
    product = kind == "product"
    node.allow(_PRODUCT_SPECIFICATION if product else _SERVICE_SPECIFICATION)
    relations = "productSpecificationRelationship" if product else "serviceSpecRelationship"
    parts = [_part(part) for part in node.children("bundledProductSpecification")]
    parts += [_part(part) for part in node.children(relations) if _is_bundle(part)]
    return SpecificationEntry(
        pointer=node.pointer,
        kind=kind,
        external_id=node.text("id", limit=120, required=True),
        version=node.text("version", limit=20, default="1.0"),
        name=node.text("name", required=True),
        description=node.text("description", limit=8000),
        service_type=None if product else _service_type(node),
        lifecycle_state=_lifecycle(node),
        characteristics=[_characteristic(c) for c in node.children(characteristics_member(kind))],
        parts=parts,
        task_templates=[_task(task) for task in node.children("x-taskTemplate")],
        channels=_channels(node, "x-channel"),
        rules=read_rules(node),
    )


def characteristics_member(kind: str) -> str:
    return "productSpecCharacteristic" if kind == "product" else "specCharacteristic"


def _offering(node: Node, prices: Mapping[str, dict[str, Any]]) -> OfferingEntry:
    node.allow(_OFFERING)
    bundle = read_bundle(node)
    specification = node.child("productSpecification").reference() if _has_specification(node) else _own(node)
    validity = node.child("validFor")
    valid_from, valid_to = validity.moment("startDateTime"), validity.moment("endDateTime")
    if valid_from and valid_to and valid_from >= valid_to:
        node.faults.add(validity.at("endDateTime"), "range", "the end must be after the start")
    categories = [key for c in node.children("category") if (key := c.text("name") or c.text("id"))]
    return OfferingEntry(
        pointer=node.pointer,
        external_id=node.text("id", limit=120, required=True),
        version=node.text("version", limit=20, default="1.0"),
        name=node.text("name", required=True),
        description=node.text("description", limit=8000),
        category=categories[0][:120] if categories else "",
        specification=specification,
        sellable=node.flag("isSellable", default=True),
        channels=_channels(node, "channel"),
        prices=[found for ref in node.children("productOfferingPrice") if (found := _price_of(ref, prices))],
        line_level_ponr=node.flag("x-lineLevelPointOfNoReturn", default=False),
        bundle=bundle,
        rules=read_rules(node),
        lifecycle_state=_lifecycle(node),
        valid_from=valid_from,
        valid_to=valid_to,
    )


def _has_specification(node: Node) -> bool:
    return node.value.get("productSpecification") is not None or not node.value.get("isBundle")


def _own(node: Node) -> Reference:
    version = node.text("version", limit=20, default="1.0")
    return Reference(node.text("id", limit=120), version, node.pointer)


def _specification_of(bundle: OfferingEntry) -> SpecificationEntry:
    """What a bundle is besides its members: one line of an order, which is done when it is handed over."""
    return SpecificationEntry(
        pointer=bundle.pointer,
        kind="product",
        external_id=bundle.external_id,
        version=bundle.version,
        name=bundle.name,
        description="",
        service_type=None,
        lifecycle_state=bundle.lifecycle_state,
        characteristics=[],
        parts=[],
        task_templates=[{"key": "hand_over", "name": "Hand over", "depends_on": [], "point_of_no_return": False}],
        channels=[],
        rules=[],
    )


def _characteristic(node: Node) -> dict[str, Any]:
    node.allow(_CHARACTERISTIC)
    name = node.text("name", required=True)
    member = "productSpecCharacteristicValue"
    if member not in node.value:
        member = "characteristicValueSpecification"
    values = list(node.children(member))
    for value in values:
        value.allow(_VALUE)
    maximum = node.count("maxCardinality", default=1)
    type_ = _value_type(node, bool(values), maximum)
    options = [_option(value) for value in values] if type_ in ("choice", "multiple_choice") else []
    return {
        "key": node.text("id", limit=60) or key_of(name),
        "name": node.text("x-label") or name,
        "type": type_,
        "options": options,
        "mandatory": (node.count("minCardinality", default=0) or 0) > 0,
        "default": _default(values, type_),
        "min_cardinality": node.count("minCardinality", default=0) or 0,
        "max_cardinality": maximum,
        "description": node.text("description", limit=2000),
        "configurable": node.flag("configurable", default=True),
        **({"choice": _choice(node.child("x-choice"))} if "x-choice" in node.value else {}),
    }


def _choice(node: Node) -> dict[str, Any]:
    """From which rows a reference is chosen. Whether they exist is asked when the document is taken in."""
    node.allow(_CHOICE)
    depends_on, qualifier = node.child("dependsOn"), node.child("qualifier")
    found: dict[str, Any] = {
        "definition": node.text("definition", required=True),
        "display_field": node.text("displayField") or None,
        "info_fields": [str(one) for one in node.items("infoFields")],
        "depends_on": None,
        "qualifier": {name: qualifier.items(name) for name in qualifier.value},
    }
    if depends_on.value:
        depends_on.allow(frozenset({"variable", "field"}))
        found["depends_on"] = {name: depends_on.text(name, required=True) for name in ("variable", "field")}
    return found


def _value_type(node: Node, has_values: bool, maximum: int | None) -> str:
    """A text with permitted values is a choice: TMF620 has no type for it."""
    given = node.text("valueType")
    type_ = _VALUE_TYPES.get(given.lower().replace("_", ""))
    if type_ is None:
        message = f"there is no type {given}; there are {', '.join(sorted(CharacteristicType))} and string"
        node.faults.add(node.at("valueType"), "unknown", message)
        return CharacteristicType.TEXT
    if type_ is CharacteristicType.TEXT and has_values and node.flag("configurable", default=True):
        return CharacteristicType.CHOICE if maximum == 1 else CharacteristicType.MULTIPLE_CHOICE
    return type_


def _option(node: Node) -> dict[str, str]:
    value = node.text("value", required=True)
    unit = node.text("unitOfMeasure")
    return {"value": value, "label": node.text("x-label") or f"{value} {unit}".strip()}


def _default(values: Sequence[Node], type_: str) -> Any:
    marked = [value.value.get("value") for value in values if value.flag("isDefault", default=False)]
    if type_ == CharacteristicType.MULTIPLE_CHOICE:
        return marked or None
    if len(marked) > 1:
        values[-1].faults.add(values[-1].pointer, "duplicate", "only one value can be the default")
    return marked[0] if marked else None


def _part(node: Node) -> Part:
    node.allow(_PART)
    minimum = node.count("minimum", default=1) or 0
    default = node.count("default", default=minimum) or 0
    return Part(node.reference(), node.text("x-key", limit=60), minimum, node.count("maximum", default=1), default > 0)


def _is_bundle(node: Node) -> bool:
    """Other relations between specifications (requires, realized as) say nothing about the form."""
    return node.text("relationshipType", required=True).lower() in ("bundles", "bundle")


def _task(node: Node) -> dict[str, Any]:
    node.allow(_TASK)
    name = node.text("name", required=True)
    depends_on = [str(key) for key in node.items("dependsOn")]
    ponr = node.flag("pointOfNoReturn", default=False)
    return {"key": node.text("key") or key_of(name), "name": name, "depends_on": depends_on, "point_of_no_return": ponr}


def _service_type(node: Node) -> str:
    given = node.text("x-serviceType") or node.value.get("@type", "")
    by_type = {
        "CustomerFacingServiceSpecification": "customer_facing",
        "ResourceFacingServiceSpecification": "resource_facing",
    }
    service_type = by_type.get(str(given), str(given)) or str(ServiceType.NOT_APPLICABLE)
    if service_type not in set(ServiceType):
        message = f"there are {', '.join(ServiceType)}"
        node.faults.add(node.at("x-serviceType"), "unknown", message)
    return service_type


def _lifecycle(node: Node) -> str:
    given = node.text("lifecycleStatus")
    state = _LIFECYCLE.get(given.lower())
    if state is None:
        message = f"{given} is not known; there are In design, Active, Launched, Retired and Obsolete"
        node.faults.add(node.at("lifecycleStatus"), "unknown", message)
    return str(state or CatalogState.IN_DRAFT)


def _channels(node: Node, member: str) -> list[str]:
    return sorted({key for c in node.children(member) if (key := key_of(c.text("id") or c.text("name")))})


def _prices(root: Node) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for node in root.children("productOfferingPrice"):
        price = _price(node)
        if price["id"] in found:
            root.faults.add(node.at("id"), "duplicate", f"another price has the id {price['id']} already")
        found[price["id"]] = price
    return found


def _price(node: Node) -> dict[str, Any]:
    node.allow(_PRICE)
    type_, money = node.text("priceType", required=True), node.child("price")
    known = _PRICE_TYPES.get(type_.lower().replace("_", "").replace(" ", ""))
    if type_ and known is None:
        node.faults.add(node.at("priceType"), "unknown", f"there are {', '.join(_PRICE_TYPES)}")
    currency = money.text("unit", required=True)
    if currency and not (len(currency) == 3 and currency.isalpha() and currency.isascii() and currency.isupper()):
        node.faults.add(money.at("unit"), "type", "a currency is three capital letters of ISO 4217, like EUR")
    return {
        "id": node.text("id", limit=120, required=True),
        "name": node.text("name", required=True),
        "price_type": known or "one_time",
        "amount": format(money.decimal("value"), "f"),
        "currency": currency,
        "period": node.text("recurringChargePeriodType") or None,
        "period_length": node.count("recurringChargePeriodLength", default=None),
    }


def _price_of(node: Node, prices: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    wanted = node.text("id", limit=120, required=True)
    if wanted and wanted not in prices:
        node.faults.add(node.at("id"), "unknown", f"there is no price {wanted} in this document")
    return prices.get(wanted)


def _refuse_repeated(entries: Sequence[SpecificationEntry] | Sequence[OfferingEntry], faults: Faults) -> None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        key = (entry.external_id, entry.version)
        if key in seen:
            message = f"{entry.external_id} stands in version {entry.version} in this document already"
            faults.add(f"{entry.pointer}/id", "duplicate", message)
        seen.add(key)
