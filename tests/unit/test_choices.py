"""Which parts go together is checked beside the answers themselves, at every level of a form."""

from typing import Any

import pytest

from bridge.forms import FormErrors, check_answers
from tests.unit.test_forms import form, part, variable


def grouped(*parts: dict[str, Any], least: int = 1, most: int | None = 1, **members: Any) -> dict[str, Any]:
    group = {"key": "access", "name": "Access", "min_options": least, "max_options": most}
    return {**form(parts=parts), "groups": [group | {"parts": [one["key"] for one in parts]}], **members}


def condition(*parts: str, characteristic: str | None = None, values: tuple[Any, ...] = ()) -> dict[str, Any]:
    return {"parts": list(parts), "characteristic": characteristic, "values": list(values)}


def rule(kind: str, given: dict[str, Any], *then: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "if": given, "then": list(then), "message": "They do not go together"}


def faults(form: dict[str, Any], answers: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        check_answers(form, answers)
    except FormErrors as refused:
        return [(error.pointer, error.code) for error in refused.errors]
    return []


def chosen(*keys: str, **answers: Any) -> dict[str, Any]:
    return {"parts": {key: {"selected": True} | answers.get(key, {}) for key in keys}}


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ((), [("/parts/fibre/selected", "too_few_options")]),
        (("fibre",), []),
        (("mobile",), []),
        (("fibre", "mobile"), [("/parts/mobile/selected", "too_many_options")]),
    ],
)
def test_as_many_of_a_group_are_chosen_as_it_says(keys: tuple[str, ...], found: list[tuple[str, str]]) -> None:
    assert faults(grouped(part("fibre"), part("mobile")), chosen(*keys)) == found


def test_a_group_without_a_maximum_takes_all_and_says_what_it_offers() -> None:
    open_group = grouped(part("fibre"), part("mobile"), least=2, most=None)
    assert faults(open_group, chosen("fibre", "mobile")) == []
    with pytest.raises(FormErrors) as refused:
        check_answers(open_group, chosen("mobile"))
    assert str(refused.value) == "/parts/fibre/selected: Access: choose at least 2 of Fibre, Mobile"


def test_quantities_do_not_count_as_options() -> None:
    assert faults(grouped(part("fibre"), part("mobile")), chosen("fibre", fibre={"quantity": 3})) == []


def test_groups_within_a_part_are_checked_where_the_part_is_chosen() -> None:
    inner = (
        part("branch")
        | {"parts": [part("fibre"), part("mobile")]}
        | {"groups": grouped(part("fibre"), part("mobile"))["groups"]}
    )
    outer = form(parts=(inner,))
    assert faults(outer, {}) == []
    assert faults(outer, chosen("branch")) == [("/parts/branch/parts/fibre/selected", "too_few_options")]


REQUIRES = rule("requires", condition("phone"), condition("fibre"), condition("mobile"))
EXCLUDES = rule(
    "excludes", condition("phone"), condition("fibre", characteristic="size", values=("s",)), condition("mobile")
)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ((), []),
        (("phone",), [("/parts/fibre/selected", "requires")]),
        (("phone", "mobile"), []),
        (("phone", "fibre"), []),
        (("fibre",), []),
    ],
)
def test_what_is_required_is_one_of_those_named(keys: tuple[str, ...], found: list[tuple[str, str]]) -> None:
    ruled = form(parts=(part("phone"), part("fibre"), part("mobile"))) | {"rules": [REQUIRES]}
    assert faults(ruled, chosen(*keys)) == found


@pytest.mark.parametrize(
    ("keys", "size", "found"),
    [
        (("phone", "fibre"), "s", [("/parts/fibre/characteristics/size", "excludes")]),
        (("phone", "fibre"), "m", []),
        (("fibre",), "s", []),
        (("phone", "mobile"), "s", [("/parts/mobile/selected", "excludes")]),
    ],
)
def test_what_is_excluded_may_be_a_part_or_an_answer_in_it(
    keys: tuple[str, ...], size: str, found: list[tuple[str, str]]
) -> None:
    fibre = part("fibre", variable(type="choice"))
    ruled = form(parts=(part("phone"), fibre, part("mobile"))) | {"rules": [EXCLUDES]}
    assert faults(ruled, chosen(*keys, fibre={"characteristics": {"size": size}})) == found


@pytest.mark.parametrize(
    ("kind", "values", "given", "holds"),
    [
        ("boolean", (), False, True),
        ("boolean", (True,), False, False),
        ("boolean", (True,), "true", True),
        ("multiple_choice", ("l",), ["s", "l"], True),
        ("multiple_choice", ("m",), ["s", "l"], False),
        ("text", (), None, False),
    ],
)
def test_a_condition_on_an_answer_holds_by_its_normal_form(
    kind: str, values: tuple[Any, ...], given: Any, holds: bool
) -> None:
    needs = rule("requires", condition(characteristic="size", values=values), condition("phone"))
    ruled = form(variable(type=kind), parts=(part("phone"),)) | {"rules": [needs]}
    found = faults(ruled, {"characteristics": {"size": given}})
    assert found == ([("/parts/phone/selected", "requires")] if holds else [])


def test_answers_that_go_together_are_the_same_when_checked_again() -> None:
    ruled = grouped(part("fibre"), part("mobile"), rules=[REQUIRES])
    once = check_answers(ruled, chosen("fibre"))
    assert check_answers(ruled, once) == once
