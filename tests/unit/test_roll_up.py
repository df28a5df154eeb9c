"""What the lines say of their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.domain.orders import ORDER_LINE_MOVES, ORDER_MOVES, OrderState, roll_up

S = OrderState
BEFORE_APPROVAL = ["draft", "submitted", "enrichment_in_progress", "enrichment_on_hold", "new", "rejected"]
BY_LINES = [S.ACKNOWLEDGED, S.SCHEDULED, S.IN_PROGRESS, S.AWAITING_INFORMATION, S.ON_HOLD]

some_lines = st.lists(st.sampled_from(list(OrderState)), min_size=1, max_size=5)


def test_no_lines_say_nothing():
    assert roll_up([]) is None


@given(state=st.sampled_from(list(OrderState)), count=st.integers(1, 4))
def test_lines_that_agree_give_the_order_their_state(state, count):
    assert roll_up([state] * count) is state


@pytest.mark.parametrize(
    ("lines", "order"),
    [
        ("cancelled completed", "completed"),
        ("cancelled in_progress", "in_progress"),
        ("cancelled new", "new"),
        ("revision_in_progress on_hold completed", "revision_in_progress"),
        ("revision_in_progress acknowledged", "revision_in_progress"),
        ("acknowledged on_hold in_progress", "acknowledged"),
        ("assessing_cancellation cancellation_in_progress", "assessing_cancellation"),
        ("cancellation_in_progress cancelled", "cancellation_in_progress"),
        ("assessing_cancellation in_progress", "in_progress"),
        ("assessing_cancellation completed", "in_progress"),
        ("cancellation_in_progress on_hold", "on_hold"),
        ("on_hold awaiting_information in_progress scheduled", "on_hold"),
        ("awaiting_information in_progress completed", "awaiting_information"),
        ("scheduled in_progress", "in_progress"),
        ("scheduled completed", "in_progress"),
        ("scheduled assessing_cancellation", "scheduled"),
        ("in_progress completed", "in_progress"),
    ],
)
def test_the_documented_table_holds(lines, order):
    assert roll_up([OrderState(line) for line in lines.split()]) == order


@given(lines=some_lines, early=st.sampled_from(BEFORE_APPROVAL))
def test_a_line_before_approval_among_others_leaves_the_order_as_it_is(lines, early):
    others = {*lines, S.CANCELLED} - {S.CANCELLED, S(early)}
    assert roll_up([*lines, S(early)]) is (None if others else S(early))


@given(lines=some_lines, seed=st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_number_of_equal_lines_matters(lines, seed):
    shuffled = lines * 2
    seed.shuffle(shuffled)
    assert roll_up(shuffled) is roll_up(lines)


@given(lines=some_lines)
def test_cancelled_lines_count_only_alone(lines):
    others = [line for line in lines if line is not S.CANCELLED]
    assert roll_up([*lines, S.CANCELLED]) is (roll_up(others) if others else S.CANCELLED)


@given(lines=some_lines)
def test_an_order_is_completed_only_when_a_line_is_and_no_other_is_open(lines):
    completed = S.COMPLETED in lines and set(lines) <= {S.COMPLETED, S.CANCELLED}
    assert (roll_up(lines) is S.COMPLETED) == completed


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_order_may_always_follow_its_lines_from_approval_to_the_end(count):
    """Every way that so many lines can go, one step at a time. What begins on the order is left out: a revision, and
    the cancellation of a line that is finished."""
    start = (S.ACKNOWLEDGED, (S.ACKNOWLEDGED,) * count)
    seen, waiting = {start}, [start]
    while waiting:
        order, lines = waiting.pop()
        for index, line in enumerate(lines):
            for state in _next(line):
                moved = tuple(sorted((*lines[:index], state, *lines[index + 1 :])))
                said = roll_up(moved)
                assert said is not None
                if said is not order:
                    ORDER_MOVES.move(order, said)
                if (said, moved) not in seen:
                    seen.add((said, moved))
                    waiting.append((said, moved))
    assert {order for order, _ in seen} >= {S.COMPLETED, S.CANCELLED, *BY_LINES}


def _next(line):
    on_the_order = {S.REVISION_IN_PROGRESS} | ({S.ASSESSING_CANCELLATION} if line is S.COMPLETED else set())
    left_out = {S.COMPLETED} if line is S.ASSESSING_CANCELLATION else set()
    return [state for state in ORDER_LINE_MOVES.legal(line) if state not in on_the_order | left_out]
