"""Which tasks a specification asks for, and which may be open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.domain.errors import InvalidFields
from provider.domain.order_tasks import DEFAULT_TEMPLATES, TaskTemplate, check_templates, ready

SURVEY = TaskTemplate("survey", "Survey the site")
SHIP = TaskTemplate("ship", "Ship the device", ("survey",), point_of_no_return=True)
INSTALL = TaskTemplate("install", "Install", ("survey", "ship"))
TEMPLATES = (INSTALL, SHIP, SURVEY)


def flaws(*templates):
    with pytest.raises(InvalidFields) as refused:
        check_templates(templates)
    return [(error.pointer, error.code) for error in refused.value.errors]


def test_without_templates_of_its_own_a_specification_is_delivered_in_one_task():
    assert [template.name for template in DEFAULT_TEMPLATES] == ["Deliver"]
    check_templates(DEFAULT_TEMPLATES)


def test_templates_may_be_listed_in_any_order():
    check_templates(TEMPLATES)


def test_a_repeated_key_is_refused_at_its_second_place():
    assert flaws(SURVEY, SHIP, SURVEY) == [("/2/key", "duplicate")]


def test_an_unknown_dependency_is_refused():
    assert flaws(SURVEY, INSTALL) == [("/1/depends_on/1", "unknown")]


def test_a_cycle_is_refused_and_names_the_tasks():
    ring = (TaskTemplate("a", "A", ("c",)), TaskTemplate("b", "B", ("a",)), TaskTemplate("c", "C", ("b",)))
    with pytest.raises(InvalidFields, match=r"these tasks wait for each other: \w, \w, \w$"):
        check_templates((SURVEY, *ring))
    assert flaws(SURVEY, *ring) == [("/1/depends_on", "cycle")]


def test_a_task_cannot_wait_for_itself():
    assert flaws(TaskTemplate("a", "A", ("a",))) == [("/0/depends_on", "cycle")]


def test_all_flaws_are_told_at_once():
    assert flaws(SHIP, SHIP) == [
        ("/1/key", "duplicate"),
        ("/0/depends_on/0", "unknown"),
        ("/1/depends_on/0", "unknown"),
    ]


@pytest.mark.parametrize(
    ("done", "open_now"),
    [
        (set(), ("survey",)),
        ({"survey"}, ("ship",)),
        ({"survey", "ship"}, ("install",)),
        ({"survey", "ship", "install"}, ()),
        ({"ship"}, ("survey",)),
        ({"something else"}, ("survey",)),
    ],
)
def test_a_task_opens_when_all_it_depends_on_is_complete(done, open_now):
    assert ready(TEMPLATES, done) == open_now


@given(edges=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda edge: edge[0] > edge[1])))
def test_tasks_that_pass_the_check_never_wait_for_ever(edges):
    templates = [
        TaskTemplate(str(task), str(task), tuple(str(other) for after, other in sorted(edges) if after == task))
        for task in range(6)
    ]
    check_templates(templates)
    done: set[str] = set()
    while opened := ready(templates, done):
        done.update(opened)
    assert done == {template.key for template in templates}
