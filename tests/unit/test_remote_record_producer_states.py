"""Remote record producers: every cell of the table, and the labels."""

import pytest

from provider.domain.catalog import REMOTE_RECORD_PRODUCER_MOVES, RemoteRecordProducerState
from provider.domain.errors import IllegalMove
from tests.unit.state_matrix import cells

# Columns in the order of the rows.
MATRIX = """
draft     .x..x
published ..x.x
inactive  ...xx
archived  .....
retired   .....
"""


@pytest.mark.parametrize(("current", "wanted", "legal"), cells(RemoteRecordProducerState, MATRIX))
def test_a_remote_record_producer_moves_only_where_the_table_says(current, wanted, legal):
    if legal:
        assert REMOTE_RECORD_PRODUCER_MOVES.move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove):
            REMOTE_RECORD_PRODUCER_MOVES.move(current, wanted)


def test_a_remote_record_producer_begins_as_draft():
    assert REMOTE_RECORD_PRODUCER_MOVES.initial == "draft"


def test_remote_record_producer_labels_are_the_words_that_people_read():
    assert [state.label for state in RemoteRecordProducerState] == [
        "Draft",
        "Published",
        "Inactive",
        "Archived",
        "Retired",
    ]
