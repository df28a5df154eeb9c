"""Products of the inventory: every cell of the table, and the labels."""

import pytest

from provider.domain.errors import IllegalMove
from provider.domain.inventory import PRODUCT_MOVES, ProductState
from tests.unit.state_matrix import cells

# Columns in the order of the rows.
MATRIX = """
installation_pending .xx...x
activation_pending   ..x...x
active               ...xxx.
change_pending       ..x.xxx
suspended            ..xx.x.
inactivation_pending ..x.x.x
inactive             .......
"""


@pytest.mark.parametrize(("current", "wanted", "legal"), cells(ProductState, MATRIX))
def test_a_product_moves_only_where_the_table_says(current, wanted, legal):
    if legal:
        assert PRODUCT_MOVES.move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove):
            PRODUCT_MOVES.move(current, wanted)


def test_a_product_begins_as_installation_pending():
    assert PRODUCT_MOVES.initial == "installation_pending"


def test_product_labels_are_the_words_that_people_read():
    assert [state.label for state in ProductState] == [
        "Installation pending",
        "Activation pending",
        "Active",
        "Change pending",
        "Suspended",
        "Inactivation pending",
        "Inactive",
    ]
