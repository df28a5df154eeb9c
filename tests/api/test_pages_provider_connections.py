"""The pages for Exchange admins: connections, what is done about them, and letting consumers in."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask
import pytest
from lxml import html
from sqlalchemy import func, select, update

from bridge.models import Connection, Lease
from bridge.outbox import record_event
from provider.models.access import AuditEntry, Registration
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import Callback, callback_server, connect, context_of, introduce, make_app
from tests.factories import NOW, make_connection, make_registration
from webkit.models import PageSession


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


@pytest.fixture
def admin(app: flask.Flask) -> Visitor:
    return signed_in(app, "eve", "exchange_admin")


@pytest.fixture
def callback() -> Iterator[Callback]:
    with callback_server() as server:
        yield server


def add_connection(app: flask.Flask, **columns: Any) -> str:
    with context_of(app).database.transaction() as session:
        return make_connection(session, **columns).id


def record(app: flask.Flask, connection_id: str, count: int = 1) -> None:
    with context_of(app).database.transaction() as session:
        for n in range(count):
            record_event(session, "toy/bear", "exchange.toy.changed", {"n": n}, to=[connection_id], now=NOW)


def connection_of(app: flask.Flask, connection_id: str) -> Connection:
    with context_of(app).database.reading() as session:
        return session.get_one(Connection, connection_id)


def press(visitor: Visitor, page: str, action: str, **data: str) -> Any:
    """What comes of a button on a page."""
    visitor.get(page)
    return visitor.post(action, data, headers={"Referer": f"http://localhost{page}"})


def names(page: Any) -> list[str]:
    return [row.text_content() for row in page.cssselect("tbody td:first-child")]


# --- the list


def test_an_empty_list_says_what_to_do_next(app: flask.Flask, admin: Visitor) -> None:
    assert "Register the first one" in text_of(admin.read("/connections"))
    assert "An Exchange admin registers" in text_of(signed_in(app, "vi", "viewer").read("/connections"))


def test_the_list_tells_how_each_connection_does(app: flask.Flask, admin: Visitor) -> None:
    ill, well = add_connection(app, name="Ill Ltd"), add_connection(app, name="Well Ltd")
    record(app, ill, 3)
    with context_of(app).database.transaction() as session:
        session.execute(
            update(Lease)
            .where(Lease.connection_id == ill)
            .values(failures=4, failing_since=NOW, last_error="it answers 500", last_success_at=NOW - timedelta(days=2))
        )
    rows = {text_of(row.cssselect("td")[0]): text_of(row) for row in admin.read("/connections").cssselect("tbody tr")}
    assert "Failed 4 times" in rows["Ill Ltd"]
    assert "it answers 500" in rows["Ill Ltd"]
    assert "2 days ago" in rows["Ill Ltd"]
    assert "Nothing is lost, and it is tried again and again." in rows["Ill Ltd"]
    assert " 3 " in rows["Ill Ltd"]
    assert rows["Well Ltd"].endswith("Well")
    assert well


def test_the_list_is_searched_filtered_sorted_and_paged(app: flask.Flask, admin: Visitor) -> None:
    for n in range(27):
        add_connection(app, name=f"Shop {n:02}", state="paused" if n % 9 == 0 else "active")
    record(app, add_connection(app, name="Busy"), 5)
    assert names(admin.read("/connections?q=shop+1"))[:2] == ["Shop 10", "Shop 11"]
    assert names(admin.read("/connections?state=paused")) == ["Shop 00", "Shop 09", "Shop 18"]
    assert names(admin.read("/connections?health=ill")) == ["Shop 00", "Shop 09", "Shop 18"]
    assert names(admin.read("/connections?sort=-waiting"))[0] == "Busy"
    assert names(admin.read("/connections?page=2")) == ["Shop 24", "Shop 25", "Shop 26"]
    assert "No connection fits this search" in text_of(admin.read("/connections?q=nowhere"))
    assert names(admin.read("/connections?q=%25")) == [], "what people type is no pattern"


def test_the_list_sorts_by_every_column_both_ways(app: flask.Flask, admin: Visitor) -> None:
    for n in range(3):
        record(app, add_connection(app, name=f"Shop {n}"), n)
    columns = admin.read("/connections").cssselect("thead a")
    assert len(columns) == 8
    for column in columns:
        page = admin.read(column.get("href"))
        assert len(names(page)) == 3
        (sorted_by,) = page.cssselect("th[aria-sort=ascending], th[aria-sort=descending]")
        assert text_of(sorted_by).split()[0] == text_of(column).split()[0]


def test_the_list_asks_the_database_the_same_number_of_times_for_many(app: flask.Flask, admin: Visitor) -> None:
    add_connection(app)
    with CountedStatements(app) as one:
        admin.read("/connections")
    for n in range(10):
        record(app, add_connection(app, name=f"Shop {n}"), n)
    with CountedStatements(app) as many:
        admin.read("/connections")
    assert many.count == one.count


# --- one connection


def test_a_connection_tells_who_it_is_and_what_waits(app: flask.Flask, admin: Visitor) -> None:
    connection_id = add_connection(app, name="ACME")
    record(app, connection_id, 2)
    page = admin.read(f"/connections/{connection_id}")
    text = text_of(page)
    assert "https://acme.example/exchange/events" in text
    assert "toy/bear 2 Toy changed Pending" in text
    assert len(page.cssselect("h1")) == 1


def test_a_connection_that_is_not_there_is_a_page_that_says_so(admin: Visitor) -> None:
    for key in ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "nonsense"):
        answer = admin.get(f"/connections/{key}")
        assert answer.status_code == 404
        assert answer.mimetype == "text/html"


def test_pausing_asks_why_and_resuming_ends_it(app: flask.Flask, admin: Visitor) -> None:
    connection_id = add_connection(app)
    url = f"/connections/{connection_id}/pause"
    assert "What happens meanwhile is kept" in text_of(admin.read(url))
    refused = admin.post(url, {"reason": "  "})
    assert refused.status_code == 422
    assert "Say why" in refused.get_data(as_text=True)
    assert connection_of(app, connection_id).state == "active"

    assert admin.post(url, {"reason": "they move house"}).status_code == 303
    page = text_of(admin.read(f"/connections/{connection_id}"))
    assert "they move house" in page
    assert "is paused" in page
    with context_of(app).database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "connection.move")).one()
    assert entry.actor == "user/eve"

    press(admin, f"/connections/{connection_id}", f"/connections/{connection_id}/resume")
    assert connection_of(app, connection_id).state == "active"


def test_a_move_that_its_state_forbids_is_refused_with_the_reason(app: flask.Flask, admin: Visitor) -> None:
    url = f"/connections/{add_connection(app)}"
    assert admin.read(url).cssselect("a[href$='/pause']")
    assert not admin.read(url).cssselect("form[action$='/resume']")
    press(admin, url, f"{url}/resume")
    assert admin.read(url).cssselect("main > .alert-danger")
    press(admin, f"{url}/revoke", f"{url}/revoke", reason="over")
    again = press(admin, f"{url}/pause", f"{url}/pause", reason="late")
    assert again.status_code == 422
    assert "late" in again.get_data(as_text=True), "what was typed stays"


def test_revoking_says_what_it_means_before_it_happens(app: flask.Flask, admin: Visitor) -> None:
    connection_id = add_connection(app)
    assert "for ever" in text_of(admin.read(f"/connections/{connection_id}/revoke"))
    assert connection_of(app, connection_id).state == "active"
    assert admin.post(f"/connections/{connection_id}/revoke", {"reason": "contract over"}).status_code == 303
    assert connection_of(app, connection_id).state == "revoked"
    page = admin.read(f"/connections/{connection_id}")
    assert not page.cssselect("#connection form, #connection a.btn"), "nothing can be done with it any more"


def test_whether_prices_are_told_is_a_setting_that_the_page_leads_to(app: flask.Flask, admin: Visitor) -> None:
    connection_id = add_connection(app)
    page, url = f"/connections/{connection_id}", f"/connections/{connection_id}/settings"
    assert "It is not told what items cost." in text_of(admin.read(page))
    assert admin.read(page).cssselect(f"a.btn[href='{url}']")
    press(admin, url, url, show_prices="1")
    assert "It is told what items cost." in text_of(admin.read(page))
    assert admin.read(url).cssselect("#show_prices[checked]")
    assert connection_of(app, connection_id).settings["show_prices"] is True
    press(admin, url, url)
    assert connection_of(app, connection_id).settings["show_prices"] is False


def test_settings_that_are_wrong_are_told_beside_their_fields_and_nothing_typed_is_lost(
    app: flask.Flask, admin: Visitor
) -> None:
    url = f"/connections/{add_connection(app)}/settings"
    admin.get(url)
    answer = admin.post(url, {"account": "A" * 121, "labels": "tier = gold\nsilver"})
    assert answer.status_code == 422
    page = html.fromstring(answer.get_data())
    labels, account = page.get_element_by_id("labels"), page.get_element_by_id("account")
    assert "“silver” is not a name, an equals sign and a value." in text_of(labels.getparent())
    assert "longer than 120" in text_of(account.getparent())
    assert (labels.text.strip(), account.get("value")) == ("tier = gold\nsilver", "A" * 121)


def test_a_test_event_says_whether_it_arrived(app: flask.Flask, admin: Visitor, callback: Callback) -> None:
    admission, _ = connect(app, callback)
    url = f"/connections/{admission['connection_id']}"
    press(admin, url, f"{url}/test-event")
    sent = callback.events[-1]
    assert sent["type"] == "exchange.connection.test"
    assert f"Test event {sent['id']} arrived" in text_of(admin.read(url))
    callback.mode = "error"
    press(admin, url, f"{url}/test-event")
    assert "did not arrive" in text_of(admin.read(url))


def test_without_the_permission_the_buttons_are_not_there_and_do_nothing(app: flask.Flask) -> None:
    connection_id = add_connection(app)
    viewer = signed_in(app, "vi", "viewer")
    page = viewer.read(f"/connections/{connection_id}")
    assert not page.cssselect("main form, main a.btn")
    for action in ("pause", "resume", "revoke", "settings", "test-event"):
        answer = viewer.post(f"/connections/{connection_id}/{action}", {"reason": "no"})
        assert answer.status_code == 403, action
    agent = signed_in(app, "al", "order_agent")
    answer = agent.get("/connections")
    assert answer.status_code == 403
    assert "vi (viewer)" in answer.get_data(as_text=True), "whom to ask"


# --- letting consumers in

ACME = {"company": "ACME", "contact_name": "Ada", "contact_email": "ada@acme.example"}


def token_on(visitor: Visitor, answer: Any) -> str:
    """Of the page that the answer leads to."""
    assert (answer.status_code, answer.location.rpartition("/")[2]) == (303, "token")
    return str(visitor.read(answer.location).cssselect("#token")[0].get("value"))


def test_a_registration_shows_its_token_once_with_what_to_tell_the_consumer(app: flask.Flask, admin: Visitor) -> None:
    admin.read("/registrations/new")
    answer = admin.post("/registrations/new", ACME)
    token, text = token_on(admin, answer), admin.page
    assert admin.client.get("/registrations").headers["Cache-Control"] == "no-store"
    assert "http://127.0.0.1:1<" in text, "the provider's address"
    assert "until 2026-11-22 09:00 UTC" in text
    assert "SXG_EGRESS_ALLOW" in text, "this provider is not public: what the consumer's operator has to do"
    for url in ("/registrations", "/registrations/REG0000001"):
        assert token not in admin.get(url).get_data(as_text=True)
    assert introduce(app.test_client(), token, "http://127.0.0.1:9/events").status_code == 201


def test_loading_the_page_of_a_token_again_neither_shows_it_nor_registers_again(
    app: flask.Flask, admin: Visitor
) -> None:
    admin.read("/registrations/new")
    shown_at = admin.post("/registrations/new", ACME).location
    with context_of(app).database.reading() as session:
        kept = " ".join(session.scalars(select(PageSession.data)))
    token = token_on(admin, admin.post("/registrations/new", ACME))
    assert admin.get("/registrations/REG0000002/token").location == "/registrations/REG0000002"
    assert "is kept nowhere" in text_of(admin.read("/registrations/REG0000002"))
    assert admin.get(shown_at).status_code == 303, "of another registration"
    assert "sxr_" not in kept and "sealed" in kept, "between the two pages it is encrypted"
    with context_of(app).database.reading() as session:
        after = " ".join(session.scalars(select(PageSession.data)))
        assert session.scalar(select(func.count()).select_from(Registration)) == 2
    assert "sealed" not in after and token not in after
    assert signed_in(app, "other", "admin").get(shown_at).status_code == 303


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("company", "", "required"),
        ("contact_email", "nobody", "not an e-mail"),
        ("base_url", "acme", "begins with https://"),
        ("base_url", "https://10.0.0.1/", "10.0.0.1"),
        ("callback_url", "https://other.example/events", "Is not below"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    app: flask.Flask, admin: Visitor, field: str, value: str, says: str
) -> None:
    admin.read("/registrations/new")
    answer = admin.post("/registrations/new", {**ACME, "base_url": "https://127.0.0.1/", field: value})
    page = html.fromstring(answer.get_data())
    assert answer.status_code == 422
    assert says in text_of(page.cssselect(f"#{field}")[0].getparent())
    assert page.cssselect("#contact_name")[0].get("value") == "Ada"
    with context_of(app).database.reading() as session:
        assert session.scalars(select(Registration)).all() == []


def test_a_lost_token_is_issued_anew_until_the_registration_is_closed(
    app: flask.Flask, admin: Visitor, callback: Callback
) -> None:
    admin.read("/registrations/new")
    first = token_on(admin, admin.post("/registrations/new", ACME))
    admin.read("/registrations/REG0000001")
    assert text_of(admin.read("/registrations/REG0000001").cssselect(".steps .now")[0]) == (
        "The consumer comes with its token"
    )
    second = token_on(admin, admin.post("/registrations/REG0000001/reissue"))
    client = app.test_client()
    assert introduce(client, first, callback.url).status_code == 401
    assert introduce(client, second, callback.url).status_code == 201
    with context_of(app).database.transaction() as session:
        session.execute(update(Registration).values(state="closed_complete", token_hash=None))
    page = admin.read("/registrations/REG0000001")
    assert not page.cssselect("form[action$='/reissue']")
    assert len(page.cssselect(".steps .done")) == 3
    press(admin, "/registrations/REG0000001", "/registrations/REG0000001/reissue")
    assert "is closed" in text_of(admin.read("/registrations/REG0000001"))


def test_the_list_says_at_which_step_each_stands_and_what_to_do(app: flask.Flask, admin: Visitor) -> None:
    with context_of(app).database.transaction() as session:
        make_registration(session, "Fresh")
        stuck, _ = make_registration(session, "Stuck")
        session.execute(update(Registration).where(Registration.id == stuck).values(problem="its callback is private"))
        late, _ = make_registration(session, "Late")
        session.execute(update(Registration).where(Registration.id == late).values(token_expires_at=NOW))
    rows = {text_of(row.cssselect("td")[1]): text_of(row) for row in admin.read("/registrations").cssselect("tbody tr")}
    assert "Hand the token over" in rows["Fresh"]
    assert "Its callback is private." in rows["Stuck"]
    assert "Have the consumer correct that" in rows["Stuck"]
    assert "The token expired before it was used." in rows["Late"]
    assert "Waits for the consumer" in rows["Fresh"]


def test_registrations_are_searched_filtered_and_sorted(app: flask.Flask, admin: Visitor) -> None:
    with context_of(app).database.transaction() as session:
        for company in ("Zeta", "alpha", "Beta"):
            make_registration(session, company)
        session.execute(update(Registration).where(Registration.company == "Beta").values(state="work_in_progress"))

    def companies(query: str) -> list[str]:
        return [text_of(cell) for cell in admin.read(f"/registrations?{query}").cssselect("tbody td:nth-child(2)")]

    assert companies("") == ["Beta", "alpha", "Zeta"]
    assert companies("sort=company") == ["alpha", "Beta", "Zeta"]
    assert companies("sort=-step") == ["Beta", "alpha", "Zeta"]
    assert companies("state=work_in_progress") == ["Beta"]
    assert companies("q=ALP") == ["alpha"]


def test_viewers_see_registrations_but_make_none(app: flask.Flask) -> None:
    viewer = signed_in(app, "vi", "viewer")
    assert "An Exchange admin registers the first one" in text_of(viewer.read("/registrations"))
    assert viewer.get("/registrations/new").status_code == 403
