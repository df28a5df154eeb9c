"""Contracts live by people and by dates, and whom items are for follows them within seconds."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.database import Database
from provider.domain.errors import Conflict, IllegalMove, InvalidFields, NotFound
from provider.models.access import Registration
from provider.models.catalog import Entitlement
from provider.models.criteria import EntitlementCheck
from provider.services.contract_search import list_contract_names, list_holders, list_subjects, search_contracts
from provider.services.contracts import (
    activate_contract,
    cancel_contract,
    create_contract,
    edit_contract,
    keep_dates,
    show_contract,
)
from provider.services.entitlement_checks import refresh_due
from provider.services.entitlement_explanations import explain_entitlement, preview_entitlements
from provider.services.producers import publish_producer
from tests.contract_factories import make_contract
from tests.factories import AGENT, NOW, import_small_catalog, make_connection, make_registration, provider_database

DAY = timedelta(days=1)
TODAY = NOW.date()
HAS_ONE = {"contracts": {}}
FOR_LINE = {"contracts": {"names": ["Gold support"], "offerings": ["po-line"]}}
LINE = {"lines": [{"offering": "po-line", "quantity": 25}]}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


def entitled(session: Session, identity: str) -> set[str]:
    query = select(Entitlement.connection_id).where(Entitlement.identity == identity, Entitlement.entitled)
    return set(session.scalars(query))


def sweep(database: Database, now: Any = NOW) -> None:
    """What the sweeper does every few seconds."""
    keep_dates(database.reading, database.transaction, now=now)
    with database.transaction() as session:
        refresh_due(session, now)


def settled(session: Session) -> None:
    """The night's work is done, so that what follows comes from changes alone."""
    refresh_due(session, NOW)


def test_a_contract_goes_from_draft_over_active_to_expired_by_its_dates(database: Database) -> None:
    with database.transaction() as session:
        acme = make_connection(session).id
        number = make_contract(session, acme, is_active=False, starts_on=TODAY + DAY, ends_on=TODAY + 2 * DAY).number
    sweep(database, NOW + DAY)
    with database.transaction() as session:
        assert show_contract(session, number)["state"] == "draft"  # nobody activated it
        assert activate_contract(session, number, AGENT, NOW).state == "draft"
        assert show_contract(session, number)["awaits_start"] is True
    for days, state in ((0, "draft"), (1, "active"), (2, "active"), (3, "expired")):
        sweep(database, NOW + days * DAY)
        with database.reading() as session:
            assert show_contract(session, number)["state"] == state


def test_criteria_follow_a_contract_within_seconds(database: Database) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        acme, bolt = make_connection(session).id, make_connection(session, name="Bolt").id
        publish_producer(session, identity, FOR_LINE, AGENT, NOW)
        settled(session)
        assert entitled(session, identity) == set()
        make_contract(session, bolt, name="Silver support", **LINE)
        make_contract(session, acme)  # of the name, but not for the line
    sweep(database)
    with database.transaction() as session:
        assert entitled(session, identity) == set()
        number = make_contract(session, acme, ends_on=TODAY + DAY, **LINE).number
    sweep(database)
    with database.transaction() as session:
        assert entitled(session, identity) == {acme}
        edit_contract(session, number, {"name": "Bronze support"}, AGENT, NOW)
    sweep(database)
    with database.transaction() as session:
        assert entitled(session, identity) == set()
        edit_contract(session, number, {"name": "Gold support"}, AGENT, NOW)
    sweep(database)
    with database.reading() as session:
        assert entitled(session, identity) == {acme}
    sweep(database, NOW + 2 * DAY)
    with database.reading() as session:
        assert entitled(session, identity) == set()


def test_a_canceled_contract_takes_the_item_away_and_a_draft_that_is_thrown_away_asks_for_nothing(
    database: Database,
) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        acme = make_connection(session).id
        publish_producer(session, identity, HAS_ONE, AGENT, NOW)
        settled(session)
        draft, agreed = make_contract(session, acme, is_active=False), make_contract(session, acme)
        refresh_due(session, NOW)
        assert entitled(session, identity) == {acme}
        cancel_contract(session, draft.number, "Not signed.", AGENT, NOW)
        assert session.scalars(select(EntitlementCheck.id)).all() == []
        cancel_contract(session, agreed.number, "Sold.", AGENT, NOW)
        assert session.scalars(select(EntitlementCheck.reason)).all() == ["contract"]
        refresh_due(session, NOW)
        assert entitled(session, identity) == set()


def test_a_contract_of_a_company_or_an_account_is_one_of_all_their_connections(database: Database) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        first, second, third, _ = (make_connection(session, name=f"C{number}") for number in range(4))
        for one in (first, second):
            registration_id, _ = make_registration(session, "ACME")
            session.get_one(Registration, registration_id).connection_id = one.id
        third.settings = {"account": "A-7"}
        publish_producer(session, identity, HAS_ONE, AGENT, NOW)
        settled(session)
        make_contract(session, None, company="ACME")
        refresh_due(session, NOW)
        assert entitled(session, identity) == {first.id, second.id}
        make_contract(session, None, account="A-7")
        refresh_due(session, NOW)
        assert entitled(session, identity) == {first.id, second.id, third.id}


def test_the_explanation_and_the_dry_run_know_contracts(database: Database) -> None:
    with database.transaction() as session:
        identity = import_small_catalog(session).identity
        acme = make_connection(session).id
        publish_producer(session, identity, FOR_LINE, AGENT, NOW)
        contract = make_contract(session, acme)
        told = explain_entitlement(session, acme, identity)["criteria"][0]
        assert told["words"] == "Have a contract in force named Gold support for Business Line"
        assert told["looked_at"] == f"it has no such contract in force; it has {contract.number} (Gold support)"
        found = preview_entitlements(session, NOW, identity, HAS_ONE)
        assert [one["connection_id"] for one in found[0]["added"]] == [acme]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"connection_id": None}, "/connection_id", "holder"),
        ({"company": "ACME"}, "/company", "holder"),
        ({"connection_id": "no id"}, "/connection_id", "unknown"),
        ({"connection_id": "5b0c0f6e-6f0c-4d0e-9e55-6a1d9b8e2f10"}, "/connection_id", "unknown"),
        ({"ends_on": TODAY - DAY}, "/ends_on", "range"),
        ({"lines": [{"offering": "po-line"}, {}]}, "/lines/1", "subject"),
        ({"lines": [{"offering": "po-line", "specification": "ps-line"}]}, "/lines/0", "subject"),
        ({"lines": [{"offering": "po-moon"}]}, "/lines/0/offering", "unknown"),
        ({"lines": [{"specification": "po-line"}]}, "/lines/0/specification", "unknown"),
        ({"lines": [{"offering": "po-line"}] * 201}, "/lines", "too_many"),
    ],
)
def test_what_cannot_be_agreed_is_pointed_at(
    database: Database, changes: dict[str, Any], pointer: str, code: str
) -> None:
    with database.transaction() as session:
        import_small_catalog(session)
        said = {"name": "Gold", "connection_id": make_connection(session).id, "starts_on": TODAY, **changes}
        with pytest.raises(InvalidFields) as refused:
            create_contract(session, said, AGENT, NOW)
        assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [(pointer, code)]


def test_what_people_have_agreed_on_changes_only_in_name_and_last_day(database: Database) -> None:
    with database.transaction() as session:
        number = make_contract(session, make_connection(session).id).number
        with pytest.raises(Conflict) as refused:
            edit_contract(session, number, {"starts_on": TODAY, "lines": []}, AGENT, NOW)
        assert refused.value.code == "contract_signed"
        with pytest.raises(InvalidFields):
            edit_contract(session, number, {"ends_on": TODAY - DAY}, AGENT, NOW)
        assert edit_contract(session, number, {"name": "Gold", "ends_on": TODAY}, AGENT, NOW).state == "active"


def test_what_has_ended_stays_as_it_is(database: Database) -> None:
    with database.transaction() as session:
        acme = make_connection(session).id
        number = make_contract(session, acme).number
        cancel_contract(session, number, "Sold.", AGENT, NOW)
        with pytest.raises(Conflict):
            edit_contract(session, number, {"name": "Anew"}, AGENT, NOW)
        for act in (lambda: activate_contract(session, number, AGENT, NOW),
                    lambda: cancel_contract(session, number, "Again.", AGENT, NOW)):  # fmt: skip
            with pytest.raises(IllegalMove):
                act()
        over = make_contract(session, acme, is_active=False, starts_on=date(2020, 1, 1), ends_on=date(2020, 12, 31))
        with pytest.raises(Conflict):
            activate_contract(session, over.number, AGENT, NOW)
        with pytest.raises(NotFound):
            show_contract(session, "CON9999999")


def test_contracts_are_found_by_number_name_and_whom_they_are_with(database: Database) -> None:
    with database.transaction() as session:
        import_small_catalog(session)
        acme = make_connection(session)
        first = make_contract(session, acme.id, **LINE)
        second = make_contract(session, None, company="Bolt", name="Silver", is_active=False)
        for text, wanted in (("ACME", [first]), ("silver", [second]), (second.number, [second]), ("moon", [])):
            rows, total = search_contracts(session, text=text)
            assert ([row["number"] for row in rows], total) == ([one.number for one in wanted], len(wanted))
        for sort in ("number", "name", "holder", "state", "starts", "ends"):
            rows, total = search_contracts(session, sort=sort, descending=True, limit=1)
            assert (len(rows), total) == (1, 2)
        assert [row["number"] for row in search_contracts(session, state="draft")[0]] == [second.number]
        assert list_holders(session)["connection_id"] == [(acme.id, "ACME IT")]
        assert ("offering:po-line", "Business Line") in list_subjects(session)
        assert list_contract_names(session) == ["Gold support", "Silver"]
