"""Which action is possible in which state: every cell, for the product itself, for what it is part of, its parts."""

from datetime import UTC, datetime, timedelta

import pytest

from provider.domain.errors import Conflict, InvalidFields
from provider.domain.inventory import (
    ACTION_RULES,
    PRODUCT_MOVES,
    WORK,
    ProductAction,
    ProductState,
    Standing,
    allowed_actions,
    check_action,
    check_times,
)

A, S = ProductAction, ProductState
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
OWN = {
    S.ACTIVE: {A.SUSPEND, A.DISCONNECT, A.CHANGE, A.MOVE},
    S.SUSPENDED: {A.RESUME, A.DISCONNECT},
}
WHOLE = {S.ACTIVE: {A.SUSPEND, A.RESUME, A.DISCONNECT, A.CHANGE}, S.SUSPENDED: {A.DISCONNECT}}
PART = {S.ACTIVE: {A.SUSPEND, A.RESUME, A.DISCONNECT, A.MOVE}, S.SUSPENDED: {A.SUSPEND, A.RESUME, A.DISCONNECT, A.MOVE}}


def fits(action: ProductAction) -> Standing:
    """A product that the action is allowed for."""
    return Standing("PRD1", next(iter(ACTION_RULES[action].own)))


def is_allowed(action: ProductAction, product: Standing, *, whole: str = "", part: str = "") -> bool:
    try:
        check_action(
            action, product, [Standing("PRD0", S(whole))] if whole else [], [Standing("PRD2", S(part))] if part else []
        )
    except Conflict as refusal:
        assert refusal.code == "action_not_allowed"
        assert str(S(refusal.facts["state"]).label) in refusal.message
        return False
    return True


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("action", ACTION_RULES)
def test_every_state_of_the_product_its_whole_and_its_part(action: ProductAction, state: ProductState) -> None:
    assert is_allowed(action, Standing("PRD1", state)) is (action in OWN.get(state, set()))
    assert is_allowed(action, fits(action), whole=state) is (action in WHOLE.get(state, set()))
    assert is_allowed(action, fits(action), part=state) is (action in PART.get(state, set()))


@pytest.mark.parametrize("state", S)
def test_what_a_state_allows_is_what_is_told(state: ProductState) -> None:
    assert set(allowed_actions(state)) == OWN.get(state, set())


@pytest.mark.parametrize("action", ACTION_RULES)
def test_whoever_is_first_is_named_before_any_state(action: ProductAction) -> None:
    busy = Standing("PRD1", S.INACTIVE, busy="ACME-PT0000007")
    with pytest.raises(Conflict, match="ACME-PT0000007 acts on PRD1") as refusal:
        check_action(action, busy, [], [])
    assert (refusal.value.code, refusal.value.facts["number"]) == ("product_busy", "ACME-PT0000007")


@pytest.mark.parametrize("action", ACTION_RULES)
def test_what_is_not_finished_arriving_is_left_alone(action: ProductAction) -> None:
    product = Standing("PRD1", fits(action).state, arriving="ORD1")
    with pytest.raises(Conflict, match="ORD1, which brings PRD1, is not finished"):
        check_action(action, product, [], [])


@pytest.mark.parametrize("action", ACTION_RULES)
def test_every_way_of_an_action_is_one_of_the_states_table(action: ProductAction) -> None:
    rule = ACTION_RULES[action]
    for state in rule.own:
        pending = PRODUCT_MOVES.move(state, rule.pending) if rule.pending else state
        if (rule.end or state) != pending:
            PRODUCT_MOVES.move(pending, rule.end or state)
        if pending != state:
            PRODUCT_MOVES.move(pending, state)  # cancelled
    assert [template.key for template in WORK[rule.line]] == [str(rule.line)]


def test_only_a_suspension_ends_and_not_before_it_begins() -> None:
    later = NOW + timedelta(days=1)
    check_times(A.SUSPEND, None, later, NOW)
    check_times(A.SUSPEND, NOW - timedelta(days=1), NOW + timedelta(seconds=1), NOW)
    for action, starts_at, ends_at in ((A.RESUME, None, later), (A.SUSPEND, later, later), (A.SUSPEND, None, NOW)):
        with pytest.raises(InvalidFields) as refusal:
            check_times(action, starts_at, ends_at, NOW)
        assert [error.pointer for error in refusal.value.errors] == ["/ends_at"]
