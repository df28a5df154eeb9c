"""At the provider: items ask for personas, users of consumers are approved, and nobody else orders."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from bridge.database import Database
from bridge.models import Connection
from bridge.vocabulary import EventType
from provider.domain.errors import Conflict, InvalidFields
from provider.models.personas import AuthorisedUser
from provider.services.authorised_users import (
    approve_authorised_user,
    refuse_authorised_user,
    set_rules,
    take_authorised_user,
    user_data,
)
from provider.services.catalog_import import import_catalog
from provider.services.entitlements import show_catalog_item
from provider.services.intake import resubmit_provider_task, submit_provider_task
from provider.services.orders import reject_order
from provider.services.persona_items import choose_personas, edit_persona
from provider.services.personas import create_persona, delete_persona
from provider.services.producers import list_revisions, publish_producer
from provider.services.revisions import copy_revision
from tests.factories import (
    AGENT,
    NOW,
    at_once,
    count_selects,
    events_of,
    exchange_database,
    import_small_catalog,
    make_connection,
    make_request,
    make_router_item,
    publish_to_all,
    small_catalog,
)
from tests.persona_factories import make_guarded_item, make_persona, told_user

DECIDED = EventType.AUTHORISED_USER_CHANGED


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def take(database: Database, connection_id: str, told: dict[str, Any]) -> dict[str, Any]:
    with database.transaction() as session:
        return user_data(take_authorised_user(session, connection_id, told, now=NOW))


def asks(item: Any, number: int, user_id: str | None, **changes: Any) -> dict[str, Any]:
    who = {"name": "Ada Lovelace"} | ({"authorised_user_id": user_id} if user_id else {})
    return make_request(item, number, requested_by=who, **changes)


def decisions(database: Database, connection_id: str) -> list[tuple[int, str, list[str]]]:
    """(revision, approval, approved personas) as the consumer was told, oldest first."""
    with database.reading() as session:
        told = [data for kind, _, data in events_of(session, connection_id) if kind == DECIDED]
    return [(data["revision"], data["approval"], data["approved_persona_ids"]) for data in told]


# --- what an item asks for


def test_an_item_tells_its_personas_once_they_are_published_and_not_before(database: Database) -> None:
    with database.transaction() as session:
        connection = make_connection(session)
        import_small_catalog(session)
        item = publish_to_all(session)
        buyer = make_persona(session, "Buyer", "Orders lines.")
        draft = choose_personas(session, item.identity, [buyer.id], AGENT, NOW)
        assert (draft.state, draft.revision) == ("draft", 2)
        assert "personas" not in show_catalog_item(session, connection.id, item.identity)
        publish_producer(session, item.identity, {"all_consumers": True}, AGENT, NOW)
        shown = show_catalog_item(session, connection.id, item.identity)
        told = events_of(session, connection.id)[-1][2]
    expected = [{"persona_id": buyer.id, "name": "Buyer", "description": "Orders lines."}]
    assert shown["personas"] == told["personas"] == expected


def test_a_new_name_reaches_those_who_know_the_persona(database: Database) -> None:
    with database.transaction() as session:
        connection, item, (persona_id,) = make_guarded_item(session, "Buyer")
        edit_persona(session, persona_id, name="Mobile buyer", description="", actor=AGENT, now=NOW)
        told = events_of(session, connection.id)[-1]
        edit_persona(session, persona_id, name="Mobile buyer", description="", actor=AGENT, now=NOW)
        assert events_of(session, connection.id)[-1] == told
    assert told[:2] == (EventType.CATALOG_ITEM_CHANGED, f"catalog_item/{item.identity}")
    assert told[2]["personas"][0]["name"] == "Mobile buyer"


def test_two_personas_have_not_one_name(database: Database) -> None:
    with database.transaction() as session:
        make_persona(session, "Buyer")
        other = make_persona(session, "Seller")
        with pytest.raises(InvalidFields, match="/name"):
            create_persona(session, name=" Buyer ", description="", actor=AGENT, now=NOW)
        with pytest.raises(InvalidFields, match="/name"):
            edit_persona(session, other.id, name="Buyer", description="", actor=AGENT, now=NOW)


def test_a_persona_stays_while_an_item_asks_for_it(database: Database) -> None:
    with database.transaction() as session:
        _, item, (persona_id,) = make_guarded_item(session, "Buyer")
        with pytest.raises(Conflict, match="Router item"):
            delete_persona(session, persona_id, actor=AGENT, now=NOW)
        item.state = "archived"
        session.flush()
        delete_persona(session, persona_id, actor=AGENT, now=NOW)


def test_what_there_is_not_cannot_be_asked_for(database: Database) -> None:
    with database.transaction() as session:
        import_small_catalog(session)
        item = publish_to_all(session)
        with pytest.raises(InvalidFields, match="/persona_ids/0"):
            choose_personas(session, item.identity, [str(uuid4())], AGENT, NOW)


def test_a_new_version_and_a_copy_stay_closed_to_others(database: Database) -> None:
    with database.transaction() as session:
        import_small_catalog(session)
        item = publish_to_all(session)
        buyer = make_persona(session)
        choose_personas(session, item.identity, [buyer.id], AGENT, NOW)
        publish_producer(session, item.identity, {"all_consumers": True}, AGENT, NOW)
        assert copy_revision(session, item.identity, 2, AGENT, NOW).persona_ids == [buyer.id]
        newer = small_catalog()
        newer["productSpecification"][0]["version"] = newer["productOffering"][0]["version"] = "2.0"
        import_catalog(session, newer, NOW)
        newest = list_revisions(session, item.identity)[-1]
    assert (newest.state, newest.persona_ids) == ("draft", [buyer.id])


# --- who may order it


def test_an_item_without_personas_is_open_to_every_requester(database: Database) -> None:
    with database.transaction() as session:
        connection, _, _ = make_guarded_item(session, "Buyer")
        item = make_router_item(session, connection.id)
        submit_provider_task(session, connection.id, asks(item, 1, None), now=NOW)
    with database.transaction() as session, count_selects(database) as seen:
        submit_provider_task(session, connection.id, asks(item, 2, None), now=NOW)
    assert not [statement for statement in seen if "authorised" in statement or "persona" in statement]


def test_only_who_holds_one_of_the_personas_orders(database: Database) -> None:
    with database.transaction() as session:
        connection, item, (buyer, seller) = make_guarded_item(session, "Buyer", "Seller")
        other, their_item, _ = make_guarded_item(session, "Theirs", prefix="OTHER")
        their_item.persona_ids = [buyer]  # one persona may be asked for by items of several consumers
    ada = take(database, connection.id, told_user([seller]))["authorised_user_id"]
    idle = take(database, connection.id, told_user([buyer], active=False))["authorised_user_id"]
    bob = take(database, other.id, told_user([buyer]))["authorised_user_id"]
    none = take(database, connection.id, told_user([]))["authorised_user_id"]
    with database.transaction() as session:
        submit_provider_task(session, connection.id, asks(item, 1, ada), now=NOW)
    said = set()
    for number, wrong in enumerate((None, str(uuid4()), bob, idle, none), 2):
        with database.transaction() as session, pytest.raises(InvalidFields) as refused:
            submit_provider_task(session, connection.id, asks(item, number, wrong), now=NOW)
        said |= {(one.pointer, one.code, one.message) for one in refused.value.errors}
    ((pointer, code, _),) = said  # the same of what is somebody else's, and of what there is not
    assert (pointer, code) == ("/requested_by/authorised_user_id", "not_authorised")


def test_a_correction_is_judged_like_a_request(database: Database) -> None:
    with database.transaction() as session:
        connection, item, (buyer,) = make_guarded_item(session, "Buyer")
    told = told_user([buyer])
    take(database, connection.id, told)
    request = asks(item, 1, told["id"])
    with database.transaction() as session:
        submit_provider_task(session, connection.id, request, now=NOW)
        reject_order(session, "ORD0000001", reason="No such street.", actor=AGENT, now=NOW)
        refuse_authorised_user(session, connection.id, told["id"], reason="Left.", actor=AGENT, now=NOW)
    correction = {name: value for name, value in request.items() if name not in ("number", "catalog_item_id")}
    with database.transaction() as session, pytest.raises(InvalidFields, match="authorised_user_id"):
        resubmit_provider_task(session, connection.id, request["id"], correction | {"revision": 2}, now=NOW)


# --- approval


def test_users_are_approved_by_themselves_unless_a_person_is_to_do_it(database: Database) -> None:
    with database.transaction() as session:
        connection, _, (buyer,) = make_guarded_item(session, "Buyer")
    assert take(database, connection.id, told_user([buyer]))["approval"] == "approved"
    with database.transaction() as session:
        set_rules(session, connection.id, approval="by_person", limit=None, actor=AGENT, now=NOW)
    assert take(database, connection.id, told_user([buyer]))["approval"] == "requested"
    assert decisions(database, connection.id) == [(1, "approved", [buyer]), (1, "requested", [])]


def test_a_persona_that_comes_later_waits_by_itself(database: Database) -> None:
    with database.transaction() as session:
        connection, item, (buyer, seller) = make_guarded_item(session, "Buyer", "Seller")
        item.persona_ids = [seller]
        open_item = make_router_item(session, connection.id)
        open_item.persona_ids = [buyer]
        set_rules(session, connection.id, approval="by_person", limit=None, actor=AGENT, now=NOW)
    told = told_user([buyer])
    take(database, connection.id, told)
    with database.transaction() as session:
        approve_authorised_user(session, connection.id, told["id"], actor=AGENT, now=NOW)
        approve_authorised_user(session, connection.id, told["id"], actor=AGENT, now=NOW)
    take(database, connection.id, told | {"revision": 2, "persona_ids": [buyer, seller]})
    with database.transaction() as session:
        submit_provider_task(session, connection.id, asks(open_item, 1, told["id"]), now=NOW)
    with database.transaction() as session, pytest.raises(InvalidFields):
        submit_provider_task(session, connection.id, asks(item, 2, told["id"]), now=NOW)
    assert decisions(database, connection.id) == [
        (1, "requested", []), (1, "approved", [buyer]), (2, "requested", [buyer]),
    ]  # fmt: skip


def test_a_refusal_stays_until_a_person_takes_it_back(database: Database) -> None:
    with database.transaction() as session:
        connection, _, (buyer,) = make_guarded_item(session, "Buyer")
    told = told_user([buyer])
    take(database, connection.id, told)
    with database.transaction() as session:
        refuse_authorised_user(session, connection.id, told["id"], reason="Left.", actor=AGENT, now=NOW)
    again = take(database, connection.id, told | {"revision": 2, "active": False})
    assert (again["approval"], again["reason"], again["approved_persona_ids"]) == ("refused", "Left.", [])
    with database.transaction() as session:
        approved = approve_authorised_user(session, connection.id, told["id"], actor=AGENT, now=NOW)
        assert (approved.approval, approved.reason, approved.approved_persona_ids) == ("approved", None, [buyer])


def test_what_is_said_again_changes_nothing_and_what_is_late_is_refused(database: Database) -> None:
    with database.transaction() as session:
        connection, _, (buyer,) = make_guarded_item(session, "Buyer")
    told = told_user([buyer], revision=3)
    take(database, connection.id, told)
    take(database, connection.id, told)
    assert len(decisions(database, connection.id)) == 1
    for wrong in (told | {"revision": 2}, told | {"active": False}):
        with pytest.raises(Conflict) as refused:
            take(database, connection.id, wrong)
        assert (refused.value.code, refused.value.facts) == ("revision_superseded", {"revision": 3})


def test_personas_of_others_are_none_to_a_consumer(database: Database) -> None:
    with database.transaction() as session:
        connection, item, (buyer,) = make_guarded_item(session, "Buyer")
        _, _, (theirs,) = make_guarded_item(session, "Theirs", prefix="OTHER")
    for unknown in (theirs, str(uuid4())):
        with pytest.raises(InvalidFields) as refused:
            take(database, connection.id, told_user([buyer, unknown]))
        assert [(one.pointer, one.code) for one in refused.value.errors] == [("/persona_ids/1", "not_found")]
    told = told_user([buyer])
    take(database, connection.id, told)
    with database.transaction() as session:
        session.get_one(type(item), item.id).state = "archived"
    assert take(database, connection.id, told | {"revision": 2, "name": "Ada"})["persona_ids"] == [buyer]


# --- how many there may be


def test_there_are_no_more_active_users_than_the_limit_says(database: Database) -> None:
    with database.transaction() as session:
        connection, _, (buyer,) = make_guarded_item(session, "Buyer")
        set_rules(session, connection.id, approval="automatic", limit=2, actor=AGENT, now=NOW)
    first, second, third = (told_user([buyer]) for _ in range(3))
    for told in (first, second):
        take(database, connection.id, told)
    with pytest.raises(Conflict, match="its 2 authorised users") as refused:
        take(database, connection.id, third)
    assert (refused.value.code, refused.value.facts) == ("authorised_user_limit", {"limit": 2})
    take(database, connection.id, third | {"active": False})
    with database.transaction() as session:
        refuse_authorised_user(session, connection.id, first["id"], reason="Left.", actor=AGENT, now=NOW)
    take(database, connection.id, third | {"revision": 2})
    with database.transaction() as session, pytest.raises(Conflict, match="its 2"):
        approve_authorised_user(session, connection.id, first["id"], actor=AGENT, now=NOW)
    with database.reading() as session:
        told = [data for kind, _, data in events_of(session, connection.id) if "settings" in kind]
    assert told == [{"connection_id": connection.id, "authorised_user_limit": 2}]


def test_of_two_at_once_one_is_within_the_limit(postgres_url: str) -> None:
    with exchange_database(postgres_url) as database:
        with database.transaction() as session:
            connection, _, (buyer,) = make_guarded_item(session, "Buyer")
            set_rules(session, connection.id, approval="automatic", limit=1, actor=AGENT, now=NOW)
        calls = [lambda: take(database, connection.id, told_user([buyer])) for _ in range(4)]
        came = at_once(calls)
        with database.reading() as session:
            assert session.query(AuthorisedUser).count() == 1
        assert [type(one) for one in came].count(Conflict) == 3


def test_the_limit_is_told_once_and_who_waits_goes_on_waiting(database: Database) -> None:
    with database.transaction() as session:
        connection, _, (buyer,) = make_guarded_item(session, "Buyer")
        set_rules(session, connection.id, approval="by_person", limit=5, actor=AGENT, now=NOW)
    told = told_user([buyer])
    take(database, connection.id, told)
    with database.transaction() as session:
        for _ in range(2):
            set_rules(session, connection.id, approval="automatic", limit=5, actor=AGENT, now=NOW)
        assert session.get_one(Connection, connection.id).settings["authorised_user_limit"] == 5
        kinds = [kind for kind, _, _ in events_of(session, connection.id)]
    assert kinds == [EventType.CONNECTION_SETTINGS_CHANGED, DECIDED]
    assert take(database, connection.id, told)["approval"] == "requested"
    assert take(database, connection.id, told | {"revision": 2})["approval"] == "approved"
