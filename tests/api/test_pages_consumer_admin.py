"""What admins of a consumer look after: connections to providers, and the items they offer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from lxml import html
from sqlalchemy import select, update

from bridge.models import Connection, Delivery, Lease, Stream
from consumer_sim.app import utc_now
from consumer_sim.models import CatalogItem, ProviderConnection
from consumer_sim.services.catalog import activate_item
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.consumer_factories import (
    NOW,
    Consumer,
    PlayedProvider,
    connected_consumer,
    consumer,
    make_connection,
    make_item,
    played_provider,
    problem,
    rows,
    served,
)

WAITING: dict[str, Any] = {"state": "pending_activation", "active_revision": None, "active_form": None}


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def boss(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "boss", "admin")


@pytest.fixture
def provider() -> Iterator[PlayedProvider]:
    with played_provider() as played:
        yield played


@pytest.fixture
def alone(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    """Reachable, and not connected."""
    front = flask.Flask("front")
    with served(front) as public_url, consumer(sqlite_url, tmp_path, clock=utc_now, public_url=public_url) as one:
        front.wsgi_app = one.app.wsgi_app  # type: ignore[method-assign]
        yield one


def names(visitor: Visitor, url: str, column: str) -> list[str]:
    found = visitor.read(url).xpath(f"//td[@data-label='{column}']//*[contains(@class, 'fw-semibold') or self::a]")
    return [text_of(one) for one in found]


def facts(page: Any) -> dict[str, str]:
    return {text_of(one): text_of(one.getnext()) for one in page.cssselect("dt")}


def beside(page_text: str) -> dict[str, str]:
    """What stands beside each field that is wrong."""
    page = html.fromstring(page_text)
    return {
        one.get("name"): text_of(one.getparent().cssselect(".invalid-feedback")[0])
        for one in page.cssselect(".is-invalid")
    }


def link_of(one: Consumer) -> ProviderConnection:
    (link,) = rows(one, ProviderConnection)
    return link


# --- connecting


def given(provider: PlayedProvider, **changes: str) -> dict[str, str]:
    return {"provider_url": provider.url, "token": "sxr_1", "number_prefix": "ACME"} | changes


def test_an_address_and_a_token_make_a_connection(alone: Consumer, provider: PlayedProvider) -> None:
    boss = signed_in(alone.app, "boss", "admin")
    assert boss.read("/connections").xpath("//main//a[@href='/connections/connect']")
    boss.get("/connections/connect")
    answer = boss.post(
        "/connections/connect", given(provider, number_prefix=" acme ", provider_url=f" {provider.url}/ ")
    )
    assert answer.status_code == 303, answer.text
    page = boss.read(answer.location)
    assert "Connected to Northwind." in text_of(page)
    (next_one,) = page.xpath("//main/*[@role='status']//a")
    assert boss.get(next_one.get("href")).status_code == 200 and text_of(next_one) == "Activate what people may order."
    shown = facts(page)
    assert (shown["State"], shown["Step"], shown["Our prefix"]) == ("Active", "3 of 3: connected", "ACME")
    assert provider.calls_to("/registrations/complete")[0].body["token"] == "sxr_1"
    assert names(boss, "/connections", "Provider") == ["Northwind"]


def test_a_token_used_again_says_that_we_are_connected_already(alone: Consumer, provider: PlayedProvider) -> None:
    boss = signed_in(alone.app, "boss", "admin")
    boss.get("/connections/connect")
    where = boss.post("/connections/connect", given(provider)).location
    boss.read(where)
    again = boss.post("/connections/connect", given(provider))
    page = text_of(boss.read(again.location))
    assert (again.status_code, again.location) == (303, where)
    assert "We are already connected to Northwind" in page and "Connected to Northwind." not in page
    assert len(provider.calls_to("/registrations/complete")) == 1


def test_an_address_that_must_not_be_called_says_who_can_allow_it(acme: Consumer, boss: Visitor) -> None:
    boss.get("/connections/connect")
    asked = {"provider_url": "https://10.1.2.3", "token": "sxr_1", "number_prefix": "ACME"}
    answer = boss.post("/connections/connect", asked)
    assert answer.status_code == 422
    assert "operator allows by the setting SXG_EGRESS_ALLOW" in beside(answer.text)["provider_url"]


def test_where_connecting_stopped_is_told_with_what_helps_and_it_is_taken_up(
    alone: Consumer, provider: PlayedProvider
) -> None:
    provider.script["/connection/verify"] = [problem(409, "challenge_failed")]
    boss = signed_in(alone.app, "boss", "admin")
    boss.get("/connections/connect")
    where = boss.post("/connections/connect", given(provider)).location
    page = boss.read(where)
    assert "Connecting stopped; below is why." in text_of(page)
    assert "challenge_failed" in text_of(page) and "must reach this instance" in text_of(page)
    assert facts(page)["Step"] == "2 of 3: proof"
    assert "challenge_failed" in text_of(boss.read("/connections?health=ill"))
    boss.get(where)
    assert boss.post(f"{where}/resume").status_code == 303
    page = boss.read(where)
    assert facts(page)["State"] == "Active" and page.xpath("//button[text()='Resume connecting']") == []
    assert "No connection fits" in text_of(boss.read("/connections?health=ill"))


def test_a_token_that_is_not_taken_is_entered_again_where_that_is_told(
    alone: Consumer, provider: PlayedProvider
) -> None:
    provider.script["/registrations/complete"] = [problem(401, "registration_token_invalid")]
    boss = signed_in(alone.app, "boss", "admin")
    boss.get("/connections/connect")
    where = boss.post("/connections/connect", given(provider, token="sxr_tpyo")).location
    page = boss.read(where)
    assert "The provider does not know this registration token." in text_of(page)
    assert "401" not in text_of(page) and "registration_token_invalid" not in text_of(page)
    assert page.xpath("//button[text()='Resume connecting']") == [], "it would fail again"
    assert "Connecting stopped" in text_of(page) and not page.cssselect("main > .alert-success")
    assert page.xpath("//main//*[@data-live]//input[@name='token']") == [], "nobody's typing is taken away"
    answer = boss.post(f"{where}/token", {"token": " "})
    assert answer.status_code == 422 and list(beside(answer.text)) == ["token"]
    assert boss.post(f"{where}/token", {"token": "sxr_typo"}).location == where
    assert [call.body["token"] for call in provider.calls_to("/registrations/complete")] == ["sxr_tpyo", "sxr_typo"]
    page = boss.read(where)
    assert facts(page)["State"] == "Active" and page.xpath("//input[@name='token']") == []


def test_the_form_tells_beforehand_what_it_takes(alone: Consumer) -> None:
    page = signed_in(alone.app, "boss", "admin").read("/connections/connect")
    assert "2 to 12 letters and digits" in text_of(page) and "What has a * must be filled in." in text_of(page)
    assert len(page.cssselect("main form .required > .form-label")) == 3


def test_a_used_token_says_to_ask_for_a_new_one(alone: Consumer, provider: PlayedProvider) -> None:
    provider.script["/registrations/complete"] = [problem(401, "token_used")]
    boss = signed_in(alone.app, "boss", "admin")
    boss.get("/connections/connect")
    page = text_of(boss.read(boss.post("/connections/connect", given(provider)).location))
    assert "token_used" in page and "ask the provider for a new one" in page


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"provider_url": ""}, "provider_url", "Where the provider answers"),
        ({"provider_url": "ftp://x.example"}, "provider_url", "http"),
        ({"provider_url": "http://192.168.1.1"}, "provider_url", ""),
        ({"provider_url": "nonsense"}, "provider_url", ""),
        ({"token": " "}, "token", "Exchange admin"),
        ({"token": "x" * 256}, "token", "255"),
        ({"number_prefix": "1A"}, "number_prefix", "beginning with a letter"),
        ({"number_prefix": "TOOLONGPREFIX"}, "number_prefix", "2 to 12"),
    ],
)
def test_what_cannot_be_is_said_beside_the_field_and_nothing_is_begun(
    alone: Consumer, provider: PlayedProvider, changes: dict[str, str], field: str, why: str
) -> None:
    boss = signed_in(alone.app, "boss", "admin")
    boss.get("/connections/connect")
    sent = given(provider, **changes)
    answer = boss.post("/connections/connect", sent)
    assert answer.status_code == 422
    wrong = beside(answer.text)
    assert list(wrong) == [field] and why in wrong[field]
    kept = {
        one.get("name"): one.get("value") for one in html.fromstring(answer.text).cssselect("main input[type=text]")
    }
    assert kept == {name: value.strip() for name, value in sent.items()}, "nothing typed is lost"
    assert rows(alone, ProviderConnection) == [] and provider.calls == []


def test_a_provider_that_does_not_answer_is_kept_with_the_reason(alone: Consumer) -> None:
    boss = signed_in(alone.app, "boss", "admin")
    boss.get("/connections/connect")
    sent = {"provider_url": "http://127.0.0.1:1", "token": "sxr_1", "number_prefix": "ACME"}
    page = boss.read(boss.post("/connections/connect", sent).location)
    assert facts(page)["Step"] == "1 of 3: registration"
    assert "Is the address right" in text_of(page)


# --- connections


def test_connections_are_found_sorted_and_narrowed(acme: Consumer, boss: Visitor) -> None:
    with acme.context.database.transaction() as session:
        for name, state in (("Alpha", "active"), ("Zulu", "revoked")):
            id, _ = make_connection(session, acme.context, prefix=name.upper(), state=state)
            session.execute(
                update(ProviderConnection).where(ProviderConnection.connection_id == id).values(provider_name=name)
            )
            if name == "Alpha":
                session.add(Lease(connection_id=id, failures=2, failing_since=NOW, last_error="no answer"))
    assert names(boss, "/connections", "Provider") == ["Alpha", "Northwind", "Zulu"]
    assert names(boss, "/connections?sort=-name", "Provider") == ["Zulu", "Northwind", "Alpha"]
    assert names(boss, "/connections?state=revoked", "Provider") == ["Zulu"]
    assert names(boss, "/connections?health=ill", "Provider") == ["Alpha"]
    assert names(boss, "/connections?q=NORTH", "Provider") == ["Northwind"]
    text = text_of(boss.read("/connections?health=ill"))
    assert "Failed 2 times" in text and "Nothing is lost" in text and "sxg " not in text


def test_what_is_parked_can_be_sent_again(acme: Consumer, boss: Visitor) -> None:
    with acme.context.database.transaction() as session:
        activate_item(session, make_item(session, acme.connection_id), now=NOW)
        session.execute(update(Delivery).values(state="parked", error="the provider said no"))
        session.execute(update(Stream).values(due_at=None, blocked_by=1))
        delivery_id = session.scalars(select(Delivery.id)).one()
    page = boss.read(f"/connections/{acme.connection_id}")
    assert "send it again when its reason is gone" in text_of(page) and "the provider said no" in text_of(page)
    (url,) = page.xpath("//form[contains(@action, 'send-again')]/@action")
    assert boss.post(url).status_code == 303
    (delivery,), (stream,) = rows(acme, Delivery), rows(acme, Stream)
    assert (delivery.state, delivery.error, stream.due_at) == ("pending", None, NOW)
    again = boss.post(url, headers={"Referer": f"http://localhost/connections/{acme.connection_id}"})
    assert again.status_code == 303
    assert "alert-danger" in boss.get(again.location).text, "it is no longer parked"
    assert boss.post(f"/connections/{uuid4()}/calls/{delivery_id}/send-again").status_code == 404


def test_what_is_parked_can_be_given_up(acme: Consumer, boss: Visitor) -> None:
    with acme.context.database.transaction() as session:
        activate_item(session, make_item(session, acme.connection_id), now=NOW)
        session.execute(update(Delivery).values(state="parked", error="the provider said no"))
        session.execute(update(Stream).values(due_at=None, blocked_by=1))
    page = boss.read(f"/connections/{acme.connection_id}")
    (form,) = page.xpath("//form[contains(@action, 'give-up')]")
    assert "shows it as refused" in form.get("data-confirm")
    assert boss.post(form.get("action")).status_code == 303
    assert rows(acme, Delivery)[0].state == "skipped"
    (item,) = rows(acme, CatalogItem)
    assert (item.activation, item.activation_problem) == ("refused", "Given up by boss. the provider said no")
    assert "Nothing waits" in text_of(boss.read(f"/connections/{acme.connection_id}"))


def test_offers_are_activated_as_they_come_where_that_is_wanted(acme: Consumer, boss: Visitor) -> None:
    with acme.context.database.transaction() as session:
        make_item(session, acme.connection_id, **WAITING)
    where = f"/connections/{link_of(acme).id}"
    boss.get(where)
    assert boss.post(f"{where}/settings", {"auto_activate": "1"}).location == where
    assert link_of(acme).auto_activate and rows(acme, CatalogItem)[0].state == "active", "now what waited already"
    assert boss.read(where).xpath("//input[@name='auto_activate']/@checked")
    boss.post(f"{where}/settings")
    assert not link_of(acme).auto_activate


def test_an_ended_connection_offers_nothing_that_cannot_be(acme: Consumer, boss: Visitor) -> None:
    with acme.context.database.transaction() as session:
        session.execute(update(Connection).values(state="revoked"))
        session.execute(update(ProviderConnection).values(step="verify"))
    page = boss.read(f"/connections/{acme.connection_id}")
    assert "This connection has ended." in text_of(page)
    assert page.xpath("//main//button") == []


def test_connections_are_no_business_of_requesters_and_viewers_only_look(acme: Consumer, boss: Visitor) -> None:
    answer = signed_in(acme.app, "ada", "requester").get("/connections")
    assert answer.status_code == 403 and "boss (admin)" in answer.text
    vera = signed_in(acme.app, "vera", "viewer")
    for url in ("/connections", f"/connections/{acme.connection_id}"):
        page = vera.read(url)
        assert page.xpath("//main//button[not(text()='Search')] | //main//a[contains(@href, 'connect')][@class]") == []
    for path in ("resume", "settings", f"calls/{uuid4()}/send-again"):
        assert vera.post(f"/connections/{acme.connection_id}/{path}").status_code == 403
    assert vera.get("/connections/connect").status_code == 403


def test_however_many_connections_the_statements_are_the_same(acme: Consumer, boss: Visitor) -> None:
    counts = []
    for more in (0, 30):
        with acme.context.database.transaction() as session:
            for number in range(more):
                make_connection(session, acme.context, prefix=f"P{number}")
        with CountedStatements(acme.app) as counted:
            page = boss.read("/connections")
        counts.append(counted.count)
    assert counts[0] == counts[1]
    assert "1 of 2" in text_of(page)


# --- items


def add(one: Consumer, *items: dict[str, Any]) -> list[str]:
    with one.context.database.transaction() as session:
        return [make_item(session, values.pop("connection_id", one.connection_id), **values).id for values in items]


def item(one: Consumer, item_id: str) -> CatalogItem:
    return next(found for found in rows(one, CatalogItem) if found.id == item_id)


def test_items_come_with_what_waits_first_and_are_found_sorted_and_narrowed(acme: Consumer, boss: Visitor) -> None:
    add(
        acme,
        {"name": "Active"}, {"name": "Closed", "state": "inactive"}, {"name": "Gone", "state": "removed"},
        {"name": "Waiting", **WAITING}, {"name": "Revised", "revision": 3},
        {"name": "Refused", "activation": "refused"},
    )  # fmt: skip
    assert names(boss, "/items", "Item") == ["Refused", "Waiting", "Revised", "Active", "Closed", "Gone"]
    assert names(boss, "/items?sort=name", "Item")[:2] == ["Active", "Closed"]
    for kind, found in (
        ("pending_activation", ["Waiting"]), ("revised", ["Revised"]), ("refused", ["Refused"]),
        ("active", ["Refused", "Revised", "Active"]), ("inactive", ["Closed"]), ("removed", ["Gone"]),
    ):  # fmt: skip
        assert names(boss, f"/items?state={kind}", "Item") == found, kind
    assert names(boss, "/items?q=WAIT", "Item") == ["Waiting"]
    assert len(names(boss, "/items?state=nonsense", "Item")) == 6
    assert names(boss, "/items?provider=nonsense", "Item") == []


def test_an_item_is_activated_and_closed_by_a_button_and_the_provider_is_told(acme: Consumer, boss: Visitor) -> None:
    (item_id,) = add(acme, {"name": "Broadband", **WAITING})
    page = boss.read("/items?state=pending_activation")
    (url,) = page.xpath("//main//form[@method='post']/@action")
    answer = boss.post(url)
    assert (answer.status_code, answer.location) == (303, "/items?state=pending_activation"), "back where they were"
    assert (item(acme, item_id).state, item(acme, item_id).activation) == ("active", "waiting")
    page = boss.read("/items")
    assert "Broadband can be ordered from now on. Order it." in text_of(page)
    assert boss.get(page.xpath("//main/*[@role='status']//a/@href")[0]).status_code == 303, "to its order form"
    assert "Northwind is not told yet" in text_of(boss.read("/items"))
    (url,) = boss.read("/items").xpath("//main//form[@method='post']/@action")
    assert "deactivate" in url
    boss.post(url)
    assert item(acme, item_id).state == "inactive"
    assert len(rows(acme, Delivery)) == 2


def test_a_new_revision_waits_while_the_former_is_ordered(acme: Consumer, boss: Visitor) -> None:
    (item_id,) = add(acme, {"revision": 3})
    page = boss.read("/items")
    assert "Revision 3 waiting" in text_of(page) and "Revision 1 is ordered until" in text_of(page)
    (button,) = page.xpath("//button[text()='Activate revision 3']")
    boss.post(button.getparent().get("action"))
    assert item(acme, item_id).active_revision == 3
    assert "waiting" not in text_of(boss.read("/items").cssselect("tbody td[data-label=State] .badge")[0])


def test_what_the_provider_made_of_our_word_is_told(acme: Consumer, boss: Visitor) -> None:
    add(acme, {"activation": "refused", "activation_problem": "revision 1 is retired"})
    assert "Northwind did not take our word: revision 1 is retired" in text_of(boss.read("/items"))


def test_an_item_that_was_taken_away_meanwhile_is_refused_with_the_reason(acme: Consumer, boss: Visitor) -> None:
    (item_id,) = add(acme, {**WAITING})
    boss.get("/items")
    with acme.context.database.transaction() as session:
        session.execute(update(CatalogItem).values(state="removed", removed_reason="retired"))
    answer = boss.post(f"/items/{acme.connection_id}/{item_id}/activate", headers={"Referer": "http://localhost/items"})
    assert (answer.status_code, answer.location) == (303, "/items")
    assert "is no longer offered (retired)" in text_of(boss.read("/items"))
    assert boss.read("/items").xpath("//main//form[@method='post']") == []
    assert rows(acme, Delivery) == []


def test_two_providers_with_the_same_item_are_decided_apart(acme: Consumer, boss: Visitor) -> None:
    shared = str(uuid4())
    with acme.context.database.transaction() as session:
        other, _ = make_connection(session, acme.context, prefix="BETA")
    add(acme, {"id": shared, **WAITING}, {"id": shared, "connection_id": other, **WAITING})
    boss.get("/items")
    assert boss.post(f"/items/{other}/{shared}/activate").status_code == 303
    assert {one.connection_id: one.state for one in rows(acme, CatalogItem)} == {
        acme.connection_id: "pending_activation", other: "active",
    }  # fmt: skip
    assert len(names(boss, f"/items?provider={other}", "Item")) == 1


def test_an_item_has_a_page_with_its_form_what_changed_and_what_it_costs(acme: Consumer, boss: Visitor) -> None:
    old = {"key": "speed", "label": "Speed", "type": "choice", "mandatory": True, "default": None}
    old |= {"options": [{"value": "100", "label": "100 Mbit/s"}]}
    new = old | {"options": [*old["options"], {"value": "200", "label": "200 Mbit/s"}]}
    text, gone = old | {"key": "why", "label": "Why", "type": "text"}, old | {"key": "gone", "label": "Colour"}
    price = {"name": "Rent", "amount": "20.00", "currency": "EUR", "period": "month", "period_length": 1}
    revised: dict[str, Any] = {
        "revision": 2, "active_revision": 1, "active_form": {"variables": [old, gone], "parts": []},
        "form": {"variables": [new, text], "parts": []}, "prices": [price],
    }  # fmt: skip
    add(acme, revised)
    (link,) = boss.read("/items").xpath("//td[@data-label='Item']//a/@href")
    page = boss.read(link)
    said = text_of(page)
    changed = ("Speed: is asked differently", "Why: is asked anew", "Colour: is asked no more")
    assert all(words in said for words in (*changed, "Rent: 20.00 EUR per month", "200 Mbit/s"))
    (button,) = page.xpath("//main//form[contains(@action, '/activate')]")
    assert "Activate revision 2" in text_of(button)
    assert page.xpath("//fieldset[@disabled]//select[@name='/characteristics/speed']")
    assert boss.post(button.get("action")).status_code == 303
    assert "What revision" not in text_of(boss.read(link))
    with acme.context.database.transaction() as session:
        session.execute(update(CatalogItem).values(state="removed", removed_reason="not_entitled"))
    assert "It is not offered to us any more." in text_of(boss.read(link)) and "not_entitled" not in boss.page
    assert boss.get(f"/items/{acme.connection_id}/{uuid4()}").status_code == 404


def test_viewers_see_items_and_decide_nothing(acme: Consumer, boss: Visitor) -> None:
    (item_id,) = add(acme, {**WAITING})
    vera = signed_in(acme.app, "vera", "viewer")
    page = vera.read("/items")
    assert "Broadband" in text_of(page) and page.xpath("//main//form[@method='post']") == []
    for verb in ("activate", "deactivate"):
        assert vera.post(f"/items/{acme.connection_id}/{item_id}/{verb}").status_code == 403
    assert signed_in(acme.app, "ada", "requester").get("/items").status_code == 403
    assert item(acme, item_id).state == "pending_activation"


def test_before_the_first_offer_it_says_what_brings_one(acme: Consumer, boss: Visitor) -> None:
    page = boss.read("/items")
    assert "No provider offers us anything yet." in text_of(page)
    assert page.xpath("//main//a[@href='/connections']")
    add(acme, {})
    assert "No item fits" in text_of(boss.read("/items?q=nothing"))


def test_however_many_items_the_statements_are_the_same(acme: Consumer, boss: Visitor) -> None:
    counts = []
    for more in (1, 40):
        add(acme, *({"name": f"Item {number}"} for number in range(more)))
        with CountedStatements(acme.app) as counted:
            boss.read("/items")
        counts.append(counted.count)
    assert counts[0] == counts[1]


def test_no_version_is_missed_where_none_is_asked_for(acme: Consumer) -> None:
    boss = signed_in(acme.app, "boss", "admin")
    add(acme, {"name": "Plain", "compatibility": None}, {"name": "Newer", "compatibility": "99.0"})
    said = {
        text_of(row).partition(" ")[0]: "asks for version" in text_of(row)
        for row in boss.read("/items").cssselect("tbody tr")
    }
    assert said == {"Plain": False, "Newer": True}
