"""What a page costs does not depend on how much there is: as many statements for few records as for many."""

from pathlib import Path

import flask
import pytest

from tests.api.page_client import CountedStatements, signed_in
from tests.api.page_walk import list_pages, walk
from tests.busy import filled

FEW, MANY = (2, 8), (5, 32)
"""Connections, and orders of all of them together."""
MOST = 30
"""Statements of any page."""

ELSEWHERE = {"attachments.fetch", "catalog.export", "registrations.show_token"}
"""Pages that no link leads to here: downloads, and a token that is shown once."""


def cost(app: flask.Flask) -> dict[str, int]:
    """Statements by route."""
    admin, counts = signed_in(app, "admin", "admin"), {}
    for route, url in walk(app, admin):
        with CountedStatements(app) as counted:
            assert admin.get(url).status_code == 200
        counts[route] = counted.count
    return counts


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_every_page_takes_as_many_statements_for_few_records_as_for_many(side: str, tmp_path: Path) -> None:
    with filled(side, tmp_path / "few", *FEW) as app:
        few = cost(app)
    with filled(side, tmp_path / "many", *MANY) as app:
        assert cost(app) == few
        assert list_pages(app) - set(few) <= ELSEWHERE
    assert max(few.values()) <= MOST, few
