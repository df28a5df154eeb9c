"""What is half typed in one form is not lost by sending another one on the same page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from sxg.demo import answers
from tests.browser import day
from tests.browser.browsing import MAIN, PASSWORD, Browsing, Person
from tests.e2e.stage import Stage

HALF = "Which entr"
SAY = "Say something to the consumer"


@pytest.fixture(scope="module")
def stage(stage: Stage) -> Iterator[Stage]:
    day.offer(stage)
    day.activate(stage, answers.SWITCH)
    yield stage


@pytest.fixture
def manager(stage: Stage, browsing: Browsing) -> Person:
    """At the page of a new order."""
    day.order(stage, answers.SWITCH, {**answers.SWITCHES, "quantity": 1})
    person = browsing.provider("order_manager")
    person.open("/orders?state=new")
    person.page.locator(f"{MAIN} tbody a").first.click()
    return person


def text_in(person: Person, label: str) -> Locator:
    return person.page.locator(MAIN).get_by_label(label, exact=True).first


def test_a_comment_half_typed_survives_an_approval_and_is_sent_once(manager: Person) -> None:
    manager.fill(SAY, HALF)
    manager.press("Approve")
    manager.sees("Acknowledged")
    expect(text_in(manager, SAY)).to_have_value(HALF)
    manager.page.reload()
    expect(text_in(manager, SAY)).to_have_value("")


def test_what_is_sent_itself_does_not_come_back(manager: Person) -> None:
    manager.fill(SAY, "Which entrance?")
    manager.page.get_by_role("button", name="Send to").click()
    manager.sees("Which entrance?")
    expect(text_in(manager, SAY)).to_have_value("")
    manager.page.reload()
    expect(text_in(manager, SAY)).to_have_value("")


def test_signing_out_forgets_what_was_typed(manager: Person) -> None:
    manager.fill(SAY, HALF)
    manager.press("Approve")
    here = manager.page.url
    manager.fill(SAY, HALF)
    manager.press("Sign out", within="header")
    assert manager.page.evaluate("sessionStorage.getItem('typed')") is None
    manager.page.get_by_label("Name").fill(manager.name)
    manager.page.get_by_label("Password").fill(PASSWORD)
    manager.press("Sign in")
    manager.page.goto(here)
    expect(text_in(manager, SAY)).to_have_value("")
