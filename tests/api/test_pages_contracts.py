"""Contracts on pages: written with lines, activated, changed and canceled, and chosen as a condition of an item."""

from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
from lxml import html

from bridge.database import Database
from provider.services.contracts import show_contract
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.contract_factories import PO_LINE, make_contract
from tests.factories import import_small_catalog, make_connection

WRITTEN = {
    "name": "Gold support", "starts_on": "2026-01-01", "ends_on": "2027-12-31",
    "lines-0-subject": "offering:po-line", "lines-0-quantity": "25", "lines-1-subject": "", "lines-1-quantity": "",
}  # fmt: skip


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


@pytest.fixture
def acme(database: Database) -> str:
    with database.transaction() as session:
        import_small_catalog(session)
        return make_connection(session).id


@pytest.fixture
def manager(app: flask.Flask) -> Visitor:
    return signed_in(app, "mia", "order_manager")


def test_a_contract_is_written_activated_and_canceled(manager: Visitor, database: Database, acme: str) -> None:
    page = manager.read("/contracts/new")
    assert page.xpath(f"//option[@value='connection_id:{acme}']/text()") == ["ACME IT"]
    answer = manager.post("/contracts/new", WRITTEN | {"holder": f"connection_id:{acme}"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/contracts/CON0000001")
    shown = text_of(manager.read("/contracts/CON0000001"))
    assert "Draft" in shown
    assert "Business LineOffering25" in shown
    assert manager.post("/contracts/CON0000001/activate").status_code == 303
    assert "Active" in text_of(manager.read("/contracts/CON0000001"))
    manager.read("/contracts/CON0000001/cancel")
    assert manager.post("/contracts/CON0000001/cancel", {"reason": " "}).status_code == 422
    assert manager.post("/contracts/CON0000001/cancel", {"reason": "Sold."}).status_code == 303
    shown = text_of(manager.read("/contracts/CON0000001"))
    assert "Cancelled" in shown
    assert "Sold." in shown
    assert not manager.read("/contracts/CON0000001").xpath("//a[text()='Edit']")


def test_what_is_wrong_stands_beside_the_field_and_what_was_typed_stays(manager: Visitor, acme: str) -> None:
    manager.read("/contracts/new")
    wrong = WRITTEN | {"ends_on": "2025-12-31", "holder": f"connection_id:{acme}", "lines-1-quantity": "many"}
    for changes, message in (
        (wrong, "Not a valid integer value."),
        (wrong | {"lines-1-quantity": ""}, "The last day is before the first."),
        (WRITTEN | {"holder": ""}, "Choose with whom it is."),
        (WRITTEN | {"holder": "connection_id:nobody"}, "There is no connection nobody."),
    ):
        answer = manager.post("/contracts/new", changes)
        assert answer.status_code == 422
        page = html.fromstring(answer.get_data())
        assert message in text_of(page)
        assert page.xpath("//input[@name='name']/@value") == ["Gold support"]
        assert page.xpath("//select[@name='lines-0-subject']/option[@selected]/@value") == ["offering:po-line"]


def test_more_lines_are_given_without_saving(manager: Visitor, database: Database, acme: str) -> None:
    manager.read("/contracts/new")
    page = html.fromstring(manager.post("/contracts/new", WRITTEN | {"more": "1"}).get_data())
    assert len(page.xpath("//select[contains(@name, '-subject')]")) == 5
    assert "No contracts yet." in text_of(manager.read("/contracts"))


def test_of_one_in_force_only_name_and_last_day_are_asked(manager: Visitor, database: Database, acme: str) -> None:
    with database.transaction() as session:
        number = make_contract(session, acme, lines=[PO_LINE]).number
    page = manager.read(f"/contracts/{number}/edit")
    assert page.xpath("//main//input[@type!='hidden']/@name") == ["name", "ends_on"]
    assert manager.post(f"/contracts/{number}/edit", {"name": "Gold", "ends_on": "2030-01-01"}).status_code == 303
    with database.reading() as session:
        shown = show_contract(session, number)
    assert (shown["name"], str(shown["ends_on"]), len(shown["lines"])) == ("Gold", "2030-01-01", 1)


def test_a_draft_is_changed_with_its_lines(manager: Visitor, database: Database, acme: str) -> None:
    with database.transaction() as session:
        number = make_contract(session, acme, is_active=False, lines=[PO_LINE]).number
    page = manager.read(f"/contracts/{number}/edit")
    assert page.xpath("//input[@name='lines-0-quantity']/@value") == ["25"]
    changed = WRITTEN | {"holder": f"connection_id:{acme}", "lines-0-subject": "specification:ps-line"}
    assert manager.post(f"/contracts/{number}/edit", changed).status_code == 303
    with database.reading() as session:
        assert [line["specification"] for line in show_contract(session, number)["lines"]] == ["ps-line"]


def test_who_may_only_read_sees_no_buttons_and_is_refused(app: flask.Flask, database: Database, acme: str) -> None:
    with database.transaction() as session:
        number = make_contract(session, acme, is_active=False).number
    viewer = signed_in(app, "vera", "viewer")
    assert not viewer.read(f"/contracts/{number}").xpath("//main//form | //main//a[text()='Edit']")
    assert viewer.get("/contracts/new").status_code == 403
    assert viewer.post(f"/contracts/{number}/activate").status_code == 403


def test_the_list_takes_as_many_statements_for_many_contracts(
    app: flask.Flask, manager: Visitor, database: Database, acme: str
) -> None:
    counts = []
    for _ in range(2):
        with database.transaction() as session:
            for number in range(5):
                make_contract(session, acme if number % 2 else None, **({} if number % 2 else {"company": "B"}))
        with CountedStatements(app) as counted:
            assert len(manager.read("/contracts?q=Gold").xpath("//tbody/tr")) >= 5
        counts.append(counted.count)
    assert counts[0] == counts[1]


def test_an_item_is_published_to_those_with_a_contract(app: flask.Flask, database: Database, acme: str) -> None:
    with database.transaction() as session:
        make_contract(session, acme, lines=[PO_LINE])
        identity = import_small_catalog(session).identity
    admin = signed_in(app, "ada", "exchange_admin")
    admin.read(f"/producers/{identity}/publish")
    chosen = {"criteria": "fitting", "contracts": "Gold support", "contract_offerings": "po-line"}
    assert admin.post(f"/producers/{identity}/publish", chosen).status_code == 303
    assert "have a contract in force named Gold support for Business Line" in text_of(
        admin.read(f"/producers/{identity}")
    )
    page = admin.read(f"/producers/{identity}/publish")
    for name, value in (("contracts", "Gold support"), ("contract_offerings", "po-line")):
        assert page.xpath(f"//input[@name='{name}' and @checked]/@value") == [value]
    assert admin.post(f"/producers/{identity}/publish", {"criteria": "fitting", "contracts": "*"}).status_code == 303
    assert "only consumers that have a contract in force" in text_of(admin.read(f"/producers/{identity}"))
    page = admin.read(f"/producers/{identity}/publish")
    assert page.xpath("//input[@name='contracts' and @checked]/@value") == ["*"]
