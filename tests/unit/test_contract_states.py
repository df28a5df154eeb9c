"""Every cell of the table of contracts, and what their dates make of them."""

from datetime import date, timedelta

import pytest

from provider.domain.contracts import CONTRACT_MOVES, ContractState, state_on
from provider.domain.errors import IllegalMove
from tests.unit.state_matrix import cells

TODAY = date(2026, 11, 21)
DAY = timedelta(days=1)

# Columns in the order of the rows.
MATRIX = """
draft    .x.x
active   ..xx
expired  ....
canceled ....
"""


@pytest.mark.parametrize(("current", "wanted", "legal"), cells(ContractState, MATRIX))
def test_a_contract_moves_only_where_the_table_says(current: ContractState, wanted: ContractState, legal: bool) -> None:
    if legal:
        assert CONTRACT_MOVES.move(current, wanted) is wanted
    else:
        with pytest.raises(IllegalMove):
            CONTRACT_MOVES.move(current, wanted)


@pytest.mark.parametrize(
    ("state", "is_signed", "starts", "ends", "becomes"),
    [
        ("draft", False, 0, None, "draft"),
        ("draft", True, 1, None, "draft"),
        ("draft", True, 0, None, "active"),
        ("draft", True, -9, 0, "active"),
        ("draft", True, -9, -1, "draft"),
        ("active", True, -9, 0, "active"),
        ("active", True, -9, -1, "expired"),
        ("active", True, -9, None, "active"),
        ("expired", True, -9, 9, "expired"),
        ("canceled", True, 0, 9, "canceled"),
    ],
)
def test_dates_begin_and_end_it(state: str, is_signed: bool, starts: int, ends: int | None, becomes: str) -> None:
    dates = {"starts_on": TODAY + starts * DAY, "ends_on": None if ends is None else TODAY + ends * DAY}
    assert state_on(ContractState(state), is_signed=is_signed, **dates, today=TODAY) == becomes  # type: ignore[arg-type]
