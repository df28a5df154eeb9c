"""Catalog items at the consumer: every cell of the table, and the labels."""

import pytest

from provider.domain.catalog import CATALOG_ITEM_MOVES, CatalogItemState
from provider.domain.errors import IllegalMove
from tests.unit.state_matrix import cells

# Columns in the order of the rows.
MATRIX = """
pending_activation .x.x
active             ..xx
inactive           .x.x
removed            x...
"""


@pytest.mark.parametrize(("current", "wanted", "legal"), cells(CatalogItemState, MATRIX))
def test_a_catalog_item_moves_only_where_the_table_says(current, wanted, legal):
    if legal:
        assert CATALOG_ITEM_MOVES.move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove):
            CATALOG_ITEM_MOVES.move(current, wanted)


def test_a_catalog_item_begins_as_pending_activation():
    assert CATALOG_ITEM_MOVES.initial == "pending_activation"


def test_catalog_item_labels_are_the_words_that_people_read():
    assert [state.label for state in CatalogItemState] == ["Pending activation", "Active", "Inactive", "Removed"]
