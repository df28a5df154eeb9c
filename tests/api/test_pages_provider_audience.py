"""Changing who may order an item, on its page: who would lose it is asked about, and who gained and lost it is said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from lxml import html

from provider.ui.gains import name_some
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.api.test_pages_entitlements import criteria, publish
from tests.factories import import_small_catalog
from tests.service.test_criteria import make_company


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


@pytest.fixture
def admin(app: flask.Flask) -> Visitor:
    return signed_in(app, "eve", "exchange_admin")


@pytest.fixture
def item(app: flask.Flask) -> str:
    """A draft; ACME and Bolt are there."""
    with context_of(app).database.transaction() as session:
        make_company(session, "ACME"), make_company(session, "Bolt")
        return import_small_catalog(session).identity


def read(answer: Any) -> Any:
    return html.fromstring(answer.get_data())


def said(admin: Visitor, item: str) -> str:
    (flash,) = admin.read(f"/producers/{item}").cssselect("main > .alert[role=status]")
    return text_of(flash)


def test_who_would_lose_an_item_is_named_and_asked_about_first(app: flask.Flask, admin: Visitor, item: str) -> None:
    publish(admin, item, criteria="fitting", companies=["ACME"])
    change = {"criteria": "fitting", "companies": ["Bolt"]}
    asked = read(publish(admin, item, **change))
    assert "Would lose it: ACME IT. Nothing is changed yet." in text_of(asked)
    assert criteria(app) == {"companies": ["ACME"]}
    (sure,) = asked.cssselect("button[name=confirmed]")
    assert text_of(sure) == "Save all the same"
    assert publish(admin, item, **change, confirmed=sure.get("value")).status_code == 303
    assert criteria(app) == {"companies": ["Bolt"]}
    assert said(admin, item) == "Saved. Bolt IT gains it. ACME IT has lost it."


def test_a_yes_is_for_those_alone_whom_it_was_given_for(app: flask.Flask, admin: Visitor, item: str) -> None:
    publish(admin, item, criteria="all")
    (sure,) = read(publish(admin, item, criteria="fitting", companies=["Bolt"])).cssselect("button[name=confirmed]")
    other = publish(admin, item, criteria="fitting", companies=["ACME"], confirmed=sure.get("value"))
    assert "Would lose it: Bolt IT." in text_of(read(other))
    assert criteria(app) == {"all_consumers": True}


def test_what_was_published_says_who_gains_it_and_leads_on(admin: Visitor, item: str) -> None:
    publish(admin, item, criteria="all")
    assert said(admin, item) == (
        "Business Line is published. ACME IT and Bolt IT gain it. Look at the consumers, or invite one."
    )


def test_for_those_that_fit_later_a_look_says_so(admin: Visitor, item: str) -> None:
    text = text_of(read(publish(admin, item, criteria="fitting", accounts="A-7", preview="1")))
    assert "Nobody gains it, and nobody loses it. Consumers that fit and connect later gain it." in text


def test_all_three_choices_are_named_to_whoever_made_none(admin: Visitor, item: str) -> None:
    answer = publish(admin, item)
    assert answer.status_code == 422
    assert "all consumers, those that you name, or those that fit conditions" in text_of(read(answer))


def test_a_label_that_cannot_be_read_is_said_at_the_label_alone(admin: Visitor, item: str) -> None:
    page = read(publish(admin, item, criteria="fitting", labels="tier gold"))
    (error,) = page.cssselect(".invalid-feedback")
    assert error.getparent().cssselect("textarea#labels.is-invalid")


def test_what_does_not_belong_to_the_choice_is_no_error(app: flask.Flask, admin: Visitor, item: str) -> None:
    assert publish(admin, item, criteria="all", labels="tier gold").status_code == 303
    assert criteria(app) == {"all_consumers": True}


def test_conditions_are_ticked_one_by_one(admin: Visitor, item: str) -> None:
    page = admin.read(f"/producers/{item}/publish")
    assert not page.cssselect("select[multiple]")
    boxes = page.cssselect("[data-for=fitting] [type=checkbox][name=companies]")
    assert [one.get("value") for one in boxes] == ["ACME", "Bolt"]


@pytest.mark.parametrize(
    ("names", "text"),
    [("A", "A"), ("AB", "A and B"), ("ABCD", "A, B, C and D"), ("ABCDE", "A, B, C and 2 others")],
)
def test_many_names_are_cut_short(names: str, text: str) -> None:
    assert name_some(list(names)) == text
