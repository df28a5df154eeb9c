"""A percentile of the benchmarks is one of the figures: the nearest rank, never an average that nobody measured."""

import pytest

from sxg.bench.report import percentile

FIGURES = [float(number) for number in range(1, 301)]


@pytest.mark.parametrize(("percent", "expected"), [(50, 150.0), (99, 297.0), (100, 300.0), (0, 1.0)])
def test_it_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile(FIGURES, percent) == expected


def test_a_rank_between_two_figures_is_the_upper_one() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0, 5.0], 50) == 3.0


def test_of_one_figure_it_is_that_one() -> None:
    assert percentile([7.0], 99) == 7.0
