"""What provider's pages say before, beside and after what people do, so that nobody has to ask."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from sqlalchemy import select

from bridge.issues import Finding, list_issues, note_finding
from bridge.models import Connection
from provider.models.catalog import ProductOffering, RemoteRecordProducer
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.api.test_pages_entitlements import publish
from tests.factories import NOW, import_small_catalog, make_order
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
    """A draft; ACME is there."""
    with context_of(app).database.transaction() as session:
        make_company(session, "ACME")
        return import_small_catalog(session).identity


def id_of(app: flask.Flask, column: Any, *conditions: Any) -> str:
    with context_of(app).database.reading() as session:
        return str(session.scalars(select(column).where(*conditions)).first())


def said(page: Any) -> str:
    (flash,) = page.cssselect("main > .alert-success")
    return text_of(flash)


def test_all_that_was_saved_of_a_connection_is_said_and_what_it_gained_and_lost(
    app: flask.Flask, admin: Visitor, item: str
) -> None:
    publish(admin, item, criteria="fitting", labels="tier = gold")
    url = f"/connections/{id_of(app, Connection.id)}"

    def save(**settings: str) -> str:
        admin.read(url)
        admin.post(f"{url}/settings", settings, headers={"Referer": f"http://localhost{url}"})
        return said(admin.read(url))

    assert save(labels="tier = gold", account="", show_prices="1") == (
        "Prices are told from now on. Labels saved. ACME IT gains Business Line."
    )
    assert save(labels="tier = gold", account="A-7", show_prices="1") == "Account saved."
    assert save(labels="", account="A-7", show_prices="1") == "Labels saved. ACME IT has lost Business Line."
    assert save(labels="", account="A-7", show_prices="1") == "Nothing was changed."


def test_once_resumed_a_connection_has_no_issue_of_its_pause(app: flask.Flask, admin: Visitor, item: str) -> None:
    connection_id = id_of(app, Connection.id)
    admin.read(f"/connections/{connection_id}/pause")
    admin.post(f"/connections/{connection_id}/pause", {"reason": "they move house"})
    with context_of(app).database.transaction() as session:
        note_finding(session, Finding(connection_id, "paused", "paused by people"), now=NOW)
        note_finding(session, Finding(connection_id, "parked", "one is parked"), now=NOW)
    page = admin.read(f"/connections/{connection_id}")
    assert "1 time " in text_of(page)
    admin.post(f"/connections/{connection_id}/resume")
    with context_of(app).database.reading() as session:
        assert [one.issue.kind for one in list_issues(session)[0]] == ["parked"]


def test_changing_both_secrets_asks_first(app: flask.Flask, admin: Visitor, item: str) -> None:
    (form,) = admin.read(f"/connections/{id_of(app, Connection.id)}").cssselect("form[action$='/rotate']")
    assert "Change both secrets of ACME IT?" in form.get("data-confirm")


def test_where_prices_stand_it_is_said_which_consumers_see_them(app: flask.Flask, admin: Visitor, item: str) -> None:
    offering = id_of(app, ProductOffering.id, ProductOffering.external_id == "po-line")
    for url in (f"/catalog/offerings/{offering}", f"/producers/{item}"):
        (link,) = admin.read(url).xpath("//p[contains(., 'A consumer sees prices only')]/a")
        assert link.get("href") == "/connections"


def test_the_inventory_says_what_it_is_for_and_the_form_leads_back(app: flask.Flask, admin: Visitor, item: str) -> None:
    inventory = id_of(app, RemoteRecordProducer.identity, RemoteRecordProducer.kind == "inventory")
    assert "Only once it is published here, and activated there" in text_of(admin.read(f"/producers/{inventory}"))
    assert "with it, consumers can change their products" in text_of(admin.read("/producers"))
    for one in (item, inventory):
        assert admin.read(f"/producers/{one}/form").xpath(f"//main//a[@href='/producers/{one}']")


def test_typed_text_is_not_replaced_by_the_example_unasked(app: flask.Flask) -> None:
    manager = signed_in(app, "ada", "catalog_manager")
    (link,) = manager.read("/catalog/import").xpath("//a[contains(., 'Put in an example')]")
    assert link.get("data-leaves")
    answer = manager.post("/catalog/import", {"text": '{"productOffering": [{}]}'}).get_data(as_text=True)
    assert "Put in an example" not in answer
    assert "What is wrong there" in answer and "isBundle" in answer and "serviceSpecification" in answer


def test_what_has_to_be_filled_in_is_marked_and_the_token_can_be_copied(admin: Visitor) -> None:
    page = admin.read("/registrations/new")
    assert [one.text.strip() for one in page.cssselect("main form .required > label")] == [
        "Company", "Contact person", "E-mail of the contact person",
    ]  # fmt: skip
    made = admin.post(
        "/registrations/new", {"company": "ACME", "contact_name": "Bo", "contact_email": "bo@acme.example"}
    )
    assert admin.read(made.location).cssselect("button[data-copy=token]")
    again = admin.get(made.location)
    assert "It was shown once" in text_of(admin.read(again.location).cssselect("#registration")[0])


def test_the_first_steps_end_with_a_word_once(app: flask.Flask, admin: Visitor) -> None:
    assert "First steps" in text_of(admin.read("/"))
    ordered = make_order(context_of(app).database, approved=True)
    assert "First steps" in text_of(admin.read("/"))
    fred = signed_in(app, "fred", "fulfilment_agent")
    for task in ("TASK0000001", "TASK0000002"):
        fred.read(f"/tasks/{task}")
        fred.post(f"/tasks/{task}/move/closed_complete")
    live = admin.get("/", headers={"X-Live": "1"}).get_data(as_text=True)
    assert "All first steps are done." in live, ordered
    assert "All first steps are done." in text_of(admin.read("/"))
    assert "All first steps are done." not in text_of(admin.read("/"))


def test_deliveries_and_the_flow_use_the_same_words(app: flask.Flask, admin: Visitor) -> None:
    make_order(context_of(app).database)
    for url in ("/deliveries", "/flow"):
        page = text_of(admin.read(url))
        assert "Provider task state changed" in page and "provider_task.state_changed" not in page
