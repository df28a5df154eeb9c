"""What may be done with an item by the states of its revisions, and what is told of a revision."""

import pytest

from bridge.versions import is_enough
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.errors import Conflict
from provider.domain.revisions import ProducerAction, possible_actions, require_action, tell_differences
from tests.unit.test_forms import form, part, variable

S = RemoteRecordProducerState


@pytest.mark.parametrize(
    ("states", "actions"),
    [
        ((S.DRAFT,), "publish edit retire"),
        ((S.PUBLISHED,), "publish edit checkout retire"),
        ((S.PUBLISHED, S.DRAFT), "publish edit cancel_draft"),
        ((S.INACTIVE, S.PUBLISHED), "publish edit checkout retire"),
        ((S.ARCHIVED, S.INACTIVE, S.PUBLISHED, S.DRAFT), "publish edit cancel_draft"),
        ((S.RETIRED,), "checkout delete"),
        ((S.ARCHIVED, S.RETIRED), "checkout delete"),
        ((S.RETIRED, S.DRAFT), "publish edit cancel_draft retire"),
        ((S.PUBLISHED, S.RETIRED), "publish edit checkout retire"),
    ],
)
def test_an_item_offers_what_its_revisions_allow(states: tuple[S, ...], actions: str) -> None:
    assert possible_actions(states) == {ProducerAction(name) for name in actions.split()}


@pytest.mark.parametrize(
    ("states", "action", "code"),
    [
        ((S.PUBLISHED, S.DRAFT), ProducerAction.CHECKOUT, "draft_exists"),
        ((S.PUBLISHED, S.DRAFT), ProducerAction.RETIRE, "draft_exists"),
        ((S.DRAFT,), ProducerAction.CANCEL_DRAFT, "no_draft"),
        ((S.RETIRED,), ProducerAction.PUBLISH, "nothing_to_publish"),
        ((S.RETIRED,), ProducerAction.RETIRE, "nothing_to_retire"),
        ((S.PUBLISHED,), ProducerAction.DELETE, "not_retired"),
    ],
)
def test_what_is_in_the_way_is_said(states: tuple[S, ...], action: ProducerAction, code: str) -> None:
    with pytest.raises(Conflict) as refused:
        require_action(states, action)
    assert refused.value.code == code


def test_what_differs_is_told_at_every_depth() -> None:
    told = {"name": "Line", "short_description": "", "category": "A", "compatibility": "1.0"}
    router = part("router", variable("model"))
    before = told | {"form": form(variable("speed"), variable("old"), parts=(router,))}
    inside = part("router", variable("model", label="Which model"), variable("rack"))
    after = told | {"name": "Fast line", "short_description": "Faster"}
    after |= {"form": form(variable("speed", mandatory=True), parts=(inside, part("card"))) | {"rules": [{}]}}
    assert sorted(tell_differences(before, after)) == [
        "Name: Fast line instead of Line.",
        "Part Card is new.",
        "Question Old is gone.",
        "Question Rack of Router is new.",
        "Question Speed changed.",
        "Question Which model of Router changed.",
        "Rules changed.",
        "Short description: Faster instead of nothing.",
    ]
    assert tell_differences(before, before) == []


@pytest.mark.parametrize(
    ("spoken", "asked", "enough"),
    [
        ("1.0", "1.0", True), ("1", "1.0", True), ("1.10", "1.9", True), ("1.9", "1.10", False),
        ("2.0", "1.5", True), ("1.0", "1.0.1", False), ("strange", "1.0", True), ("strange", "1.1", False),
    ],
)  # fmt: skip
def test_versions_are_compared_number_by_number(spoken: str, asked: str, enough: bool) -> None:
    assert is_enough(spoken, asked) is enough
