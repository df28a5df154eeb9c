"""Offerings that hold other offerings: which of them may be chosen, how many of a group, and the form of it all."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from provider.domain.catalog import Specification, build_form, quantity_flaws, repeated_keys
from provider.domain.choice_rules import ChoiceRule, Condition, RuleKind, render_rules, rule_flaws
from provider.domain.errors import FieldError, InvalidFields

DEPTH_LIMIT = 8
"""How deep bundles may lie within each other."""


@dataclass(frozen=True)
class Relation:
    """An offering, by its external id, that another one needs or excludes wherever both are members of one bundle."""

    kind: RuleKind
    offering: str


@dataclass(frozen=True)
class Group:
    """Members of which at least and at most so many have to be chosen. No maximum is None."""

    key: str
    name: str
    min_options: int = 0
    max_options: int | None = None


@dataclass(frozen=True)
class Offering:
    """What is sold: a specification, and with members a bundle of other offerings. The members' ids are external."""

    id: str
    name: str
    specification: Specification
    members: "tuple[Member, ...]" = ()
    groups: tuple[Group, ...] = ()
    relations: tuple[Relation, ...] = ()
    rules: tuple[ChoiceRule, ...] = ()


@dataclass(frozen=True)
class Member:
    """An offering as part of a bundle, under a key that outlives a renaming; perhaps of a group."""

    key: str
    offering: Offering
    mandatory: bool = True
    default_selected: bool = True
    min_quantity: int = 1
    max_quantity: int | None = 1
    group: str | None = None


def build_offering_form(offering: Offering) -> dict[str, Any]:
    """The form of the remote catalog item: that of the specification, each member a part, with groups and rules.

    Raises InvalidFields, pointing into the offering, when it contains itself, names two things alike, or asks for what
    nobody can choose.
    """
    if errors := list(_cycles(offering, "", ())):
        raise InvalidFields(errors)
    form = build_form(offering.specification)
    inside = [build_offering_form(member.offering) for member in offering.members]
    form["parts"] += [_part(member, below) for member, below in zip(offering.members, inside, strict=True)]
    if errors := list(_flaws(offering, form)):
        raise InvalidFields(errors)
    if offering.groups:
        form["groups"] = [_group(offering, group) for group in offering.groups]
    rules = (*offering.rules, *_related(offering))
    if rules:
        form["rules"] = form.get("rules", []) + render_rules(rules, form, offering.name)
    return form


def _part(member: Member, form: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": member.key,
        "name": member.offering.name,
        "mandatory": member.mandatory,
        "default_selected": member.mandatory or member.default_selected,
        "min_quantity": member.min_quantity,
        "max_quantity": member.max_quantity,
        **form,
    }


def _group(offering: Offering, group: Group) -> dict[str, Any]:
    return {
        "key": group.key,
        "name": group.name,
        "min_options": group.min_options,
        "max_options": group.max_options,
        "parts": [member.key for member in offering.members if member.group == group.key],
    }


def _related(offering: Offering) -> Iterator[ChoiceRule]:
    """What members need or exclude of each other by themselves."""
    for member in offering.members:
        for relation in member.offering.relations:
            others = [other.key for other in offering.members if other.offering.id == relation.offering]
            conditions = tuple(Condition((key,)) for key in others if key != member.key)
            if conditions:
                yield ChoiceRule(relation.kind, Condition((member.key,)), conditions)


def _cycles(offering: Offering, pointer: str, above: tuple[Offering, ...]) -> Iterator[FieldError]:
    path = (*above, offering)
    names = " > ".join(one.name for one in path)
    if any(one.id == offering.id for one in above):
        yield FieldError(pointer, "cycle", f"an offering cannot contain itself: {names}")
    elif len(above) > DEPTH_LIMIT:
        yield FieldError(pointer, "too_deep", f"bundles lie at most {DEPTH_LIMIT} deep within each other: {names}")
    else:
        for index, member in enumerate(offering.members):
            yield from _cycles(member.offering, f"{pointer}/members/{index}/offering", path)


def _flaws(offering: Offering, form: dict[str, Any]) -> Iterator[FieldError]:
    own = [child.key for child in offering.specification.children]
    keys = [*own, *(member.key for member in offering.members)]
    yield from repeated_keys(keys, "/members", "part", skip=len(own))
    for index, member in enumerate(offering.members):
        yield from quantity_flaws(member.min_quantity, member.max_quantity, f"/members/{index}")
        if member.group is not None and member.group not in {group.key for group in offering.groups}:
            yield FieldError(f"/members/{index}/group", "unknown", f"there is no group {member.group}")
    yield from repeated_keys([group.key for group in offering.groups], "/groups", "group")
    for index, group in enumerate(offering.groups):
        yield from _group_flaws(offering, group, f"/groups/{index}")
    yield from rule_flaws(offering.rules, form, "/rules")


def _group_flaws(offering: Offering, group: Group, pointer: str) -> Iterator[FieldError]:
    members = [member for member in offering.members if member.group == group.key]
    always = sum(member.mandatory for member in members)
    default = sum(member.mandatory or member.default_selected for member in members)
    most = len(members) if group.max_options is None else group.max_options
    if not members:
        yield FieldError(pointer, "required", f"no member is in the group {group.name}")
    elif group.min_options > min(most, len(members)):
        message = f"of {group.name} only {min(most, len(members))} can be chosen"
        yield FieldError(f"{pointer}/min_options", "range", message)
    elif most < max(1, always):
        yield FieldError(f"{pointer}/max_options", "range", f"the maximum must be at least {max(1, always)}")
    elif default > most:
        message = f"{default} of {group.name} are chosen by default, and at most {most} may be"
        yield FieldError(f"{pointer}/max_options", "default", message)
