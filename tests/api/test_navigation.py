"""The places at the top of each page: in few menus, so that they fit in one line beside long names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest

from tests.api.page_client import signed_in, text_of
from tests.api.provider_client import context_of, make_app
from webkit.site import here


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


def menus(page: Any) -> dict[str, list[str]]:
    """What each place at the top leads to, or holds."""
    top = page.xpath("//nav[@id='places']/ul/li")
    return {text_of(one[0]): [text_of(link) for link in one.xpath(".//ul//a")] for one in top}


def test_places_share_menus_which_tell_where_the_page_is(app: flask.Flask) -> None:
    page = signed_in(app, "boss", "admin").read("/deliveries")
    found = menus(page)
    assert list(found) == ["Start", "Orders", "Tasks", "Service", "Selling", "Administration"]
    assert found["Administration"] == ["Connections", "Deliveries", "Mappings", "Flow", "Users"]
    (toggle,) = page.xpath("//nav//button[@data-bs-toggle='dropdown' and contains(@class, 'active')]")
    assert text_of(toggle) == "Administration"
    assert [text_of(one) for one in page.xpath("//nav//a[@aria-current='page']")] == ["Deliveries"]
    with app.app_context():
        assert {entry.label for entry in here().navigation} == {name for one in found for name in found[one] or [one]}


def test_a_menu_of_one_place_is_that_place_and_others_are_not_shown(app: flask.Flask) -> None:
    page = signed_in(app, "fay", "fulfilment_agent").read("/")
    links = page.xpath("//nav[@id='places']//a")
    assert len(menus(page)) <= len(links) < len(signed_in(app, "boss", "admin").read("/").xpath("//nav//a"))
    assert [one for one, held in menus(page).items() if len(held) == 1] == []


def test_long_names_give_way_and_are_told_whole(app: flask.Flask) -> None:
    page = signed_in(app, "katharina.mueller", "admin").read("/")
    with app.app_context():
        (brand,) = page.xpath("//a[contains(@class, 'navbar-brand') and .//*[contains(@class, 'text-truncate')]]")
        assert brand.get("title") == here().name
    (person,) = page.xpath("//header//*[contains(@class, 'text-truncate') and text()='katharina.mueller']")
    assert person.get("title") == "katharina.mueller: Admin"
