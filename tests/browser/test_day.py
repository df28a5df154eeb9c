"""A day at both instances, by every role, in a browser. Nobody types an address: links and buttons lead everywhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from sxg.demo import answers
from tests.browser import day
from tests.browser.browsing import MAIN, PASSWORD, Browsing, Person
from tests.e2e.stage import CATALOG, Stage

ALSO = (answers.MOBILE, answers.SWITCH)
"""What is offered besides, in the same way as the SD-WAN, but without anybody looking."""


@pytest.fixture(scope="module")
def opened(stage: Stage, browsing: Browsing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsing]:
    """The catalog is in, the consumer connected, and what is offered is active there."""
    import_catalog(browsing, tmp_path_factory.mktemp("catalog") / "catalog.json")
    connect(browsing)
    offer(browsing, answers.SD_WAN)
    activate(browsing, answers.SD_WAN)
    for name in ALSO:
        day.offer_to_all(stage, name)
        stage.until(lambda: any(one["name"] == name for one in stage.consumer.pages("/catalog-items")))  # noqa: B023
        day.activate(stage, name)
    browsing.rest()
    yield browsing


def at_start(person: Person) -> Person:
    """By the link that every page has; whoever just comes has the address of this page."""
    if person.page.url == "about:blank":
        person.open("/")
    else:
        person.go("Start")
    return person


def row(person: Person, text: str) -> Locator:
    return person.page.locator(f"{MAIN} tr", has_text=text)


def field(person: Person, label: str, within: str = MAIN) -> Locator:
    """A question of an order form; its label may go on to say that it must be answered."""
    return person.page.locator(within).get_by_label(re.compile(rf"^{re.escape(label)}\b")).first


def part(person: Person, title: str) -> Locator:
    """What is asked about one part of an item."""
    return person.page.locator("fieldset.part").filter(has=person.page.locator("legend", has_text=title)).last


# --- the morning


def import_catalog(browsing: Browsing, file: Path) -> None:
    """One offering of it is still a draft, and is published by hand."""
    document = json.loads(CATALOG.read_text())
    switch = next(one for one in document["productOffering"] if one["name"] == answers.SWITCH)
    switch["lifecycleStatus"] = "In design"
    for one in document["productOffering"]:
        if switch["id"] in [member["id"] for member in one.get("bundledProductOffering", ())]:
            one["lifecycleStatus"] = "In design"
    file.write_text(json.dumps(document))
    manager = at_start(browsing.provider("catalog_manager"))
    manager.follow("Fill the catalog")
    manager.follow("Import a catalog")
    manager.page.get_by_label("File").set_input_files(file)
    manager.press("Import")
    manager.sees("Taken in")
    manager.choose("State", "In draft")
    manager.follow(answers.SWITCH)
    manager.press("Publish")
    manager.sees(f"{answers.SWITCH} 1.0 is published.")


def connect(browsing: Browsing) -> None:
    admin = at_start(browsing.provider("exchange_admin"))
    admin.follow("Invite a consumer")
    admin.click(admin.page.locator(MAIN).get_by_role("link", name=re.compile("^Register")).first)
    admin.fill("Company", "ACME")
    admin.fill("Contact person", "Ada Lovelace")
    admin.fill("E-mail of the contact person", "ada@acme.example")
    admin.press("Register and show the token")
    token = admin.page.get_by_label("Token").input_value()
    address = admin.page.locator("dd code").first.inner_text()
    buyer = at_start(browsing.consumer("admin"))
    buyer.follow("Connect to a provider")
    buyer.fill("Address of the provider", address)
    buyer.fill("Registration token", token)
    buyer.fill("Prefix of our request numbers", "acme")
    buyer.press("Connect")
    buyer.sees("Connected to")
    admin.follow("I have it; follow the registration")
    admin.sees("Closed complete")


def offer(browsing: Browsing, name: str) -> None:
    admin = at_start(browsing.provider("exchange_admin"))
    admin.go("Producers")
    admin.follow(name)
    admin.follow("Publish revision 1")
    admin.page.get_by_label(re.compile("^All consumers")).check()
    admin.press("Publish")
    admin.sees("all consumers")


def activate(browsing: Browsing, name: str) -> None:
    buyer = at_start(browsing.consumer("admin"))
    buyer.go("Items")
    expect(row(buyer, name)).to_be_visible(timeout=15_000)
    buyer.click(row(buyer, name).get_by_role("button", name=re.compile("^Activate")))
    expect(row(buyer, name)).to_contain_text("Active")


# --- what people do with an order


def begin_order(browsing: Browsing, name: str, place: str) -> Person:
    """The requester at the form, with the place filled in."""
    requester = at_start(browsing.consumer("requester"))
    requester.go("Catalog")
    requester.click(row(requester, name).get_by_role("link", name=re.compile("^Order")))
    field(requester, "Location").fill(place)
    field(requester, "City").fill("Berlin")
    return requester


def send(requester: Person) -> str:
    """The number of the order that it became."""
    requester.press("Send request")
    requester.sees("Thank you for your request.")
    number = requester.page.locator("dd", has_text=re.compile("^ORD"))
    expect(number).to_be_visible(timeout=15_000)
    return number.inner_text()


def open_order(person: Person, number: str) -> Person:
    at_start(person).go("Orders")
    person.follow(number)
    expect(person.page.get_by_role("heading", name=number)).to_be_visible()
    return person


def approve(browsing: Browsing, number: str) -> None:
    manager = at_start(browsing.provider("order_manager"))
    manager.click(manager.page.locator(MAIN).get_by_role("link", name="to approve"))
    manager.follow(number)
    manager.press("Approve")
    manager.sees("In progress")


def take_task(browsing: Browsing, number: str) -> None:
    """The first that is open to anybody becomes the agent's own."""
    agent = at_start(browsing.provider("fulfilment_agent"))
    agent.click(agent.page.locator(MAIN).get_by_role("link", name=re.compile("Tasks? to take")))
    agent.click(row(agent, number).first.get_by_role("button", name="Take", exact=True))
    agent.click(at_start(agent).page.locator(MAIN).get_by_role("link", name=re.compile("Tasks? of mine")))
    agent.sees(number)


def complete_tasks(browsing: Browsing, number: str) -> int:
    """Each as it opens; how many there were."""
    agent, count = open_order(browsing.provider("fulfilment_agent"), number), 0
    lines = agent.page.locator("#lines")
    complete = lines.get_by_role("button", name="Complete", exact=True)
    warned = lines.locator("summary", has_text="Complete")
    while complete.count() or warned.count():
        if not complete.count():
            warned.first.click()  # the point of no return is asked twice
        last = complete if complete.count() else lines.get_by_role("button", name="Complete: there is no way back")
        agent.click(last.first)
        count += 1
    expect(agent.page.locator("#head")).to_contain_text("Completed")
    return count


# --- the day


def test_a_package_is_ordered_talked_about_fulfilled_and_seen_where_it_is(opened: Browsing) -> None:
    requester = begin_order(opened, answers.SD_WAN, "Berlin office")
    field(requester, "Quantity").fill("2")
    field(requester, "Bandwidth").select_option("250")
    part(requester, "SD-WAN Controller").get_by_label(re.compile("^Administrator's e-mail")).fill("ada@acme.example")
    requester.page.get_by_label("SD-WAN Security").check()
    part(requester, "SD-WAN Security").get_by_label("Web filter").check()
    number = send(requester)
    manager = open_order(opened.provider("order_manager"), number)
    manager.sees("2 \N{MULTIPLICATION SIGN} SD-WAN Package")
    manager.sees("Web filter")
    manager.fill("Say something to the consumer", "Which entrance?")
    manager.press("Send to ACME")
    requester.sees("Which entrance?")
    requester.fill("Your comment", "The loading bay, please")
    requester.press("Send comment")
    manager.sees("The loading bay, please")
    approve(opened, number)
    requester.sees("In progress")
    take_task(opened, number)
    assert complete_tasks(opened, number) >= 11
    requester.sees("Completed")
    at_start(requester).go("My products")
    requester.sees("Berlin office")
    expect(row(requester, "SD-WAN Security").first).to_contain_text("Active")


def test_a_rejected_request_is_corrected_and_sent_again_under_its_number(opened: Browsing) -> None:
    requester = begin_order(opened, answers.MOBILE, "Hamburg ofice")
    number = send(requester)
    manager = open_order(opened.provider("order_manager"), number)
    manager.page.locator("summary", has_text="Reject").click()
    manager.page.get_by_label("Reason", exact=True).locator("visible=true").fill("Which office is that?")
    manager.press("Reject")
    requester.sees("Which office is that?")
    requester.click(at_start(requester).page.locator(MAIN).get_by_role("link", name=re.compile("Requests? to correct")))
    requester.click(row(requester, number).get_by_role("link").first)
    requester.follow("Correct and send again")
    assert field(requester, "Location").input_value() == "Hamburg ofice"
    field(requester, "Location").fill("Hamburg office")
    requester.press("Send the correction")
    requester.sees("Hamburg office")
    manager.sees("Approve")
    approve(opened, number)
    requester.sees("In progress")


def test_a_request_is_taken_back_before_anybody_approves_it(opened: Browsing) -> None:
    requester = begin_order(opened, answers.SWITCH, "Berlin office")
    number = send(requester)
    requester.follow("Cancel the request")
    requester.page.locator(MAIN).get_by_role("textbox").fill("Ordered twice")
    requester.press("Yes, cancel it")
    requester.sees("Cancelled")
    manager = open_order(opened.provider("order_manager"), number)
    manager.sees("Nothing more: this order is over.")
    manager.sees("Ordered twice")


def test_what_was_typed_is_kept_when_something_is_wrong_and_as_a_draft(opened: Browsing) -> None:
    requester = begin_order(opened, answers.SWITCH, "Shelbyville warehouse")
    field(requester, "Quantity").fill("0")
    requester.press("Send request")
    requester.sees("Nothing was sent")
    expect(requester.page.locator("[data-field='/quantity'] [data-errors]")).not_to_be_empty()
    assert field(requester, "Location").input_value() == "Shelbyville warehouse"
    requester.press("Save as draft")
    requester.sees("Saved")
    requester.follow(f"Continue {answers.SWITCH}")
    field(requester, "Quantity").fill("3")
    assert send(requester)


def test_what_a_consumer_refuses_is_parked_and_sent_again_by_hand(opened: Browsing, stage: Stage) -> None:
    requester = begin_order(opened, answers.SWITCH, "Springfield plant")
    number = send(requester)
    buyer = at_start(opened.consumer("admin"))
    buyer.go("Fault switches")
    buyer.page.get_by_label("Kind of event").select_option("exchange.provider_task.state_changed")
    buyer.press("Turn on: Reject events of one kind")
    approve(opened, number)
    admin = at_start(opened.provider("exchange_admin"))
    parked = admin.page.locator(MAIN).get_by_role("link", name="1 Parked delivery")
    stage.until(lambda: day.let_time_pass(stage) or parked.is_visible(), 30)
    buyer.press("Turn off")
    admin.click(parked)
    admin.click(row(admin, "Parked").get_by_role("link").first)
    admin.sees("rejected")
    admin.press("Send it again")
    admin.sees("It is on its way again.")
    requester.sees("In progress")
    admin.sees("Sent")


def test_every_role_is_shown_what_it_may_do_and_no_more(opened: Browsing) -> None:
    viewer = open_order(opened.provider("viewer"), "ORD0000001")
    assert not viewer.page.locator(MAIN).get_by_role("button").count()
    clerk = opened.provider("catalog_manager")
    assert not at_start(clerk).page.locator("nav").get_by_role("link", name="Orders").count()
    clerk.open("/orders")
    clerk.sees("Your role does not allow this")
    clerk.sees("order_manager-at-provider (order_manager)")
    reader = at_start(opened.consumer("viewer"))
    reader.go("Catalog")
    reader.sees("Your role may look only.")


def test_a_link_that_was_sent_opens_after_the_sign_in(opened: Browsing) -> None:
    manager = open_order(opened.provider("order_manager"), "ORD0000001")
    link = manager.page.url
    manager.press("Sign out", within="header")
    manager.page.goto(link)
    manager.fill("Name", manager.name)
    manager.fill("Password", "something else")
    manager.press("Sign in")
    manager.sees("No account here has this name and password")
    manager.fill("Password", PASSWORD)
    manager.press("Sign in")
    expect(manager.page).to_have_url(link)


def test_people_sign_in_and_out(browsing: Browsing) -> None:
    admin = browsing.provider("admin")
    assert admin.page.url == admin.url + "/"
    admin.press("Sign out", within="header")
    admin.sees("Sign in to")
    admin.open("/")
    assert "/sign-in" in admin.page.url
    admin.sign_in()
    assert admin.page.url == admin.url + "/"


def test_two_instances_on_one_host_keep_separate_sign_ins_in_one_browser(browsing: Browsing) -> None:
    at, consumer = browsing.stage.deployment.provider, browsing.stage.deployment.consumer
    provider = browsing.join("provider", at.url, at.database_url, "viewer")
    other = browsing.join("consumer", consumer.url, consumer.database_url, "viewer", provider.page.context)
    other.open("/")
    provider.open("/")
    assert "/sign-in" not in provider.page.url + other.page.url
    other.press("Sign out", within="header")
    provider.open("/")
    assert "/sign-in" not in provider.page.url
