"""What does a catalog document say of bundles of offerings, and of which choices go together?

Member names are those of TMF620 v4, and of v5 for groups; `x-compatibilityRule` is ours.
"""

from dataclasses import dataclass
from typing import Any

from provider.domain.choice_rules import RuleKind
from provider.services.tmf_reader import Node, Reference, key_of

BUNDLE_MEMBERS = frozenset(
    {
        *("bundledProductOffering", "bundledGroupProductOffering", "productOfferingRelationship"),
        "x-compatibilityRule",
    }
)
_MEMBER = frozenset({"id", "href", "name", "version", "lifecycleStatus", "bundledProductOfferingOption", "x-key"})
_GROUP = frozenset({"id", "name", "bundledGroupProductOfferingOption", "bundledProductOffering"})
_LIMITS = frozenset({"numberRelOfferLowerLimit", "numberRelOfferUpperLimit", "numberRelOfferDefault"})
_RULE = frozenset({"kind", "if", "then"})
_CONDITION = frozenset({"parts", "characteristic", "values"})


@dataclass(frozen=True)
class Part:
    """What is bundled in something else. `key` is empty if the part is to be called after what it is."""

    reference: Reference
    key: str
    minimum: int
    maximum: int | None
    default_selected: bool
    group: str | None = None


@dataclass(frozen=True)
class Bundle:
    """The offerings in an offering, none for a simple one, and its relations to others, as the tables keep them."""

    members: list[Part]
    groups: list[dict[str, Any]]
    relations: list[dict[str, Any]]


def read_bundle(node: Node) -> Bundle:
    """What an offering says of the offerings in it, and beside it."""
    members = [_member(member, None) for member in node.children("bundledProductOffering")]
    groups = []
    for group in node.children("bundledGroupProductOffering"):
        groups.append(_group(group))
        members += [_member(member, groups[-1]["key"]) for member in group.children("bundledProductOffering")]
    is_bundle = node.flag("isBundle", default=bool(members))
    if is_bundle and not members:
        node.faults.add(node.at("isBundle"), "required", "a bundle needs at least one bundledProductOffering")
    if members and not is_bundle:
        node.faults.add(node.at("isBundle"), "contradiction", "what has bundled offerings is a bundle")
    relations = [found for one in node.children("productOfferingRelationship") if (found := _relation(one))]
    return Bundle(members, groups, relations)


def read_rules(node: Node) -> list[dict[str, Any]]:
    """The rules that an offering or a specification states, as the tables keep them."""
    return [_rule(rule) for rule in node.children("x-compatibilityRule")]


def _member(node: Node, group: str | None) -> Part:
    """In a group one may be chosen; outside it belongs to the bundle, unless the options say otherwise."""
    node.allow(_MEMBER)
    options = node.child("bundledProductOfferingOption")
    options.allow(_LIMITS)
    minimum = options.count("numberRelOfferLowerLimit", default=0 if group else 1) or 0
    maximum = options.count("numberRelOfferUpperLimit", default=max(1, minimum))
    default = options.count("numberRelOfferDefault", default=minimum) or 0
    return Part(node.reference(), node.text("x-key", limit=60), minimum, maximum, default > 0, group)


def _group(node: Node) -> dict[str, Any]:
    node.allow(_GROUP)
    options = node.child("bundledGroupProductOfferingOption")
    options.allow(_LIMITS)
    name = node.text("name", required=True)
    return {
        "key": node.text("id", limit=60) or key_of(name),
        "name": name,
        "min_options": options.count("numberRelOfferLowerLimit", default=0) or 0,
        "max_options": options.count("numberRelOfferUpperLimit", default=None),
    }


def _relation(node: Node) -> dict[str, Any] | None:
    """Other relations (upgrade paths, substitutes) say nothing about the form."""
    kind = node.text("relationshipType", required=True).lower()
    offering = node.text("id", limit=120, required=True)
    return {"kind": kind, "offering": offering} if kind in set(RuleKind) else None


def _rule(node: Node) -> dict[str, Any]:
    node.allow(_RULE)
    kind = node.text("kind", required=True)
    if kind and kind not in set(RuleKind):
        node.faults.add(node.at("kind"), "unknown", f"there are {' and '.join(RuleKind)}")
        kind = str(RuleKind.REQUIRES)
    return {
        "kind": kind or str(RuleKind.REQUIRES),
        "if": _condition(node.child("if")),
        "then": [_condition(other) for other in node.children("then")],
    }


def _condition(node: Node) -> dict[str, Any]:
    node.allow(_CONDITION)
    parts = node.items("parts")
    if not all(isinstance(key, str) for key in parts):
        node.faults.add(node.at("parts"), "type", "must be a list of keys")
        parts = []
    values = node.items("values")
    if not all(isinstance(value, (str, int)) for value in values):
        node.faults.add(node.at("values"), "type", "must be a list of texts, whole numbers, true or false")
        values = []
    return {"parts": parts, "characteristic": node.text("characteristic") or None, "values": values}
