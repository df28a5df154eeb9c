"""At the consumer: who may order what asks for personas, what the provider is told of them, and what it decides."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from bridge.forms import FormErrors
from bridge.models import Connection
from bridge.vocabulary import EventType
from consumer_sim.models import CatalogItem, ProviderConnection, ProviderTask, User
from consumer_sim.models_personas import AuthorisedUser, Persona
from consumer_sim.services import authorised_users, catalog, connections, groups, requests, users
from consumer_sim.services.catalog_search import search_catalog
from consumer_sim.services.errors import LimitReached, NotAuthorised
from tests.consumer_factories import (
    ANSWERS,
    NOW,
    Consumer,
    PlayedProvider,
    connected_consumer,
    counted_statements,
    event,
    item_changed,
    played_provider,
    problem,
    rows,
)
from tests.factories import at_once

BUYER, SELLER = str(uuid4()), str(uuid4())
TELLING = "/authorised-users"


@pytest.fixture
def provider() -> Iterator[PlayedProvider]:
    with played_provider() as one:
        yield one


@pytest.fixture
def acme(database_url: str, tmp_path: Path, provider: PlayedProvider) -> Iterator[Consumer]:
    with connected_consumer(database_url, tmp_path, peer_url=provider.url) as one:
        with one.context.database.transaction() as session:
            users.add_user(session, "ada", ["requester"])
        yield one


def personas(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"persona_id": key, "name": name, "description": ""} for key, name in pairs]


def offer(acme: Consumer, *pairs: tuple[str, str], item_id: str = "", sequence: int = 1, revision: int = 1) -> str:
    """An item that asks for these personas, active."""
    item_id = item_id or str(uuid4())
    told = {"personas": personas(*pairs)} if pairs else {}
    assert acme.verdicts([item_changed(item_id, sequence, revision=revision, **told)]) == ["applied"]
    with acme.context.database.transaction() as session:
        catalog.activate_item(session, catalog.get_item(session, item_id), now=NOW)
    return item_id


def user_id(session: Session, name: str = "ada") -> str:
    return users.find_user(session, name).id  # type: ignore[union-attr]


def name_user(acme: Consumer, *persona_ids: str, name: str = "ada") -> AuthorisedUser:
    with acme.context.database.transaction() as session:
        return authorised_users.name_user(
            session, acme.connection_id, user_id(session, name), list(persona_ids), now=NOW
        )


def decide(acme: Consumer, user: AuthorisedUser, sequence: int, approval: str, *approved: str, **more: Any) -> None:
    data = {"authorised_user_id": user.id, "revision": user.revision or 1, "approval": approval,
            "approved_persona_ids": list(approved), "reason": None, **more}  # fmt: skip
    kind = EventType.AUTHORISED_USER_CHANGED
    assert acme.verdicts([event(kind, f"authorised_user/{user.id}", sequence, data)]) == ["applied"]


def ask(acme: Consumer, item_id: str, name: str = "ada") -> ProviderTask:
    with acme.context.database.transaction() as session:
        item = catalog.get_item(session, item_id)
        return requests.submit_request(session, item, ANSWERS, {"name": name}, now=NOW)


def shown(acme: Consumer, name: str = "ada") -> set[str]:
    place: Any = {"sort": "name", "descending": False, "offset": 0, "limit": 50}
    with acme.context.database.reading() as session:
        offers, _ = search_catalog(session, text="", category=None, connection_id=None, name=name, **place)
    return {one.item.id for one in offers}


def drain(acme: Consumer) -> None:
    acme.station().drain(acme.connection_id)


# --- who may order


def test_an_item_with_personas_is_shown_to_those_and_ordered_by_those_who_hold_one(
    acme: Consumer, provider: PlayedProvider
) -> None:
    guarded, open_to_all = offer(acme, (BUYER, "Buyer"), (SELLER, "Seller")), offer(acme)
    assert shown(acme) == {open_to_all}
    user = name_user(acme, SELLER)
    with pytest.raises(NotAuthorised, match="Buyer or Seller"):
        ask(acme, guarded)  # named, and not approved yet
    decide(acme, user, 1, "approved", SELLER)
    assert shown(acme) == {open_to_all, guarded}
    ask(acme, guarded)
    ask(acme, open_to_all)
    drain(acme)
    by = [call.body["requested_by"] for call in provider.calls_to("/provider-tasks")]
    assert {"name": "ada", "authorised_user_id": user.id} in by
    assert {"name": "ada"} in by


@pytest.mark.parametrize("why", ["refused", "inactive", "another persona", "blocked", "a stranger"])
def test_whoever_holds_none_now_does_not_order(acme: Consumer, why: str) -> None:
    guarded = offer(acme, (BUYER, "Buyer"))
    offer(acme, (SELLER, "Seller"))
    user = name_user(acme, SELLER if why == "another persona" else BUYER)
    decide(acme, user, 1, "approved", BUYER, SELLER)
    if why == "refused":
        decide(acme, user, 2, "refused", reason="Left.")
    with acme.context.database.transaction() as session:
        if why == "inactive":
            row = authorised_users.get_user(session, acme.connection_id, user.id, lock=True)
            authorised_users.set_active(session, row, False, now=NOW)
        if why == "blocked":
            session.get_one(User, user.user_id).active = False
    name = "mallory" if why == "a stranger" else "ada"
    assert guarded not in shown(acme, name)
    with pytest.raises(NotAuthorised):
        ask(acme, guarded, name)


def test_personas_count_in_the_revision_that_is_active(acme: Consumer) -> None:
    item_id = offer(acme)
    acme.verdicts([item_changed(item_id, 2, revision=2, personas=personas((BUYER, "Buyer")))])
    ask(acme, item_id)
    with acme.context.database.transaction() as session:
        catalog.activate_item(session, catalog.get_item(session, item_id), now=NOW)
    with pytest.raises(NotAuthorised):
        ask(acme, item_id)
    offer(acme, item_id=item_id, sequence=3, revision=3)
    ask(acme, item_id)


def test_a_persona_is_known_by_its_newest_name_and_items_without_any_cost_nothing(acme: Consumer) -> None:
    item_id = offer(acme, (BUYER, "Buyer"))
    acme.verdicts([item_changed(item_id, 2, personas=personas((BUYER, "Mobile buyer")))])
    assert [(one.id, one.name) for one in rows(acme, Persona)] == [(BUYER, "Mobile buyer")]
    with counted_statements(acme) as seen:
        acme.verdicts([item_changed(str(uuid4()), 1)])
    assert not [statement for statement in seen if "personas (" in statement.lower() and "insert" in statement.lower()
                and "catalog_items" not in statement]  # fmt: skip


def test_a_malformed_persona_is_rejected_with_its_pointer(acme: Consumer) -> None:
    answer = acme.post([item_changed(str(uuid4()), 1, personas=[{"persona_id": "x"}])])
    verdict = answer.json["verdicts"][0]
    assert (verdict["verdict"], verdict["fields"][0]["pointer"]) == ("rejected", "/data/personas")


# --- what the provider is told


def test_what_is_new_of_a_user_is_told_once_with_a_higher_revision(acme: Consumer, provider: PlayedProvider) -> None:
    offer(acme, (BUYER, "Buyer"), (SELLER, "Seller"))
    user = name_user(acme, BUYER)
    name_user(acme, BUYER)
    name_user(acme, BUYER, SELLER)
    drain(acme)
    told = [call.body for call in provider.calls_to(TELLING)]
    base = {"id": user.id, "name": "ada", "groups": [], "active": True}
    assert told == [
        {**base, "revision": 1, "persona_ids": [BUYER]},
        {**base, "revision": 2, "persona_ids": sorted([BUYER, SELLER])},
    ]
    assert [(row.sent, row.problem) for row in rows(acme, AuthorisedUser)] == [("accepted", None)]


def test_unknown_personas_and_users_without_any_are_refused(acme: Consumer) -> None:
    offer(acme, (BUYER, "Buyer"))
    for wrong in ([], [BUYER, str(uuid4())]):
        with pytest.raises(FormErrors, match="/persona_ids"):
            name_user(acme, *wrong)
    assert rows(acme, AuthorisedUser) == []


def test_members_hold_what_their_group_holds_as_long_as_they_are_in_it(
    acme: Consumer, provider: PlayedProvider
) -> None:
    guarded = offer(acme, (BUYER, "Buyer"))
    with acme.context.database.transaction() as session:
        ada, bob = user_id(session), users.add_user(session, "bob", ["requester"]).id
        group = groups.create_group(session, "Field service", now=NOW).id
        groups.set_members(session, group, [ada, bob], now=NOW)
        groups.set_group_personas(session, group, acme.connection_id, [BUYER], now=NOW)
    ada_row, bob_row = sorted(rows(acme, AuthorisedUser), key=lambda row: row.user_id != ada)
    for row in (ada_row, bob_row):
        decide(acme, row, 1, "approved", BUYER)
    ask(acme, guarded, "bob")
    with acme.context.database.transaction() as session:
        groups.set_members(session, group, [ada], now=NOW)
    with pytest.raises(NotAuthorised):
        ask(acme, guarded, "bob")
    ask(acme, guarded, "ada")
    with acme.context.database.transaction() as session:
        groups.delete_group(session, group, now=NOW)
    with pytest.raises(NotAuthorised):
        ask(acme, guarded, "ada")
    drain(acme)
    told = [(c.body["id"], c.body["groups"], c.body["active"]) for c in provider.calls_to(TELLING)]
    assert sorted(told) == sorted(
        [(row.id, groups_, active) for row in (ada_row, bob_row) for groups_, active in
         ((["Field service"], True), ([], False))]
    )  # fmt: skip


def test_no_more_users_are_named_than_the_provider_lets_be(acme: Consumer, provider: PlayedProvider) -> None:
    offer(acme, (BUYER, "Buyer"))
    data = {"connection_id": acme.connection_id, "authorised_user_limit": 1}
    kind = EventType.CONNECTION_SETTINGS_CHANGED
    assert acme.verdicts([event(kind, f"connection/{acme.connection_id}", 1, data)]) == ["applied"]
    assert [link.authorised_user_limit for link in rows(acme, ProviderConnection)] == [1]
    with acme.context.database.transaction() as session:
        bob = users.add_user(session, "bob", ["requester"]).id
    name_user(acme, BUYER)
    with pytest.raises(LimitReached, match="lets 1 users"):
        name_user(acme, BUYER, name="bob")
    with acme.context.database.transaction() as session:
        group = groups.create_group(session, "Field service", now=NOW).id
        groups.set_members(session, group, [bob], now=NOW)
    with pytest.raises(LimitReached), acme.context.database.transaction() as session:
        groups.set_group_personas(session, group, acme.connection_id, [BUYER], now=NOW)
    assert [row.user_id == bob for row in rows(acme, AuthorisedUser)] == [False]


def test_a_refused_user_is_shown_with_the_reason_and_told_again(acme: Consumer, provider: PlayedProvider) -> None:
    offer(acme, (BUYER, "Buyer"))
    provider.script[TELLING] = [problem(409, "authorised_user_limit", limit=0), None]
    user = name_user(acme, BUYER)
    drain(acme)
    (row,) = rows(acme, AuthorisedUser)
    assert (row.sent, row.problem) == ("refused", "because of authorised_user_limit")
    provider.script.clear()
    with acme.context.database.transaction() as session:
        again = authorised_users.get_user(session, acme.connection_id, user.id, lock=True)
        authorised_users.tell_again(session, again, now=NOW)
    drain(acme)
    (row,) = rows(acme, AuthorisedUser)
    assert (row.sent, row.problem, row.revision) == ("accepted", None, 2)


def test_a_provider_that_knows_more_of_a_user_is_told_with_a_higher_revision(
    acme: Consumer, provider: PlayedProvider
) -> None:
    offer(acme, (BUYER, "Buyer"))
    provider.script[TELLING] = [problem(409, "revision_superseded", revision=7)]
    name_user(acme, BUYER)
    drain(acme)
    drain(acme)
    assert [call.body["revision"] for call in provider.calls_to(TELLING)] == [1, 8]
    assert [row.sent for row in rows(acme, AuthorisedUser)] == ["accepted"]


def test_users_are_restored_from_what_the_provider_knows(acme: Consumer) -> None:
    guarded = offer(acme, (BUYER, "Buyer"))
    known = {"authorised_user_id": str(uuid4()), "name": "ada", "groups": [], "persona_ids": [BUYER], "active": True,
             "revision": 4, "approval": "approved", "approved_persona_ids": [BUYER], "reason": None}  # fmt: skip
    lost = known | {"authorised_user_id": str(uuid4()), "name": "who left"}
    for _ in range(2):
        with acme.context.database.transaction() as session:
            authorised_users.restore_users(
                session, acme.connection_id, [known, lost, {"authorised_user_id": "x"}], now=NOW
            )
    (row,) = rows(acme, AuthorisedUser)
    assert (row.id, row.revision, row.sent, row.persona_ids) == (known["authorised_user_id"], 4, "accepted", [BUYER])
    ask(acme, guarded)
    name_user(acme, BUYER)  # nothing new, so nothing is told
    assert [one.revision for one in rows(acme, AuthorisedUser)] == [4]


def test_a_restored_provider_is_told_our_users_again(acme: Consumer, provider: PlayedProvider) -> None:
    offer(acme, (BUYER, "Buyer"))
    name_user(acme, BUYER)
    drain(acme)
    with acme.context.database.transaction() as session:
        session.get_one(Connection, acme.connection_id).refused_epoch = str(uuid4())
        connections.settle_epoch(session, acme.connection_id, accept=True, now=NOW)
    drain(acme)
    told = [(call.body["revision"], call.body["persona_ids"]) for call in provider.calls_to(TELLING)]
    assert told == [(1, [BUYER]), (2, [BUYER])]


def test_the_catalog_costs_as_much_for_many_closed_items_as_for_one(acme: Consumer) -> None:
    offer(acme, (BUYER, "Buyer"))
    with counted_statements(acme) as few:
        shown(acme)
    for _ in range(5):
        offer(acme, (BUYER, "Buyer"))
    with counted_statements(acme) as many:
        assert shown(acme) == set()
    assert len(many) == len(few)
    assert len(rows(acme, CatalogItem)) == 6


def test_personas_of_a_connection_that_is_not_there_are_refused_at_it(acme: Consumer) -> None:
    nowhere = str(uuid4())
    with acme.context.database.transaction() as session:
        group = groups.create_group(session, "Buyers", now=NOW).id
        with pytest.raises(FormErrors) as refused:
            groups.set_group_personas(session, group, nowhere, [], now=NOW)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/connection_id", "not_found")]


def test_a_user_named_by_several_people_at_once_is_one_user(acme: Consumer) -> None:
    offer(acme, (BUYER, "Buyer"))
    came = at_once([lambda: name_user(acme, BUYER)] * 4)
    assert [one for one in came if isinstance(one, Exception)] == []
    assert len(rows(acme, AuthorisedUser)) == 1


def test_changing_a_group_and_a_user_of_it_at_once_wait_for_each_other(postgres_url: str, tmp_path: Path) -> None:
    with connected_consumer(postgres_url, tmp_path) as acme:
        with acme.context.database.transaction() as session:
            users.add_user(session, "ada", ["requester"])
        offer(acme, (BUYER, "Buyer"), (SELLER, "Seller"))
        user = name_user(acme, BUYER)
        with acme.context.database.transaction() as session:
            sellers = groups.create_group(session, "Sellers", now=NOW).id
            groups.set_group_personas(session, sellers, acme.connection_id, [SELLER], now=NOW)

        def join() -> None:
            with acme.context.database.transaction() as session:
                groups.set_members(session, sellers, [user.user_id], now=NOW)

        came: list[Any] = []
        naming = threading.Thread(target=lambda: came.extend(at_once([join])))
        with acme.context.database.transaction() as session:
            found = authorised_users.get_user(session, acme.connection_id, user.id, lock=True)
            naming.start()
            time.sleep(0.3)
            authorised_users.set_active(session, found, False, now=NOW)
        naming.join()
        assert [one for one in came if isinstance(one, Exception)] == []
        (row,) = rows(acme, AuthorisedUser)
        assert row.told == {
            "name": "ada",
            "groups": ["Sellers"],
            "persona_ids": sorted([BUYER, SELLER]),
            "active": False,
        }
