"""Which buttons does the page of an order show?"""

import pytest

from provider.domain.orders import ORDER_MOVES, OrderState
from provider.ui.moves import order_moves


@pytest.mark.parametrize(("action", "is_offered"), [("add", True), ("suspend", False), ("change", False)])
def test_only_an_order_that_adds_products_is_offered_to_be_revised(action: str, is_offered: bool) -> None:
    """The services refuse it for products that are there: `not_revisable`."""
    order = {
        "state": str(OrderState.IN_PROGRESS),
        "legal_moves": [str(state) for state in ORDER_MOVES.legal(OrderState.IN_PROGRESS)],
        "order_tasks": [],
        "lines": [{"action": action}],
    }
    labels = [move.label for move in order_moves(order)]
    assert ("Revise" in labels) is is_offered
    assert "Hold" in labels
