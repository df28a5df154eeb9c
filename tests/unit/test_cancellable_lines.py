"""Which lines a cancellation takes, and which stay, with the point of no return on some of them."""

import pytest

from provider.domain.orders import OrderState, PlacedLine, cancellable

S = OrderState


def lines(**states: str) -> list[PlacedLine]:
    """A package of edge and fan, the edge of a card. `!` marks the point of no return."""
    parents = {"package": None, "edge": "package", "card": "edge", "fan": "package"}
    given = {name: states.get(name, "in_progress") for name in parents}
    return [
        PlacedLine(name, parents[name], S(state.removesuffix("!")), ponr=state.endswith("!"))
        for name, state in given.items()
    ]


def test_before_the_point_of_no_return_all_lines_can_go():
    assert cancellable(lines(), line_level=False) == {"package", "edge", "card", "fan"}
    assert cancellable(lines(edge="completed"), line_level=True) == {"package", "edge", "card", "fan"}


def test_one_line_past_it_holds_the_whole_order():
    assert cancellable(lines(fan="in_progress!"), line_level=False) == set()


@pytest.mark.parametrize(
    ("states", "leaving"),
    [
        ({"fan": "in_progress!"}, {"edge", "card"}),
        ({"card": "completed!"}, {"fan"}),
        ({"edge": "in_progress!"}, {"card", "fan"}),
        ({"package": "in_progress!"}, {"edge", "card", "fan"}),
        ({"card": "in_progress!", "fan": "in_progress!"}, set()),
    ],
)
def test_with_the_option_it_stays_alone_with_what_it_is_part_of(states, leaving):
    assert cancellable(lines(**states), line_level=True) == leaving


def test_what_is_cancelled_or_about_to_be_is_not_taken_again():
    assert cancellable(lines(edge="cancelled", card="cancellation_in_progress"), line_level=False) == {"package", "fan"}
    assert cancellable(lines(edge="cancelled!"), line_level=False) == {"package", "card", "fan"}
