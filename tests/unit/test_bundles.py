"""The form of a bundle: members as parts, groups, and rules in plain words; and what keeps it from being published."""

from dataclasses import replace

import pytest

from provider.domain.bundles import Group, Member, Offering, Relation, build_offering_form
from provider.domain.catalog import (
    Characteristic,
    CharacteristicType,
    Child,
    Option,
    Specification,
    SpecificationKind,
    build_form,
)
from provider.domain.choice_rules import ChoiceRule, Condition, RuleKind
from provider.domain.errors import InvalidFields

SPEED = Characteristic(
    "speed", "Speed", CharacteristicType.CHOICE, (Option("1", "1 Gbit/s"), Option("10", "10 Gbit/s")), True, "1"
)
STATIC = Characteristic("static", "Static address", CharacteristicType.BOOLEAN)


def specification(name: str, *characteristics: Characteristic, **members: object) -> Specification:
    return Specification(f"ps-{name}", name, "1", SpecificationKind.PRODUCT, characteristics=characteristics, **members)  # type: ignore[arg-type]


FIBRE = Offering("po-fibre", "Fibre", specification("fibre", SPEED, STATIC))
MOBILE = Offering("po-mobile", "Mobile", specification("mobile"))
PHONE = Offering("po-phone", "Phone", specification("phone"), relations=(Relation(RuleKind.REQUIRES, "po-fibre"),))
OFFICE = Offering(
    "po-office",
    "Office",
    specification("office"),
    members=(
        Member("fibre", FIBRE, mandatory=False, group="access"),
        Member("mobile", MOBILE, mandatory=False, default_selected=False, group="access"),
        Member("phone", PHONE, mandatory=False, default_selected=False, max_quantity=20),
    ),
    groups=(Group("access", "Access", 1, 1),),
)


def flaws(offering: Offering) -> list[tuple[str, str]]:
    with pytest.raises(InvalidFields) as refused:
        build_offering_form(offering)
    return [(error.pointer, error.code) for error in refused.value.errors]


def test_a_simple_offering_has_the_form_of_its_specification() -> None:
    assert build_offering_form(FIBRE) == build_form(FIBRE.specification)


def test_members_become_parts_and_groups_say_how_many() -> None:
    form = build_offering_form(OFFICE)
    assert [(part["key"], part["name"], part["default_selected"]) for part in form["parts"]] == [
        ("fibre", "Fibre", True), ("mobile", "Mobile", False), ("phone", "Phone", False),
    ]  # fmt: skip
    assert form["parts"][0]["variables"] == build_form(FIBRE.specification)["variables"]
    assert form["groups"] == [
        {"key": "access", "name": "Access", "min_options": 1, "max_options": 1, "parts": ["fibre", "mobile"]}
    ]


def test_a_relation_of_a_member_becomes_a_rule_in_plain_words() -> None:
    (rule,) = build_offering_form(OFFICE)["rules"]
    assert rule == {
        "kind": "requires",
        "if": {"parts": ["phone"], "characteristic": None, "values": []},
        "then": [{"parts": ["fibre"], "characteristic": None, "values": []}],
        "message": "Phone needs Fibre",
    }


def test_a_relation_to_what_is_not_in_the_bundle_says_nothing() -> None:
    alone = replace(OFFICE, members=OFFICE.members[1:], groups=(Group("access", "Access", 0, 1),))
    assert "rules" not in build_offering_form(alone)


def test_a_rule_speaks_of_options_by_their_labels() -> None:
    rule = ChoiceRule(
        RuleKind.EXCLUDES,
        Condition(("fibre",), "speed", ("10",)),
        (Condition(("phone",)), Condition(("fibre",), "static", (True,))),
    )
    told = build_offering_form(replace(OFFICE, rules=(rule,)))["rules"][0]
    assert (
        told["message"] == "Fibre with Speed 10 Gbit/s cannot be combined with Phone or Fibre with Static address Yes"
    )


def test_bundles_lie_within_bundles_and_composites_within_both() -> None:
    composite = specification("router", children=(Child("card", specification("card", SPEED)),))
    site = Offering("po-site", "Site", composite, members=(Member("office", OFFICE, max_quantity=3),))
    form = build_offering_form(site)
    assert [part["key"] for part in form["parts"]] == ["card", "office"]
    assert [part["key"] for part in form["parts"][1]["parts"]] == ["fibre", "mobile", "phone"]
    assert form["parts"][1]["groups"][0]["name"] == "Access"


def test_a_rule_of_a_composite_specification_stands_in_its_form() -> None:
    rule = ChoiceRule(RuleKind.REQUIRES, Condition((), "speed", ("10",)), (Condition(("card",)),))
    card = Child("card", specification("card"), mandatory=False, default_selected=False)
    composite = replace(specification("router", SPEED), children=(card,), rules=(rule,))
    assert build_form(composite)["rules"][0]["message"] == "router with Speed 10 Gbit/s needs card"
    wrong = replace(rule, others=(Condition(("fan",)),))
    with pytest.raises(InvalidFields) as refused:
        build_form(replace(composite, rules=(wrong,)))
    assert [error.pointer for error in refused.value.errors] == ["/rules/0/then/0/parts/0"]


def test_a_bundle_that_contains_itself_is_refused_by_name() -> None:
    inner = replace(MOBILE, members=(Member("office", OFFICE),))
    outer = replace(OFFICE, members=(Member("mobile", inner),), groups=())
    with pytest.raises(InvalidFields) as refused:
        build_offering_form(outer)
    (error,) = refused.value.errors
    assert (error.pointer, error.code) == ("/members/0/offering/members/0/offering", "cycle")
    assert error.message == "an offering cannot contain itself: Office > Mobile > Office"


def test_bundles_lie_only_so_deep() -> None:
    deep = MOBILE
    for level in range(10):
        deep = Offering(f"po-{level}", f"Level {level}", specification(f"level-{level}"), members=(Member("x", deep),))
    assert [code for _, code in flaws(deep)] == ["too_deep"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"groups": (Group("access", "Access", 3, None),)}, [("/groups/0/min_options", "range")]),
        ({"groups": (Group("access", "Access", 0, 0),)}, [("/groups/0/max_options", "range")]),
        ({"groups": ()}, [("/members/0/group", "unknown"), ("/members/1/group", "unknown")]),
        (
            {"groups": (*OFFICE.groups, Group("none", "None"))},
            [("/groups/1", "required")],
        ),
        (
            {"members": (*OFFICE.members, Member("phone", MOBILE, max_quantity=0))},
            [("/members/3/key", "duplicate"), ("/members/3/max_quantity", "range")],
        ),
        (
            {"members": (OFFICE.members[0], replace(OFFICE.members[1], default_selected=True))},
            [("/groups/0/max_options", "default")],
        ),
        (
            {"members": tuple(replace(member, mandatory=True) for member in OFFICE.members)},
            [("/groups/0/max_options", "range")],
        ),
    ],
)
def test_a_bundle_that_nobody_could_order_is_refused(change: dict[str, object], found: list[tuple[str, str]]) -> None:
    assert flaws(replace(OFFICE, **change)) == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "others", "found"),
    [
        (Condition(("tv",)), (Condition(("fibre",)),), [("/rules/0/if/parts/0", "unknown")]),
        (Condition(("fibre",), "colour"), (Condition(("phone",)),), [("/rules/0/if/characteristic", "unknown")]),
        (Condition(("fibre",), "speed", ("5",)), (Condition(("phone",)),), [("/rules/0/if/values/0", "not_an_option")]),
        (Condition(("fibre",), "static", ("yes",)), (Condition(("phone",)),), [("/rules/0/if/values/0", "type")]),
        (Condition(), (Condition(("phone",)),), [("/rules/0/if", "required")]),
        (Condition(("phone",)), (), [("/rules/0/then", "required")]),
        (Condition(("phone",)), (Condition(("phone",)),), [("/rules/0/then/0", "contradiction")]),
    ],
)
def test_a_rule_about_what_is_not_there_is_refused(
    given: Condition, others: tuple[Condition, ...], found: list[tuple[str, str]]
) -> None:
    assert flaws(replace(OFFICE, rules=(ChoiceRule(RuleKind.EXCLUDES, given, others),))) == found
