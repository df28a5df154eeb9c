"""Offerings and specifications: every cell of the table, and the labels."""

import pytest

from provider.domain.catalog import CATALOG_MOVES, CatalogState
from provider.domain.errors import IllegalMove
from tests.unit.state_matrix import cells

# Columns in the order of the rows.
MATRIX = """
in_draft  .x..
published ..x.
retired   ...x
archived  ....
"""


@pytest.mark.parametrize(("current", "wanted", "legal"), cells(CatalogState, MATRIX))
def test_a_catalog_entry_moves_only_where_the_table_says(current, wanted, legal):
    if legal:
        assert CATALOG_MOVES.move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove):
            CATALOG_MOVES.move(current, wanted)


def test_a_catalog_entry_begins_as_in_draft():
    assert CATALOG_MOVES.initial == "in_draft"


def test_catalog_entry_labels_are_the_words_that_people_read():
    assert [state.label for state in CatalogState] == ["In draft", "Published", "Retired", "Archived"]
