"""Definitions by the rules of revisions, whom they are for, and one incident however many ask for it at once."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.models import Connection, HeldEvent, OutboxEvent
from provider.domain.errors import Conflict, IllegalMove, InvalidFields
from provider.models.remote_tasks import Incident, RemoteTask, RemoteTaskDefinition, RemoteTaskEntitlement
from provider.services import remote_task_definitions as definitions
from provider.services.connections import revoke_connection
from provider.services.entitlements import refresh_entitlements
from provider.services.remote_tasks import accept_task, take_fields
from tests.factories import NOW, at_once, make_consumer, provider_database
from tests.remote_worlds import EVERYONE, WHO, make_definition, tie, told_task


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    with provider_database(sqlite_url) as database:
        yield database


def states(session: Session, identity: str) -> list[str]:
    return [one.state for one in definitions.list_revisions(session, identity)]


def types(session: Session) -> list[str]:
    found = session.scalars(select(OutboxEvent.type).order_by(OutboxEvent.id))
    return [kind.removeprefix("exchange.remote_task") for kind in found]


def test_a_definition_goes_the_way_of_all_revisions(database: Database) -> None:
    with database.transaction() as session:
        identity = make_definition(session, "Incidents")
        with pytest.raises(Conflict, match="only a draft can be changed"):
            definitions.edit_definition(session, identity, {"description": "x"}, **WHO)
        definitions.checkout_definition(session, identity, **WHO)
        assert states(session, identity) == ["published", "draft"]
        with pytest.raises(Conflict, match="draft"):
            definitions.retire_definition(session, identity, **WHO)
        definitions.edit_definition(session, identity, {"description": "Better"}, **WHO)
        definitions.publish_definition(session, identity, EVERYONE, **WHO)
        assert states(session, identity) == ["inactive", "published"]
        definitions.archive_revision(session, identity, 1, **WHO)
        with pytest.raises(IllegalMove):
            definitions.archive_revision(session, identity, 2, **WHO)
        copied = definitions.copy_revision(session, identity, 2, **WHO)
        assert (copied.name, copied.state) == ("Incidents (copy)", "draft")
        with pytest.raises(Conflict):
            definitions.delete_definition(session, identity, **WHO)
        definitions.retire_definition(session, identity, **WHO)
        assert states(session, identity) == ["archived", "retired"]
        definitions.delete_definition(session, identity, **WHO)
        assert session.scalar(select(func.count()).where(RemoteTaskDefinition.identity == identity)) == 0


def test_a_name_that_another_definition_has_is_refused(database: Database) -> None:
    with database.transaction() as session:
        identity = make_definition(session, "Incidents")
        with pytest.raises(InvalidFields, match="another definition has this name"):
            make_definition(session, " incidents ")
        other = make_definition(session, "Changes", published=False)
        with pytest.raises(InvalidFields, match="another definition has this name"):
            definitions.edit_definition(session, other, {"name": "Incidents"}, **WHO)
        definitions.retire_definition(session, identity, **WHO)
        make_definition(session, "Incidents")


def test_publishing_and_retiring_cost_the_same_however_many_may_use_it(database: Database) -> None:
    made = []

    def count(_link: object, _cursor: object, statement: str, *_: object) -> None:
        made.append(statement)

    costs = []
    for consumers in (2, 6):
        with database.transaction() as session:
            for number in range(consumers):
                make_consumer(session, f"C{consumers}N{number}")
            identity = make_definition(session, f"For {consumers}", published=False)
        event.listen(database.engine, "before_cursor_execute", count)
        with database.transaction() as session:
            definitions.publish_definition(session, identity, EVERYONE, **WHO)
            definitions.retire_definition(session, identity, **WHO)
        event.remove(database.engine, "before_cursor_execute", count)
        costs.append(len(made))
        made.clear()
    assert costs[0] == costs[1]


def test_one_through_which_nothing_would_cross_is_not_published(database: Database) -> None:
    with database.transaction() as session:
        body = {"name": "Nothing", "inbound": [], "outbound": []}
        identity = definitions.draft_definition(session, body, **WHO).identity
        with pytest.raises(Conflict, match="no line is active"):
            definitions.publish_definition(session, identity, EVERYONE, **WHO)


def test_whom_a_definition_is_for_follows_its_criteria_and_is_told_once(database: Database) -> None:
    with database.transaction() as session:
        acme, beta = make_consumer(session), make_consumer(session, "BETA")
        identity = make_definition(session, "Incidents", published=False)
        definitions.publish_definition(session, identity, {"connection_ids": [acme.id]}, **WHO)
        assert entitled(session, identity) == [acme.id]
        task = tie(session, acme.id, told_task(identity, 1))
        definitions.publish_definition(session, identity, {"connection_ids": [beta.id]}, **WHO)
        assert entitled(session, identity) == [beta.id]
        assert (task.status, task.stopped_here) == (
            "disconnected",
            "This consumer may not use the definition any more.",
        )
        before = types(session)
        refresh_entitlements(session, NOW)
        assert types(session) == before
        assert before.count("_definition.changed") == 2 and before.count("_definition.removed") == 1


def test_a_consumer_that_connects_later_is_offered_what_is_for_everybody(database: Database) -> None:
    with database.transaction() as session:
        identity = make_definition(session, "Incidents")
        late = make_consumer(session, "LATE")
        refresh_entitlements(session, NOW, connection_ids=[late.id], additive=True)
        assert entitled(session, identity) == [late.id]


def test_a_consumer_that_does_not_know_remote_tasks_yet_has_them_held(database: Database) -> None:
    with database.transaction() as session:
        old = make_consumer(session)
        unspoken = ["exchange.remote_task_definition.changed"]
        session.execute(update(Connection).where(Connection.id == old.id).values(unspoken=unspoken))
        make_definition(session, "Incidents")
        assert list(session.scalars(select(HeldEvent.type))) == unspoken


def test_the_end_of_a_connection_stops_its_remote_tasks_and_leaves_the_records(database: Database) -> None:
    with database.transaction() as session:
        acme = make_consumer(session)
        identity = make_definition(session, "Incidents")
        task = tie(session, acme.id, told_task(identity, 1))
        revoke_connection(session, acme.id, reason="Over", told=True, actor="user/ann", now=NOW)
        assert (task.status, task.incident_id is not None) == ("disconnected", True)
        assert entitled(session, identity) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"number": "ACME-RT0000001"}, "number_taken"),
        ({"parent": "same"}, "remote_task_exists"),
        ({"definition_revision": 2}, "revision_archived"),
    ],
)
def test_what_cannot_be_tied_is_refused_with_a_word_for_it(
    database: Database, changes: dict[str, Any], code: str
) -> None:
    with database.transaction() as session:
        acme = make_consumer(session)
        identity = make_definition(session, "Incidents")
        first = told_task(identity, 1)
        tie(session, acme.id, first)
        if "parent" in changes:
            changes = {"parent": first["parent"]}
        with pytest.raises(Conflict) as refused:
            tie(session, acme.id, told_task(identity, 2) | changes)
        assert refused.value.code == code


def test_a_number_of_another_prefix_is_refused(database: Database) -> None:
    with database.transaction() as session:
        acme = make_consumer(session)
        with pytest.raises(InvalidFields, match="the number must be ACME-RT"):
            tie(session, acme.id, told_task(make_definition(session, "Incidents"), 1, "BETA"))


def test_many_calls_at_once_make_one_incident(database_url: str) -> None:
    with provider_database(database_url) as database:
        with database.transaction() as session:
            acme = make_consumer(session).id
            identity = make_definition(session, "Incidents")
        told = told_task(identity, 1) | {"opened_at": NOW}

        def ask() -> Any:
            with database.transaction() as session:
                return accept_task(session, acme, told, now=NOW)["parent_number"]

        answers = at_once([ask] * 4)
        with database.reading() as session:
            assert [session.scalar(select(func.count()).select_from(one)) for one in (Incident, RemoteTask)] == [1, 1]
        assert len(set(answers)) == 1


def entitled(session: Session, identity: str) -> list[str]:
    query = select(RemoteTaskEntitlement.connection_id).where(
        RemoteTaskEntitlement.identity == identity, RemoteTaskEntitlement.entitled
    )
    return sorted(session.scalars(query))


def test_fields_that_no_line_has_do_not_pile_up(database: Database) -> None:
    with database.transaction() as session:
        acme = make_consumer(session)
        task = tie(session, acme.id, told_task(make_definition(session, "Incidents"), 1))
        for call in range(3):
            fields = {f"call{call}_{number}": {"value": "x", "version": 1, "by": "consumer"} for number in range(40)}
            take_fields(session, acme.id, task.external_id, fields, now=NOW)
        unknown = {one["key"] for one in task.problems if one["key"].startswith("call")}
        assert unknown == {f"call2_{number}" for number in range(40)}
        take_fields(session, acme.id, task.external_id, {}, now=NOW)
        assert unknown == {one["key"] for one in task.problems if one["key"].startswith("call")}, "nothing new came"
