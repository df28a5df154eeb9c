"""Domain orders: every cell of the table, and the labels."""

import pytest

from provider.domain.domain_orders import DOMAIN_ORDER_MOVES, DomainOrderState
from provider.domain.errors import IllegalMove
from tests.unit.state_matrix import cells

# Columns in the order of the rows.
MATRIX = """
draft                    .x.x...x
qualified                ..xxx..x
in_progress              ...xxxx.
on_hold                  xxx.x.xx
scheduled                ..xx..xx
closed_complete          ........
cancellation_in_progress .......x
cancelled                ........
"""


@pytest.mark.parametrize(("current", "wanted", "legal"), cells(DomainOrderState, MATRIX))
def test_a_domain_order_moves_only_where_the_table_says(current, wanted, legal):
    if legal:
        assert DOMAIN_ORDER_MOVES.move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove):
            DOMAIN_ORDER_MOVES.move(current, wanted)


def test_a_domain_order_begins_as_draft():
    assert DOMAIN_ORDER_MOVES.initial == "draft"


def test_domain_order_labels_are_the_words_that_people_read():
    assert [state.label for state in DomainOrderState] == [
        "Draft",
        "Qualified",
        "In progress",
        "On hold",
        "Scheduled",
        "Closed complete",
        "Cancellation in progress",
        "Cancelled",
    ]
