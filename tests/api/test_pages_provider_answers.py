"""What was ordered is told in the words of the catalog, and the value that programs get is on hover."""

from pathlib import Path

import pytest

from provider.services.order_page import Answer, tell_answers
from tests.api.page_client import signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import make_order

OPTIONS = [{"value": "web_filter", "label": "Web filter"}, {"value": "100", "label": "100"}]
ASKED = [{"key": "protection", "name": "Protection", "options": OPTIONS}, {"key": "users", "name": "Users"}]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ({"protection": "web_filter"}, Answer("Protection", "Web filter", "web_filter")),
        ({"protection": "100"}, Answer("Protection", "100", None)),
        ({"protection": ["100", "web_filter"]}, Answer("Protection", ["100", "Web filter"], "100, web_filter")),
        ({"protection": "gone"}, Answer("Protection", "gone", None)),
        ({"users": 5}, Answer("Users", 5, None)),
        ({"users": True}, Answer("Users", True, None)),
        ({"unknown": "x"}, Answer("unknown", "x", None)),
    ],
)
def test_answers_are_told_by_the_labels_of_their_options(answers: dict[str, object], told: Answer) -> None:
    assert tell_answers(ASKED, answers) == [told]


def test_the_order_page_shows_labels_with_the_value_on_hover(sqlite_url: str, tmp_path: Path) -> None:
    app = make_app(sqlite_url, tmp_path)
    database = context_of(app).database
    page = signed_in(app, "max", "order_manager").read(f"/orders/{make_order(database).order_number}")
    assert "Bandwidth: 100 Mbit/s" in text_of(page)
    assert page.xpath("//section[@id='lines']//span[@title='100']/text()") == ["100 Mbit/s"]
    database.close()
