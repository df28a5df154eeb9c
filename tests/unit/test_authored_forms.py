"""Forms that people write by hand: what may stand in them, and how they are changed question by question."""

from typing import Any

import pytest

from bridge.answers import CHECKS, LAYOUT_TYPES
from provider.domain.authored_forms import (
    KINDS,
    complete_form,
    complete_variable,
    kind_of,
    move_question,
    move_set,
    new_form,
    put_question,
    put_set,
    remove_question,
    remove_set,
    why_not_published,
)
from provider.domain.errors import InvalidFields, NotFound


def question(key: str = "one", type: str = "text", **facts: Any) -> dict[str, Any]:
    return {"key": key, "label": key.title(), "type": type} | facts


def table(*variables: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {"key": "people", "label": "People", "many": True, "variables": list(variables)} | facts


def flaws(*variables: dict[str, Any], sets: tuple[dict[str, Any], ...] = ()) -> list[tuple[str, str]]:
    with pytest.raises(InvalidFields) as refused:
        complete_form({"variables": list(variables), "sets": list(sets)})
    return [(error.pointer, error.code) for error in refused.value.errors]


def keys(form: dict[str, Any]) -> list[str]:
    return [one["key"] for one in form["variables"]]


def test_every_type_can_be_asked_by_hand_and_is_found_again() -> None:
    assert {type_ for _, type_, _ in KINDS.values()} == set(CHECKS) | LAYOUT_TYPES
    for name, (_, type_, display) in KINDS.items():
        assert kind_of({"type": type_, "display": display}) == name
    assert kind_of({"type": "text"}) == "single_line"


def test_a_form_is_completed_to_what_the_wire_has() -> None:
    form = complete_form({"variables": [question("age", "integer", min="18", default="21")], "besides": ["note", "x"]})
    assert form == {
        "variables": [
            {
                "key": "age", "label": "Age", "type": "integer", "mandatory": False, "default": 21, "options": [],
                "description": "", "min_cardinality": 0, "max_cardinality": None, "min": 18,
            }
        ],
        "parts": [], "sets": [], "besides": ["note"],
    }  # fmt: skip
    assert complete_form(form) == form


@pytest.mark.parametrize(
    ("wrong", "where", "code"),
    [
        (question("1st"), "key", "format"),
        (question(label=" "), "label", "required"),
        (question(type="spell"), "type", "not_an_option"),
        (question(type="choice"), "options", "required"),
        (question(options=[{"value": "a", "label": "A"}]), "options", "not_allowed"),
        (question(type="choice", options=[{"value": "a", "label": ""}] * 2), "options", "duplicate"),
        (question(type="date", display="radio"), "display", "not_allowed"),
        (question(type="integer", display="scale", min=1), "max", "range"),
        (question(type="integer", display="scale", min=1, max=40), "max", "range"),
        (question(type="integer", min=5, max=4), "max", "range"),
        (question(type="date", min="tomorrow"), "min", "format"),
        (question(min=1), "min", "not_allowed"),
        (question(type="integer", max_length=4), "max_length", "not_allowed"),
        (question(min_length=5, max_length=4), "max_length", "range"),
        (question(pattern="(a+)+"), "pattern", "format"),
        (question(type="email", pattern="a"), "pattern", "not_allowed"),
        (question(type="integer", default="many"), "default", "type"),
        (question(type="integer", max=3, default=4), "default", "range"),
        (question(type="masked", default="secret"), "default", "not_allowed"),
        (question(type="rich_text"), "description", "required"),
        (question(type="label", mandatory=True), "mandatory", "not_allowed"),
        (
            question(
                type="multiple_choice", options=[{"value": "a", "label": "A"}], min_cardinality=2, max_cardinality=1
            ),
            "max_cardinality",
            "range",
        ),
    ],
)
def test_what_nobody_could_answer_is_refused_where_it_stands(wrong: dict[str, Any], where: str, code: str) -> None:
    assert flaws(question("fine"), wrong) == [(f"/variables/1/{where}", code)]
    assert flaws(sets=(table(wrong, many=False),)) == [(f"/sets/0/variables/0/{where}", code)]


@pytest.mark.parametrize(
    ("facts", "where", "code"),
    [
        ({"label": ""}, "label", "required"),
        ({"min_rows": 3, "max_rows": 2}, "max_rows", "range"),
        ({"max_rows": 101}, "max_rows", "range"),
        ({"variables": [question(type="break")]}, "variables", "not_allowed"),
    ],
)
def test_a_set_that_nobody_could_fill_in_is_refused(facts: dict[str, Any], where: str, code: str) -> None:
    assert flaws(sets=(table(**facts),)) == [(f"/sets/0/{where}", code)]


def test_keys_are_used_once_where_they_stand() -> None:
    assert flaws(question(), question()) == [("/variables/1/key", "duplicate")]
    assert flaws(sets=(table(question()), table(question()))) == [("/sets/1/key", "duplicate")]
    complete_form({"variables": [question()], "sets": [table(question())]})


def test_a_form_is_of_bounded_size() -> None:
    assert ("/variables", "range") in flaws(*(question(f"q{number}") for number in range(201)))


def test_questions_are_added_changed_moved_and_removed() -> None:
    form: dict[str, Any] = new_form()
    for key in "abc":
        form = put_question(form, ("", ""), question(key))
    assert keys(form) == ["a", "b", "c"]
    assert keys(move_question(form, ("", "c"), -1)) == ["a", "c", "b"]
    assert keys(move_question(form, ("", "a"), -1)) == ["a", "b", "c"]
    assert keys(move_question(form, ("", "c"), 1)) == ["a", "b", "c"]
    assert keys(put_question(form, ("", "b"), question("new"))) == ["a", "new", "c"]
    assert keys(remove_question(form, ("", "b"))) == ["a", "c"]
    for change in (lambda: remove_question(form, ("", "x")), lambda: put_question(form, ("nowhere", ""), question())):
        with pytest.raises(NotFound):
            change()


def test_sets_are_added_changed_moved_and_removed_with_their_questions() -> None:
    form = put_set(put_set(new_form(), "", table(label="People")), "", {"key": "site", "label": "Site", "many": False})
    form = put_question(form, ("people", ""), question("name"))
    form = put_set(form, "people", {"key": "staff", "label": "Staff", "many": True})
    assert [(one["key"], keys(one)) for one in form["sets"]] == [("staff", ["name"]), ("site", [])]
    assert [one["key"] for one in move_set(form, "staff", 1)["sets"]] == ["site", "staff"]
    assert [one["key"] for one in remove_set(form, "staff")["sets"]] == ["site"]


@pytest.mark.parametrize(
    ("types", "words"),
    [
        ([], "The form asks nothing yet: add a question."),
        (["label", "break"], "The form asks nothing yet: add a question."),
        (["text", "container_start"], "The form has a container that never ends."),
        (["text", "container_end"], "The form has a container that ends before it starts."),
        (["container_split", "text"], "The form has a container that is split before it starts."),
    ],
)
def test_what_a_form_lacks_is_said_before_it_is_published(types: list[str], words: str) -> None:
    form = {"variables": [complete_variable(question(f"q{i}", type)) for i, type in enumerate(types)], "sets": []}
    assert why_not_published(form) == [words]


def test_a_form_with_questions_in_balanced_containers_can_be_published() -> None:
    types = ["container_start", "text", "container_start", "container_end", "container_split", "text", "container_end"]
    form = {"variables": [complete_variable(question(f"q{i}", type)) for i, type in enumerate(types)]}
    assert why_not_published(form) == []
    assert why_not_published({"variables": [], "sets": [table(question())]}) == []
    assert why_not_published({"variables": [question()], "sets": [table()]}) == ["People has no question."]
