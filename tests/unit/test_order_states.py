"""Orders and order lines: every cell of the table, and the labels."""

import pytest

from provider.domain.errors import IllegalMove
from provider.domain.orders import ORDER_LINE_MOVES, ORDER_MOVES, OrderState
from tests.unit.state_matrix import cells

# Columns in the order of the rows:
# draft submitted enrichment_in_progress enrichment_on_hold | new acknowledged scheduled rejected |
# in_progress revision_in_progress awaiting_information on_hold | assessing cancellation_in_progress cancelled completed
MATRIX = """
draft                    .x............x.
submitted                ..x.x.........x.
enrichment_in_progress   ...xx.........x.
enrichment_on_hold       ..x...........x.
new                      .....x.x......x.
acknowledged             ......x.x.xx....
scheduled                ........xxxxx...
rejected                 x.......x.....x.
in_progress              ......x..xxxx..x
revision_in_progress     .....xx.x...x...
awaiting_information     ......x.x..xx...
on_hold                  ......x.x.x.x...
assessing_cancellation   ......x.xxxx.x..
cancellation_in_progress ..............x.
cancelled                ................
completed                ................
"""

LABELS = """
Draft|Submitted|Enrichment in progress|Enrichment on hold|New|Acknowledged|Scheduled|Rejected|In progress
Revision in progress|Awaiting information|On hold|Assessing cancellation|Cancellation in progress|Cancelled|Completed
"""


# A line that is finished before its order may be undone with it, or be left as it is.
LINE_ONLY = {("completed", "assessing_cancellation"), ("assessing_cancellation", "completed")}


@pytest.mark.parametrize("table", [ORDER_MOVES, ORDER_LINE_MOVES], ids=lambda table: table.noun)
@pytest.mark.parametrize(("current", "wanted", "legal"), cells(OrderState, MATRIX))
def test_an_order_and_a_line_move_only_where_the_table_says(table, current, wanted, legal):
    if legal or (table is ORDER_LINE_MOVES and (current, wanted) in LINE_ONLY):
        assert table.move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove):
            table.move(current, wanted)


def test_an_order_begins_as_draft_and_ends_cancelled_or_completed():
    assert ORDER_MOVES.initial is OrderState.DRAFT
    assert [state for state in OrderState if ORDER_MOVES.is_final(state)] == [
        OrderState.CANCELLED,
        OrderState.COMPLETED,
    ]


def test_every_order_state_can_be_reached_and_can_reach_an_end():
    def reachable(start):
        found, waiting = {start}, [start]
        while waiting:
            new = set(ORDER_MOVES.legal(waiting.pop())) - found
            found |= new
            waiting.extend(new)
        return found

    assert reachable(OrderState.DRAFT) == set(OrderState)
    assert all(OrderState.CANCELLED in reachable(state) for state in OrderState if state is not OrderState.COMPLETED)


@pytest.mark.parametrize(
    "asked_in", ["scheduled", "in_progress", "awaiting_information", "on_hold", "revision_in_progress"]
)
def test_a_declined_cancellation_gives_back_the_state_it_was_asked_in(asked_in):
    assessing = ORDER_MOVES.move(OrderState(asked_in), OrderState.ASSESSING_CANCELLATION)
    assert ORDER_MOVES.move(assessing, OrderState(asked_in)) == asked_in


@pytest.mark.parametrize("begun_in", ["scheduled", "in_progress"])
def test_a_declined_revision_gives_back_the_state_it_was_begun_in(begun_in):
    revising = ORDER_MOVES.move(OrderState(begun_in), OrderState.REVISION_IN_PROGRESS)
    assert ORDER_MOVES.move(revising, OrderState(begun_in)) == begun_in


def test_a_refusal_carries_the_facts_and_says_what_is_legal():
    with pytest.raises(IllegalMove) as refused:
        ORDER_MOVES.move(OrderState.NEW, OrderState.COMPLETED)
    error = refused.value
    assert (error.noun, error.current, error.wanted) == ("order", "new", "completed")
    assert error.legal == ("acknowledged", "rejected", "cancelled")
    assert str(error) == (
        "this order is new and cannot become completed; it can become only acknowledged or rejected or cancelled"
    )


def test_a_refusal_in_a_final_state_says_that_it_is_final():
    with pytest.raises(IllegalMove, match="that state is final"):
        ORDER_MOVES.move(OrderState.COMPLETED, OrderState.DRAFT)


def test_order_labels_are_those_of_the_documentation():
    assert [state.label for state in OrderState] == LABELS.strip().replace("\n", "|").split("|")
