"""What is offered, what does a consumer fill in to order it, and which states do catalog records take?"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from provider.domain.choice_rules import ChoiceRule, render_rules, rule_flaws
from provider.domain.errors import FieldError, InvalidFields
from provider.domain.order_tasks import DEFAULT_TEMPLATES, TaskTemplate
from provider.domain.states import LabelledState, StateTable

SERVICE_EXCHANGE = "service_exchange"
"""The distribution channel that leads to other organisations' portals."""
CHANNEL_NAME = "Service Exchange"


class CatalogState(LabelledState):
    """The life of an offering or a specification; once published only its successor may differ."""

    IN_DRAFT = "in_draft", "In draft"
    PUBLISHED = "published", "Published"
    RETIRED = "retired", "Retired"
    ARCHIVED = "archived", "Archived"


CATALOG_MOVES = StateTable(
    "catalog entry",
    CatalogState.IN_DRAFT,
    {
        CatalogState.IN_DRAFT: frozenset({CatalogState.PUBLISHED}),
        CatalogState.PUBLISHED: frozenset({CatalogState.RETIRED}),
        CatalogState.RETIRED: frozenset({CatalogState.ARCHIVED}),
        CatalogState.ARCHIVED: frozenset(),
    },
)


class RemoteRecordProducerState(LabelledState):
    """The life of one revision. Inactive: superseded, but still in use by consumers that have not switched."""

    DRAFT = "draft", "Draft"
    PUBLISHED = "published", "Published"
    INACTIVE = "inactive", "Inactive"
    ARCHIVED = "archived", "Archived"
    RETIRED = "retired", "Retired"


_R = RemoteRecordProducerState

REMOTE_RECORD_PRODUCER_MOVES = StateTable(
    "remote record producer",
    _R.DRAFT,
    {
        # A draft retires with its offering: nobody may publish it afterwards.
        _R.DRAFT: frozenset({_R.PUBLISHED, _R.RETIRED}),
        # Editing what is published makes another revision: `provider/domain/revisions.py`.
        _R.PUBLISHED: frozenset({_R.INACTIVE, _R.RETIRED}),
        _R.INACTIVE: frozenset({_R.ARCHIVED, _R.RETIRED}),
        _R.ARCHIVED: frozenset(),
        _R.RETIRED: frozenset(),
    },
)


class CatalogItemState(LabelledState):
    """What a consumer made of an item it was sent."""

    PENDING_ACTIVATION = "pending_activation", "Pending activation"
    ACTIVE = "active", "Active"
    INACTIVE = "inactive", "Inactive"
    REMOVED = "removed", "Removed"


_C = CatalogItemState

CATALOG_ITEM_MOVES = StateTable(
    "catalog item",
    _C.PENDING_ACTIVATION,
    {
        _C.PENDING_ACTIVATION: frozenset({_C.ACTIVE, _C.REMOVED}),
        _C.ACTIVE: frozenset({_C.INACTIVE, _C.REMOVED}),
        _C.INACTIVE: frozenset({_C.ACTIVE, _C.REMOVED}),
        # The right to an item can be lost and won again.
        _C.REMOVED: frozenset({_C.PENDING_ACTIVATION}),
    },
)


class SpecificationKind(StrEnum):
    """What a specification describes."""

    PRODUCT = "product"
    SERVICE = "service"


class ServiceType(StrEnum):
    """Whom a service faces; only customer-facing ones can be ordered."""

    CUSTOMER_FACING = "customer_facing"
    RESOURCE_FACING = "resource_facing"
    NOT_APPLICABLE = "not_applicable"


class CharacteristicType(StrEnum):
    """What kind of answer a characteristic takes; `bridge/forms.py` checks each."""

    TEXT = "text"
    MULTILINE_TEXT = "multiline_text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    MULTIPLE_CHOICE = "multiple_choice"
    DATE = "date"
    DATETIME = "datetime"
    EMAIL = "email"
    URL = "url"
    IP_ADDRESS = "ip_address"
    REFERENCE = "reference"


_WITH_OPTIONS = frozenset({CharacteristicType.CHOICE, CharacteristicType.MULTIPLE_CHOICE})

Answer: TypeAlias = str | int | bool | tuple[str, ...]
"""A default, as JSON would say it; decimals are text."""


@dataclass(frozen=True)
class Option:
    """One permitted value, and the words for it."""

    value: str
    label: str


@dataclass(frozen=True)
class Characteristic:
    """One thing to be chosen. The cardinalities bound how many options a multiple choice takes; no maximum is None."""

    key: str
    name: str
    type: CharacteristicType
    options: tuple[Option, ...] = ()
    mandatory: bool = False
    default: Answer | None = None
    min_cardinality: int = 0
    max_cardinality: int | None = None
    description: str = ""
    choice: Mapping[str, Any] | None = None
    """Of a reference: which rows it is answered with, as `bridge/references.py` tells."""


@dataclass(frozen=True)
class Specification:
    """What a product or service is made of; with children it is composite."""

    id: str
    name: str
    version: str
    kind: SpecificationKind
    service_type: ServiceType | None = None
    characteristics: tuple[Characteristic, ...] = ()
    children: "tuple[Child, ...]" = ()
    rules: tuple[ChoiceRule, ...] = ()
    task_templates: tuple[TaskTemplate, ...] = DEFAULT_TEMPLATES


@dataclass(frozen=True)
class Child:
    """A specification as part of another. `key` names it in answers and outlives a renaming of the specification."""

    key: str
    specification: Specification
    mandatory: bool = True
    default_selected: bool = True
    min_quantity: int = 1
    max_quantity: int | None = 1


def generates_remote_record_producer(
    *, channels: Collection[str], sellable: bool = False, service_type: ServiceType | None = None
) -> bool:
    """Whether publishing makes a remote catalog item. Pass `sellable` of an offering, `service_type` of a service."""
    return SERVICE_EXCHANGE in channels and (sellable or service_type is ServiceType.CUSTOMER_FACING)


def why_not_sold(*, channels: Collection[str], sellable: bool) -> str:
    """What keeps an offering from consumers, in words; empty when nothing does."""
    missing = "" if SERVICE_EXCHANGE in channels else f"has no channel {CHANNEL_NAME}"
    return " and ".join(filter(None, (missing, "" if sellable else "is not sellable")))


def build_form(specification: Specification) -> dict[str, Any]:
    """The form of the remote catalog item, as plain JSON: `{"variables": [...], "parts": [...]}`, parts within parts.

    `docs/wire.md` 2.4 describes it. Raises InvalidFields, pointing into the specification, when the specification
    contains itself, names two things alike, or asks what nobody can answer.
    """
    if errors := list(_flaws(specification, "", ())):
        raise InvalidFields(errors)
    return _form(specification)


def _form(specification: Specification) -> dict[str, Any]:
    form: dict[str, Any] = {
        "variables": [_variable(characteristic) for characteristic in specification.characteristics],
        "parts": [_part(child) for child in specification.children],
    }
    if specification.rules:
        form["rules"] = render_rules(specification.rules, form, specification.name)
    return form


def _variable(characteristic: Characteristic) -> dict[str, Any]:
    default = characteristic.default
    return {
        "key": characteristic.key,
        "label": characteristic.name,
        "type": str(characteristic.type),
        "options": [{"value": option.value, "label": option.label} for option in characteristic.options],
        "mandatory": characteristic.mandatory,
        "default": list(default) if isinstance(default, tuple) else default,
        "min_cardinality": characteristic.min_cardinality,
        "max_cardinality": characteristic.max_cardinality,
        "description": characteristic.description,
        **({"choice": dict(characteristic.choice)} if characteristic.choice else {}),
    }


def _part(child: Child) -> dict[str, Any]:
    return {
        "key": child.key,
        "name": child.specification.name,
        "mandatory": child.mandatory,
        "default_selected": child.mandatory or child.default_selected,
        "min_quantity": child.min_quantity,
        "max_quantity": child.max_quantity,
        **_form(child.specification),
    }


def _flaws(specification: Specification, pointer: str, above: tuple[Specification, ...]) -> Iterator[FieldError]:
    path = (*above, specification)
    if any(ancestor.id == specification.id for ancestor in above):
        names = " > ".join(ancestor.name for ancestor in path)
        yield FieldError(pointer, "cycle", f"a specification cannot contain itself: {names}")
        return
    keys = [characteristic.key for characteristic in specification.characteristics]
    yield from repeated_keys(keys, f"{pointer}/characteristics", "characteristic")
    yield from repeated_keys([child.key for child in specification.children], f"{pointer}/children", "part")
    for index, characteristic in enumerate(specification.characteristics):
        yield from _characteristic_flaws(characteristic, f"{pointer}/characteristics/{index}")
    for index, child in enumerate(specification.children):
        yield from quantity_flaws(child.min_quantity, child.max_quantity, f"{pointer}/children/{index}")
    below = [
        error
        for index, child in enumerate(specification.children)
        for error in _flaws(child.specification, f"{pointer}/children/{index}/specification", path)
    ]
    yield from below
    if specification.rules and not below:  # a form is not made of what contains itself
        yield from rule_flaws(specification.rules, _form(specification), f"{pointer}/rules")


def repeated_keys(keys: Sequence[str], pointer: str, noun: str, *, skip: int = 0) -> Iterator[FieldError]:
    """Keys that stand there twice. The first `skip` are told elsewhere, and stand before those of the pointer."""
    for index, key in enumerate(keys[skip:]):
        if key in keys[: skip + index]:
            yield FieldError(f"{pointer}/{index}/key", "duplicate", f"another {noun} has the key {key} already")


def _characteristic_flaws(characteristic: Characteristic, pointer: str) -> Iterator[FieldError]:
    values = [option.value for option in characteristic.options]
    if characteristic.type in _WITH_OPTIONS and not values:
        yield FieldError(f"{pointer}/options", "required", "a choice needs at least one option")
    if characteristic.type not in _WITH_OPTIONS and values:
        yield FieldError(f"{pointer}/options", "not_allowed", f"{characteristic.type} takes no options")
    if (characteristic.type is CharacteristicType.REFERENCE) != (characteristic.choice is not None):
        yield FieldError(f"{pointer}/choice", "required", "a reference, and nothing else, says what is chosen from")
    for index, value in enumerate(values):
        if value in values[:index]:
            yield FieldError(f"{pointer}/options/{index}/value", "duplicate", f"{value} is an option already")
    maximum = characteristic.max_cardinality
    if maximum is not None and maximum < max(1, characteristic.min_cardinality):
        message = f"the maximum must be at least {max(1, characteristic.min_cardinality)}"
        yield FieldError(f"{pointer}/max_cardinality", "range", message)


def quantity_flaws(least: int, most: int | None, pointer: str) -> Iterator[FieldError]:
    """Of how many there may be of a part."""
    minimum = max(1, least)
    if most is not None and most < minimum:
        yield FieldError(f"{pointer}/max_quantity", "range", f"the maximum must be at least {minimum}")
