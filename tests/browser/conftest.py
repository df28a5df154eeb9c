"""Browser tests share one stage for each file: its catalog is offered, its consumer connected."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.browsing import Browsing, find_chromium
from tests.conftest import missing
from tests.e2e.stage import Stage


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if find_chromium() is None:
        missing("Chromium")
    with Stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def browsing(stage: Stage) -> Iterator[Browsing]:
    with Browsing(stage) as made:
        yield made


@pytest.fixture(autouse=True)
def rest(browsing: Browsing) -> Iterator[None]:
    """After each test nobody is left at a page."""
    yield
    browsing.rest()
