"""What the variables of forms may ask beyond characteristics: bounds, patterns, more types, layout, and sets."""

import time
from typing import Any

import pytest

from bridge.answers import CHECKS, LAYOUT_TYPES
from bridge.forms import FormErrors, check_answers
from bridge.patterns import compile_pattern
from provider.domain.catalog import CharacteristicType


def variable(key: str = "one", type: str = "text", **facts: Any) -> dict[str, Any]:
    fixed = {"mandatory": False, "default": None, "min_cardinality": 0, "max_cardinality": None, "description": ""}
    return {"key": key, "label": key.title(), "type": type, "options": []} | fixed | facts


def table(*variables: dict[str, Any], **facts: Any) -> dict[str, Any]:
    one = {"key": "people", "label": "People", "many": True, "min_rows": 0, "max_rows": None, "description": ""}
    return one | {"variables": list(variables)} | facts


def form(*variables: dict[str, Any], sets: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"variables": list(variables), "parts": [], "sets": list(sets)}


def answer(value: Any, **facts: Any) -> Any:
    return check_answers(form(variable(**facts)), {"characteristics": {"one": value}})["characteristics"]["one"]


def flaws(asked: dict[str, Any], answers: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(FormErrors) as refused:
        check_answers(asked, answers)
    return [(error.pointer, error.code) for error in refused.value.errors]


def flaw(value: Any, **facts: Any) -> str:
    ((pointer, code),) = flaws(form(variable(**facts)), {"characteristics": {"one": value}})
    assert pointer == "/characteristics/one"
    return code


def test_every_characteristic_is_a_variable_that_can_be_checked() -> None:
    assert set(CharacteristicType) < set(CHECKS)
    assert not LAYOUT_TYPES & set(CHECKS)


@pytest.mark.parametrize(
    ("type", "given", "normal"),
    [
        ("masked", " s3cret ", "s3cret"),
        ("duration", "1d 2h 30m", "P1DT2H30M"),
        ("duration", "P1DT2H30M", "P1DT2H30M"),
        ("duration", "90m", "PT1H30M"),
        ("duration", "48 H", "P2D"),
        ("duration", "0m", "PT0M"),
        ("html", "<b>bold</b>\r\n", "<b>bold</b>"),
        ("requested_for", "Ada Lovelace", "Ada Lovelace"),
    ],
)
def test_answers_of_more_types_have_a_normal_form_that_stays(type: str, given: str, normal: str) -> None:
    assert answer(given, type=type) == normal
    assert answer(normal, type=type) == normal


@pytest.mark.parametrize("given", ["", "soon", "1", "P1M", "P", "PT", "1h 1d", 5])
def test_what_is_no_duration_is_refused_or_no_answer(given: Any) -> None:
    if given == "":
        assert answer(given, type="duration", default="PT1H") is None
    else:
        assert flaw(given, type="duration") in ("format", "type")


@pytest.mark.parametrize(
    ("facts", "right", "wrong", "code"),
    [
        ({"type": "integer", "min": 1, "max": 10}, "10", 11, "range"),
        ({"type": "integer", "min": 1}, 1, 0, "range"),
        ({"type": "decimal", "max": "9.99"}, "9.99", "10", "range"),
        ({"type": "date", "min": "2026-01-01"}, "2026-01-01", "2025-12-31", "range"),
        ({"type": "datetime", "max": "2026-01-01T00:00:00Z"}, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "range"),
        ({"min_length": 3}, "abc", "ab", "too_short"),
        ({"max_length": 3, "type": "multiline_text"}, "a\nb", "abcd", "too_long"),
        ({"pattern": "[A-Z]{2}-\\d+"}, "DE-1", "D-1", "pattern"),
        ({"type": "masked", "min_length": 8}, "longenough", "short", "too_short"),
        ({"type": "boolean", "display": "checkbox", "mandatory": True}, True, False, "required"),
        ({"type": "boolean", "mandatory": True}, False, "maybe", "type"),
    ],
)
def test_bounds_are_kept(facts: dict[str, Any], right: Any, wrong: Any, code: str) -> None:
    answer(right, **facts)
    assert flaw(wrong, **facts) == code


def test_the_hint_of_a_pattern_says_what_would_be_right() -> None:
    asked = form(variable(pattern="[A-Z]{2}", pattern_hint="be two capital letters"))
    with pytest.raises(FormErrors, match="One must be two capital letters"):
        check_answers(asked, {"characteristics": {"one": "x"}})


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "a|b", "\\1", "a**", "[", "[z-a]", "a{2", "^a$", "a+" * 5, "[[a]]", "a{1,64}" * 6, "", "x" * 201],
)
def test_a_pattern_that_could_be_slow_or_means_nothing_is_not_used(pattern: str) -> None:
    assert compile_pattern(pattern) is None


@pytest.mark.parametrize("pattern", ["[a-z]+\\.[a-z]+x", "\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}x", ".*.*x"])
def test_no_text_makes_a_usable_pattern_slow(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled
    begun = time.process_time()
    for text in ("a" * 255, "1" * 255, "1." * 127, "a.a." * 63):
        assert not compiled.fullmatch(text)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("type", sorted(LAYOUT_TYPES))
def test_layout_asks_nothing_and_takes_no_answer(type: str) -> None:
    asked = form(variable("layout", type, mandatory=True), variable())
    assert check_answers(asked, {"characteristics": {"one": "a"}})["characteristics"] == {"one": "a"}
    assert flaws(asked, {"characteristics": {"layout": "a"}}) == [("/characteristics/layout", "unknown")]


def test_a_set_of_one_row_is_answered_by_variable() -> None:
    asked = form(sets=(table(variable("name", mandatory=True), many=False),))
    assert check_answers(asked, {"sets": {"people": {"name": " Ada "}}})["sets"] == {"people": {"name": "Ada"}}
    assert flaws(asked, {}) == [("/sets/people/name", "required")]
    assert flaws(asked, {"sets": {"people": [], "others": {}}}) == [
        ("/sets/others", "unknown"),
        ("/sets/people", "type"),
        ("/sets/people/name", "required"),
    ]


def test_a_table_is_answered_row_by_row_and_its_empty_rows_drop_out() -> None:
    asked = form(sets=(table(variable("name", mandatory=True), variable("age", "integer", default=18)),))
    rows = [{"name": "Ada", "age": "36"}, {"name": "", "age": None}, {"name": "Bob"}]
    normal = check_answers(asked, {"sets": {"people": rows}})
    assert normal["sets"] == {"people": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 18}]}
    assert check_answers(asked, normal) == normal
    assert check_answers(asked, {})["sets"] == {"people": []}


@pytest.mark.parametrize("tick", [False, "false", None, ""])
def test_a_row_in_which_only_a_checkbox_was_left_unticked_is_empty(tick: Any) -> None:
    asked = form(sets=(table(variable("name", mandatory=True), variable("vip", "boolean", display="checkbox")),))
    rows = [{"name": "", "vip": tick}, {"name": "Ada", "vip": tick}]
    assert [row["name"] for row in check_answers(asked, {"sets": {"people": rows}})["sets"]["people"]] == ["Ada"]
    assert flaws(asked, {"sets": {"people": [{"name": "", "vip": True}]}}) == [("/sets/people/0/name", "required")]


def test_what_is_wrong_in_a_table_points_at_its_row_as_it_was_sent() -> None:
    asked = form(sets=(table(variable("name", mandatory=True), variable("age", "integer")),))
    rows = [{"name": ""}, {"name": "Ada", "age": "old"}, {"age": 1, "hat": "red"}, "Bob"]
    assert flaws(asked, {"sets": {"people": rows}}) == [
        ("/sets/people/1/age", "type"),
        ("/sets/people/2/hat", "unknown"),
        ("/sets/people/2/name", "required"),
        ("/sets/people/3", "type"),
    ]


@pytest.mark.parametrize(("count", "is_right"), [(0, False), (1, True), (2, True), (3, False)])
def test_a_table_takes_as_many_rows_as_it_says(count: int, is_right: bool) -> None:
    asked = form(sets=(table(variable("name"), min_rows=1, max_rows=2),))
    answers = {"sets": {"people": [{"name": str(number)} for number in range(count)]}}
    if is_right:
        assert len(check_answers(asked, answers)["sets"]["people"]) == count
    else:
        assert flaws(asked, answers) == [("/sets/people", "range")]


def test_no_table_takes_more_than_a_hundred_rows() -> None:
    asked = form(sets=(table(variable("name")),))
    answers = {"sets": {"people": [{"name": "a"}] * 101}}
    assert flaws(asked, answers) == [("/sets/people", "range")]


def test_a_form_without_sets_takes_none() -> None:
    assert flaws(form(), {"sets": {}}) == [("/sets", "unknown")]
    assert "sets" not in check_answers(form(), {})


def test_a_long_text_that_is_no_duration_is_refused_at_once() -> None:
    began = time.perf_counter()
    for text in ("P" + " " * 600 + "X", "1 D" + " " * 600 + "X"):
        assert flaw(text, type="duration") == "format"
    assert time.perf_counter() - began < 0.2
