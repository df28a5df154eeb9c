"""Every cell of the table of approvals, and what may be asked."""

from datetime import date, timedelta

import pytest

from provider.domain.errors import Conflict, InvalidFields
from provider.domain.task_approvals import OPEN_MOST, TaskApprovalState, check_question, settle
from tests.unit.state_matrix import cells

TODAY = date(2026, 11, 21)

# Columns in the order of the rows.
MATRIX = """
open      .xxxx
approved  .....
rejected  .....
withdrawn .....
ended     .....
"""


@pytest.mark.parametrize(("current", "wanted", "legal"), cells(TaskApprovalState, MATRIX))
def test_an_approval_is_settled_once(current: TaskApprovalState, wanted: TaskApprovalState, legal: bool) -> None:
    if legal:
        assert settle(current, wanted) is wanted
    else:
        with pytest.raises(Conflict) as refused:
            settle(current, wanted)
        assert (refused.value.code, refused.value.facts) == ("approval_not_open", {"state": str(current)})


def test_whoever_is_second_is_told_what_became_of_it_and_through_whom() -> None:
    with pytest.raises(Conflict, match=r"was withdrawn by the provider \(ann\)\. Nothing was changed\."):
        settle(TaskApprovalState.WITHDRAWN, TaskApprovalState.APPROVED, by="ann")


def test_a_subject_is_needed_a_day_that_is_not_over_and_room_for_one_more() -> None:
    assert check_question(" Extra cost ", None, open_already=OPEN_MOST - 1, today=TODAY) == "Extra cost"
    assert check_question("Extra cost", TODAY - timedelta(days=1), open_already=0, today=TODAY)
    with pytest.raises(InvalidFields) as refused:
        check_question(" ", TODAY - timedelta(days=2), open_already=0, today=TODAY)
    assert [error.pointer for error in refused.value.errors] == ["/subject", "/due_on"]
    with pytest.raises(Conflict, match="withdraw one first"):
        check_question("Extra cost", None, open_already=OPEN_MOST, today=TODAY)
