"""Order tasks: every cell of the table, and the labels."""

import pytest

from provider.domain.errors import IllegalMove
from provider.domain.order_tasks import ORDER_TASK_MOVES, OrderTaskState
from tests.unit.state_matrix import cells

# Columns in the order of the rows.
MATRIX = """
draft                .x.x....x
open                 ..xxxx..x
in_progress          ...xxxxxx
on_hold              xxx.xxx.x
scheduled            .xxx....x
awaiting_information .xxx....x
resolved             ..xx...xx
closed_complete      .........
cancelled            .........
"""


@pytest.mark.parametrize(("current", "wanted", "legal"), cells(OrderTaskState, MATRIX))
def test_a_order_task_moves_only_where_the_table_says(current, wanted, legal):
    if legal:
        assert ORDER_TASK_MOVES.move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove):
            ORDER_TASK_MOVES.move(current, wanted)


def test_a_order_task_begins_as_draft():
    assert ORDER_TASK_MOVES.initial == "draft"


def test_order_task_labels_are_the_words_that_people_read():
    assert [state.label for state in OrderTaskState] == [
        "Draft",
        "Open",
        "In progress",
        "On hold",
        "Scheduled",
        "Awaiting information",
        "Resolved",
        "Closed complete",
        "Cancelled",
    ]
