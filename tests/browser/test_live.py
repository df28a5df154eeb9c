"""What changes at the server changes on the page, soon and without a reload, and disturbs nobody."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from sxg.demo import answers
from tests.browser import day
from tests.browser.browsing import MAIN, Browsing, Person
from tests.e2e.stage import Stage

SOON_MS = 5_000
"""A page asks every second, and shows within two what the server has; the rest is the delivery, on a busy machine."""


@pytest.fixture(scope="module")
def stage(stage: Stage) -> Iterator[Stage]:
    day.offer(stage)
    day.activate(stage, answers.SWITCH)
    yield stage


@pytest.fixture
def request_of(stage: Stage) -> day.Document:
    """A new order of a switch, as the consumer sees it."""
    return day.order(stage, answers.SWITCH, {**answers.SWITCHES, "quantity": 1})


def open_request(browsing: Browsing, request: day.Document) -> Person:
    """The requester at its page, which will notice if it is ever loaded anew."""
    person = browsing.consumer("requester")
    person.open("/")
    person.follow("Requests")
    person.follow(request["number"])
    person.page.evaluate("window.sameDocument = true")
    return person


def assert_not_reloaded(person: Person) -> None:
    assert person.page.evaluate("window.sameDocument") is True


def test_an_approval_shows_at_the_consumer_by_itself(
    browsing: Browsing, stage: Stage, request_of: day.Document
) -> None:
    person = open_request(browsing, request_of)
    person.sees("No products yet")
    number = day.approve(stage, request_of)
    person.sees("In progress", SOON_MS)
    person.sees("Installation pending", SOON_MS)
    stage.provider("order_manager").post(f"/orders/{number}/comments", {"text": "Is the rack free?"})
    person.sees("Is the rack free?", SOON_MS)
    assert_not_reloaded(person)


def test_a_list_shows_what_is_new_by_itself(browsing: Browsing, stage: Stage) -> None:
    manager = browsing.provider("order_manager")
    manager.open("/")
    manager.follow("Orders")
    made = day.order(stage, answers.SWITCH, answers.SWITCHES)
    manager.sees(made["order_number"], SOON_MS)


def test_news_disturb_nobody_who_types(browsing: Browsing, stage: Stage, request_of: day.Document) -> None:
    person = open_request(browsing, request_of)
    box = person.page.get_by_label("Your comment")
    box.press_sequentially("We are at the loa")
    day.approve(stage, request_of)
    person.sees("In progress", SOON_MS)
    expect(box).to_be_focused()
    box.press_sequentially("ding bay")
    expect(box).to_have_value("We are at the loading bay")
    person.press("Send comment")
    person.sees("We are at the loading bay")


def test_a_reason_half_typed_survives_the_news(browsing: Browsing, stage: Stage, request_of: day.Document) -> None:
    manager = browsing.provider("order_manager")
    manager.open("/")
    manager.follow("Orders")
    manager.follow(request_of["order_number"])
    manager.page.locator("summary", has_text="Reject").click()
    reason = manager.page.get_by_label("Reason", exact=True).locator("visible=true")
    reason.fill("No such street")
    comment = {"text": "Please hurry", "author_name": "Ada"}
    stage.consumer.post(f"/requests/{request_of['id']}/comments", comment)
    manager.sees("Please hurry", SOON_MS)
    expect(reason).to_have_value("No such street")


def test_a_page_says_when_its_server_is_gone_and_recovers(
    browsing: Browsing, stage: Stage, request_of: day.Document
) -> None:
    person = open_request(browsing, request_of)
    lost = person.page.locator("#connection-lost")
    expect(lost).to_be_hidden()
    with stage.paused("consumer-web"):
        expect(lost).to_be_visible(timeout=SOON_MS)
        expect(person.page.locator(MAIN)).to_contain_text(request_of["number"])
    expect(lost).to_be_hidden(timeout=15_000)
    stage.provider("order_manager").post(f"/orders/{request_of['order_number']}/comments", {"text": "Welcome back"})
    person.sees("Welcome back", SOON_MS)
    assert_not_reloaded(person)
    person.forgive("ERR_CONNECTION_REFUSED")


def test_a_page_left_open_after_the_sign_in_ended_leads_to_the_sign_in(
    browsing: Browsing, request_of: day.Document
) -> None:
    person = open_request(browsing, request_of)
    person.page.context.clear_cookies()
    expect(person.page).to_have_url(re.compile("/sign-in[?]next=/requests/"), timeout=SOON_MS)
