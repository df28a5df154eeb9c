"""Answers are checked against the form that a catalog item carries."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.answers import CHECKS
from bridge.forms import ERRORS_LIMIT, FormErrors, check_answers
from provider.domain.catalog import CharacteristicType

SIZES = [{"value": "s", "label": "Small"}, {"value": "m", "label": "Medium"}, {"value": "l", "label": "Large"}]


def variable(key="size", type="text", **facts) -> dict[str, Any]:
    options = SIZES if "choice" in type else []
    fixed = {"mandatory": False, "default": None, "min_cardinality": 0, "max_cardinality": None, "description": ""}
    return {"key": key, "label": key.title(), "type": type, "options": options} | fixed | facts


def part(key, *variables, parts=(), **facts) -> dict[str, Any]:
    fixed = {"mandatory": False, "default_selected": False, "min_quantity": 1, "max_quantity": 5}
    return {"key": key, "name": key.title(), "variables": list(variables), "parts": list(parts)} | fixed | facts


def form(*variables, parts=()) -> dict[str, Any]:
    return {"variables": list(variables), "parts": list(parts)}


def flaws(form, **answers):
    with pytest.raises(FormErrors) as refused:
        check_answers(form, answers)
    return [(error.pointer, error.code) for error in refused.value.errors]


def characteristic(value, **facts):
    """The normal form of one answer."""
    return check_answers(form(variable(**facts)), {"characteristics": {"size": value}})["characteristics"]["size"]


def test_an_empty_form_needs_no_answers():
    assert check_answers(form(), {}) == {"quantity": 1, "characteristics": {}, "parts": {}}


def test_both_sides_know_the_same_types():
    assert set(CharacteristicType) <= set(CHECKS)


@pytest.mark.parametrize(
    ("type", "given", "normal"),
    [
        ("text", "  plain text ", "plain text"),
        ("text", "Grüße, 世界 🚀", "Grüße, 世界 🚀"),
        ("multiline_text", "one\r\ntwo\n", "one\ntwo"),
        ("integer", 5, 5),
        ("integer", " -12 ", -12),
        ("integer", 2**53 - 1, 2**53 - 1),
        ("decimal", "12.50", "12.50"),
        ("decimal", "+007.5", "7.5"),
        ("decimal", 3, "3"),
        ("boolean", True, True),
        ("boolean", "false", False),
        ("choice", "m", "m"),
        ("multiple_choice", ["l", "s"], ["s", "l"]),
        ("date", " 2028-02-29", "2028-02-29"),
        ("datetime", "2026-12-01T10:30:00+01:00", "2026-12-01T09:30:00Z"),
        ("datetime", "2026-12-01T09:30:00Z", "2026-12-01T09:30:00Z"),
        ("email", "ada@example.com", "ada@example.com"),
        ("url", "https://example.com:8443/a?b=c", "https://example.com:8443/a?b=c"),
        ("ip_address", "192.0.2.1", "192.0.2.1"),
        ("ip_address", "2001:DB8:0::1", "2001:db8::1"),
    ],
)
def test_an_answer_takes_its_normal_form(type, given, normal):
    assert characteristic(given, type=type) == normal
    assert characteristic(normal, type=type) == normal


@pytest.mark.parametrize(
    ("type", "given", "code"),
    [
        ("text", 5, "type"),
        ("text", "x" * 4001, "too_long"),
        ("text", "two\nlines", "format"),
        ("text", "nul\0", "format"),
        ("text", "\ud800", "format"),
        ("multiline_text", "bell\x07", "format"),
        ("integer", "5.0", "type"),
        ("integer", 5.0, "type"),
        ("integer", True, "type"),
        ("integer", "\N{ARABIC-INDIC DIGIT FIVE}", "type"),
        ("integer", 2**53, "range"),
        ("integer", "9" * 5000, "type"),
        ("decimal", 12.5, "type"),
        ("decimal", True, "type"),
        ("decimal", "1e9", "type"),
        ("decimal", "NaN", "type"),
        ("decimal", "1,5", "type"),
        ("boolean", 1, "type"),
        ("boolean", "yes", "type"),
        ("choice", "xl", "not_an_option"),
        ("choice", "Small", "not_an_option"),
        ("choice", ["s"], "not_an_option"),
        ("multiple_choice", "s", "type"),
        ("date", "2026-02-29", "format"),
        ("date", "20261201", "format"),
        ("date", "01.12.2026", "format"),
        ("datetime", "2026-12-01T09:30:00", "format"),
        ("datetime", "20261201T093000Z", "format"),
        ("datetime", "9999-12-31T23:59:59-14:00", "format"),
        ("email", "ada", "format"),
        ("email", "a@b@c", "format"),
        ("email", "ada@" + "x" * 255, "too_long"),
        ("url", "example.com", "format"),
        ("url", "javascript:alert(1)", "format"),
        ("url", "ftp://example.com/", "format"),
        ("url", "https://exa mple.com/", "format"),
        ("url", "https://", "format"),
        ("url", "http://[::1", "format"),
        ("url", "http://a:99999/", "format"),
        ("ip_address", "192.0.2.256", "format"),
        ("ip_address", "192.0.2.0/24", "format"),
        ("hologram", "x", "unsupported_type"),
    ],
    ids=lambda value: ascii(value)[:24],
)
def test_an_answer_of_the_wrong_kind_is_refused_where_it_stands(type, given, code):
    assert flaws(form(variable(type=type)), characteristics={"size": given}) == [("/characteristics/size", code)]


def test_a_wrong_member_of_a_list_is_pointed_at():
    several = form(variable(type="multiple_choice"))
    assert flaws(several, characteristics={"size": ["s", "xl"]}) == [("/characteristics/size/1", "not_an_option")]
    assert flaws(several, characteristics={"size": ["s", "s"]}) == [("/characteristics/size/1", "duplicate")]
    assert flaws(several, characteristics={"size": [{}]}) == [("/characteristics/size/0", "not_an_option")]


def test_a_multiple_choice_keeps_to_its_cardinality():
    two = form(variable(type="multiple_choice", min_cardinality=2, max_cardinality=2))
    assert flaws(two, characteristics={"size": ["s"]}) == [("/characteristics/size", "range")]
    assert flaws(two, characteristics={"size": ["s", "m", "l"]}) == [("/characteristics/size", "range")]
    assert check_answers(two, {"characteristics": {"size": ["l", "m"]}})["characteristics"] == {"size": ["m", "l"]}


@pytest.mark.parametrize(
    ("facts", "value", "message"),
    [
        ({"type": "choice"}, "xl", "Size must be one of s, m, l"),
        ({"type": "integer"}, "many", "Size must be a whole number such as 5"),
        ({"type": "date"}, "soon", "Size must be a date such as 2026-12-01"),
        ({"mandatory": True}, "", "Size must be answered"),
    ],
)
def test_a_refusal_says_what_would_be_right(facts, value, message):
    with pytest.raises(FormErrors) as refused:
        check_answers(form(variable(**facts)), {"characteristics": {"size": value}})
    assert [error.message for error in refused.value.errors] == [message]
    assert str(refused.value) == f"/characteristics/size: {message}"


def test_a_missing_answer_takes_the_default():
    assert check_answers(form(variable(default="m", type="choice")), {})["characteristics"] == {"size": "m"}
    assert check_answers(form(variable(default=False, type="boolean")), {})["characteristics"] == {"size": False}


def test_a_wrong_default_is_found_too():
    assert flaws(form(variable(default="xl", type="choice"))) == [("/characteristics/size", "not_an_option")]


@pytest.mark.parametrize("blank", [None, "", "  ", []])
def test_a_blank_answer_is_no_answer(blank):
    given = {"characteristics": {"size": blank}}
    assert check_answers(form(variable()), given)["characteristics"] == {}
    assert check_answers(form(variable(default="m")), given)["characteristics"] == {"size": None}
    assert flaws(form(variable(mandatory=True)), **given) == [("/characteristics/size", "required")]
    assert flaws(form(variable(mandatory=True, default="m")), **given) == [("/characteristics/size", "required")]


def test_false_and_zero_are_answers():
    assert characteristic(False, type="boolean", mandatory=True) is False
    assert characteristic(0, type="integer", mandatory=True) == 0


@pytest.mark.parametrize("quantity", [1, 1000, "7"])
def test_a_quantity_is_a_whole_number_up_to_a_thousand(quantity):
    assert check_answers(form(), {"quantity": quantity})["quantity"] == int(quantity)


@pytest.mark.parametrize(
    ("quantity", "code"), [(0, "range"), (1001, "range"), (-1, "range"), (1.5, "type"), (True, "type"), ("a", "type")]
)
def test_any_other_quantity_is_refused(quantity, code):
    assert flaws(form(), quantity=quantity) == [("/quantity", code)]


def test_unknown_members_are_refused_on_every_level():
    nested = form(variable(), parts=[part("edge", variable("model"))])
    assert flaws(
        nested,
        colour="red",
        characteristics={"siez": "s"},
        parts={"edge": {"selected": True, "why": 1, "characteristics": {"a/b~c": 1}}, "egde": {}},
    ) == [
        ("/colour", "unknown"),
        ("/characteristics/siez", "unknown"),
        ("/parts/egde", "unknown"),
        ("/parts/edge/why", "unknown"),
        ("/parts/edge/characteristics/a~1b~0c", "unknown"),
    ]


def test_a_refused_name_is_answered_with_the_names_there_are():
    with pytest.raises(FormErrors, match="there are bandwidth, size"):
        check_answers(form(variable("bandwidth"), variable()), {"characteristics": {"siez": "s"}})


def test_what_is_not_an_object_is_refused():
    nested = form(parts=[part("edge")])
    assert flaws(nested, characteristics=[], parts="all") == [("/characteristics", "type"), ("/parts", "type")]
    assert flaws(nested, parts={"edge": True}) == [("/parts/edge", "type")]


def test_a_part_that_is_not_selected_drops_out_with_all_that_was_answered_in_it():
    optional = form(parts=[part("edge", variable("model", mandatory=True))])
    assert check_answers(optional, {})["parts"] == {}
    answers = {"parts": {"edge": {"selected": False, "quantity": 99, "characteristics": {"model": 5}}}}
    assert check_answers(optional, answers)["parts"] == {}


def test_leaving_out_a_part_that_is_selected_by_default_stays_said():
    usual = form(parts=[part("edge", default_selected=True)])
    assert check_answers(usual, {})["parts"]["edge"]["selected"] is True
    assert check_answers(usual, {"parts": {"edge": {"selected": "false"}}})["parts"] == {"edge": {"selected": False}}


def test_a_selected_part_is_answered_like_the_item_itself():
    port = part("port", variable("speed", "integer", mandatory=True), mandatory=True, min_quantity=2)
    nested = form(parts=[part("edge", variable("model", "choice", default="s"), parts=[port])])
    answers = {"parts": {"edge": {"selected": True, "parts": {"port": {"characteristics": {"speed": "10"}}}}}}
    port_answer = {"selected": True, "quantity": 2, "characteristics": {"speed": 10}, "parts": {}}
    assert check_answers(nested, answers)["parts"] == {
        "edge": {"selected": True, "quantity": 1, "characteristics": {"model": "s"}, "parts": {"port": port_answer}}
    }
    assert flaws(nested, parts={"edge": {"selected": True}}) == [
        ("/parts/edge/parts/port/characteristics/speed", "required")
    ]


def test_a_mandatory_part_cannot_be_left_out():
    fixed = form(parts=[part("edge", mandatory=True, default_selected=True)])
    assert check_answers(fixed, {})["parts"]["edge"]["selected"] is True
    assert flaws(fixed, parts={"edge": {"selected": False}}) == [("/parts/edge/selected", "mandatory")]
    assert flaws(fixed, parts={"edge": {"selected": "maybe"}}) == [("/parts/edge/selected", "type")]


@pytest.mark.parametrize(
    ("bounds", "quantity", "accepted"),
    [
        ({}, 5, True),
        ({}, 6, False),
        ({"min_quantity": 2}, 1, False),
        ({"min_quantity": 0}, 0, False),
        ({"max_quantity": None}, 1000, True),
        ({"max_quantity": None}, 1001, False),
    ],
)
def test_the_quantity_of_a_part_keeps_to_its_bounds(bounds, quantity, accepted):
    bounded = form(parts=[part("edge", **bounds)])
    answers = {"parts": {"edge": {"selected": True, "quantity": quantity}}}
    if accepted:
        assert check_answers(bounded, answers)["parts"]["edge"]["quantity"] == quantity
    else:
        assert flaws(bounded, **answers) == [("/parts/edge/quantity", "range")]


def test_the_rest_of_the_request_is_passed_on():
    rest = {"location": {"city": "Berlin"}, "contacts": [], "requested_on": "2026-12-01", "note": None}
    checked = check_answers(form(), rest)
    assert {key: checked[key] for key in rest} == rest


def test_a_flood_of_mistakes_is_cut_off_at_a_hundred():
    assert len(flaws(form(), characteristics={str(number): 1 for number in range(500)})) == 100


def test_the_answers_given_are_not_changed():
    answers = {"characteristics": {"size": " s "}, "parts": {}}
    check_answers(form(variable()), answers)
    assert answers == {"characteristics": {"size": " s "}, "parts": {}}


ANY_FORM = form(
    variable("text", default="x"),
    variable("one", "choice"),
    variable("some", "multiple_choice", default=["s", "m"]),
    parts=[part("usual", variable("count", "integer"), default_selected=True), part("extra")],
)
ANY_VALUE = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", " a", "s", "m"]) | st.just(["m", "s"])
ANY_PART = st.fixed_dictionaries(
    {},
    optional={
        "selected": ANY_VALUE,
        "quantity": ANY_VALUE,
        "characteristics": st.dictionaries(st.sampled_from(["count", "x"]), ANY_VALUE, max_size=1),
    },
)
ANY_ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "quantity": ANY_VALUE,
        "characteristics": st.dictionaries(st.sampled_from(["text", "one", "some"]), ANY_VALUE),
        "parts": st.dictionaries(st.sampled_from(["usual", "extra"]), ANY_PART),
    },
)


@given(answers=ANY_ANSWERS)
def test_answers_are_either_refused_or_have_a_normal_form_that_checking_again_does_not_change(answers):
    try:
        checked = check_answers(ANY_FORM, answers)
    except FormErrors as refused:
        assert refused.errors
    else:
        assert check_answers(ANY_FORM, checked) == checked


def test_answers_to_thousands_of_unknown_questions_are_refused_in_little_memory() -> None:
    fixed = {"mandatory": False, "default": None, "options": [], "label": "L", "type": "text", "description": ""}
    variables = [
        fixed | {"key": f"{number:060d}", "min_cardinality": 0, "max_cardinality": None} for number in range(200)
    ]
    given = {f"unknown{number}": "x" for number in range(10_000)}
    tracemalloc.start()
    try:
        with pytest.raises(FormErrors) as refused:
            check_answers({"variables": variables, "parts": []}, {"characteristics": given})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(refused.value.errors) == ERRORS_LIMIT
    assert peak < 10 * 1024 * 1024
