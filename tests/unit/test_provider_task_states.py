"""Provider tasks: every cell of the table, and the labels."""

import pytest

from provider.domain.errors import IllegalMove
from provider.domain.provider_tasks import PROVIDER_TASK_MOVES, ProviderTaskState
from tests.unit.state_matrix import cells

# Columns in the order of the rows.
MATRIX = """
received         xxx..x
work_in_progress xxxxxx
awaiting_info    xxx..x
resolved         .x..xx
closed           ......
cancelled        xxx...
"""


@pytest.mark.parametrize(("current", "wanted", "legal"), cells(ProviderTaskState, MATRIX))
def test_a_provider_task_moves_only_where_the_table_says(current, wanted, legal):
    if legal:
        assert PROVIDER_TASK_MOVES.move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove):
            PROVIDER_TASK_MOVES.move(current, wanted)


def test_a_provider_task_begins_as_received():
    assert PROVIDER_TASK_MOVES.initial == "received"


def test_provider_task_labels_are_the_words_that_people_read():
    assert [state.label for state in ProviderTaskState] == [
        "Received",
        "Work in Progress",
        "Awaiting info",
        "Resolved",
        "Closed",
        "Cancelled",
    ]
