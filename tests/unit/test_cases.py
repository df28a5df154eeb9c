"""Tasks without an order: every cell of both sides' tables, and whose turn it is."""

import pytest

from provider.domain.cases import (
    AGENT_MOVES,
    CONSUMER_MOVES,
    Priority,
    ResolutionCode,
    Side,
    check_solution,
    legal_moves,
    move_case,
    waits_for,
)
from provider.domain.errors import Conflict, IllegalMove, InvalidFields
from provider.domain.provider_tasks import PROVIDER_TASK_MOVES, ProviderTaskState
from provider.domain.scratchpads import check_entry, check_room
from tests.unit.state_matrix import cells

_S = ProviderTaskState
AGENT = """
received         .x...x
work_in_progress ..xx.x
awaiting_info    .x...x
resolved         ....xx
closed           ......
cancelled        ......
"""
CONSUMER = """
received         .....x
work_in_progress .....x
awaiting_info    .x...x
resolved         .x..xx
closed           ......
cancelled        ......
"""
TABLES = {Side.PROVIDER: AGENT_MOVES, Side.CONSUMER: CONSUMER_MOVES}


@pytest.mark.parametrize(
    ("who", "current", "wanted", "legal"),
    [
        (side, *cell)
        for side, matrix in ((Side.PROVIDER, AGENT), (Side.CONSUMER, CONSUMER))
        for cell in cells(ProviderTaskState, matrix)
    ],
)
def test_each_side_takes_a_case_only_where_its_table_says(who, current, wanted, legal):
    if legal:
        assert move_case(current, wanted, who=who, opened_by=who) is wanted
        assert wanted in PROVIDER_TASK_MOVES.moves[current], "consumers know no other moves of a provider task"
    else:
        with pytest.raises(IllegalMove) as refusal:
            move_case(current, wanted, who=who, opened_by=who)
        assert refusal.value.current == current
        assert refusal.value.legal == TABLES[who].legal(current)


@pytest.mark.parametrize("who", Side)
@pytest.mark.parametrize("state", [_S.RECEIVED, _S.WORK_IN_PROGRESS, _S.AWAITING_INFO, _S.RESOLVED])
def test_only_who_opened_a_case_cancels_it(who, state):
    other = next(side for side in Side if side is not who)
    assert _S.CANCELLED in legal_moves(state, who=who, opened_by=who)
    assert _S.CANCELLED not in legal_moves(state, who=who, opened_by=other)
    with pytest.raises(Conflict, match=f"only the {other}"):
        move_case(state, _S.CANCELLED, who=who, opened_by=other)


def test_it_is_known_whose_turn_it_is():
    assert [waits_for(state) for state in _S] == ["provider", "provider", "consumer", "consumer", None, None]


def test_priorities_are_ranked_the_most_urgent_first():
    assert [priority.rank for priority in Priority] == [1, 2, 3, 4]
    assert [Priority.of_rank(priority.rank) for priority in Priority] == list(Priority)


def test_a_solution_needs_a_known_code_and_words():
    assert check_solution("solved", " Line replaced. ").text == "Line replaced."
    with pytest.raises(InvalidFields) as refusal:
        check_solution("magic", "  ")
    assert [error.pointer for error in refusal.value.errors] == ["/code", "/text"]
    assert all(code in refusal.value.errors[0].message for code in ResolutionCode)


@pytest.mark.parametrize(
    ("name", "value", "pointers"),
    [
        ("n" * 100, "v" * 4000, []),
        ("n", "", []),
        ("n", None, []),
        ("", "v", ["/name"]),
        ("n" * 101, "v" * 4001, ["/name", "/value"]),
    ],
)
def test_an_entry_of_a_scratchpad_has_limits(name, value, pointers):
    try:
        check_entry(name, value)
    except InvalidFields as refusal:
        assert [error.pointer for error in refusal.errors] == pointers
    else:
        assert pointers == []


def test_a_scratchpad_has_room_for_fifty():
    check_room(49)
    with pytest.raises(Conflict, match="50"):
        check_room(50)
