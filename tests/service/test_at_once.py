"""Two people, or a person and a message, change the same thing at once: one comes first, and the other is told so."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bridge.attachments import AttachmentLimits
from bridge.database import Database
from bridge.models import Connection
from consumer_sim.services import catalog, remote_tasks, requests, scratchpads, tasks, tickets
from consumer_sim.services import users as consumer_users
from consumer_sim.services.errors import UserRefused
from provider.domain.errors import Conflict, InvalidFields
from provider.services import users
from provider.services.attachments import Announced, announce_attachment
from provider.services.choice_definitions import create_definition, delete_definition, reference_faults
from provider.services.errors import FileRefused
from provider.services.item_telling import note_version
from provider.services.persona_items import edit_persona
from provider.services.personas import create_persona
from tests.choice_factories import DATA_CENTRES, as_variable, make_definition, reference
from tests.consumer_factories import ANSWERS, Consumer, connected_consumer, item_changed, make_item
from tests.factories import AGENT, NOW, at_once, exchange_database, make_consumer, make_order, provider_database
from tests.remote_worlds import make_told_definition

WAIT_S = 0.3


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


@pytest.fixture
def acme(postgres_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(postgres_url, tmp_path) as one:
        yield one


def kinds(came: list[Any]) -> list[str]:
    return sorted(type(one).__name__ for one in came)


def behind(database: Database, first: Callable[[Any], Any], second: Callable[[], Any]) -> Any:
    """What comes of `second` when it begins before `first` is committed."""
    came: list[Any] = []
    with database.transaction() as session:
        first(session)
        session.flush()
        waiting = threading.Thread(target=lambda: came.extend(at_once([second])))
        waiting.start()
        time.sleep(WAIT_S)
    waiting.join()
    return came[0]


def test_a_name_is_given_to_one_user(database: Database) -> None:
    def add() -> Any:
        with database.transaction() as session:
            return users.add_user(session, "ann", ["viewer"], actor=AGENT, now=NOW)

    assert kinds(at_once([add] * 4)) == ["Conflict"] * 3 + ["tuple"]


def test_a_name_is_given_to_one_person_of_a_consumer(acme: Consumer) -> None:
    def add() -> Any:
        with acme.context.database.transaction() as session:
            return consumer_users.add_user(session, "ann", ["viewer"])

    assert kinds(at_once([add] * 4)) == ["User"] + ["UserRefused"] * 3
    assert UserRefused.__name__ in kinds(at_once([add]))


def test_a_name_is_given_to_one_definition_of_choices(database: Database) -> None:
    def create() -> Any:
        with database.transaction() as session:
            return create_definition(session, DATA_CENTRES, AGENT, NOW).name

    assert kinds(at_once([create] * 4)) == ["Conflict"] * 3 + ["str"]


def test_a_persona_is_not_given_a_name_that_another_is_just_given(postgres_url: str) -> None:
    with provider_database(postgres_url) as database:
        with database.transaction() as session:
            seller = create_persona(session, name="Seller", description="", actor=AGENT, now=NOW).id

        def rename() -> Any:
            with database.transaction() as session:
                return edit_persona(session, seller, name="Buyer", description="", actor=AGENT, now=NOW)

        came = behind(
            database,
            lambda session: create_persona(session, name="Buyer", description="", actor=AGENT, now=NOW),
            rename,
        )
        assert isinstance(came, InvalidFields)


def test_a_definition_is_not_deleted_from_below_a_question_that_is_just_written(postgres_url: str) -> None:
    with provider_database(postgres_url) as database:
        with database.transaction() as session:
            make_definition(session)
        asked = [as_variable(reference("centre", "data-centres"))]

        def write() -> Any:
            with database.transaction() as session:
                return [fault.code for fault in reference_faults(session, asked, "/variables")]

        assert behind(database, lambda session: delete_definition(session, "data-centres", AGENT, NOW), write) == [
            "unknown"
        ]


def test_what_a_consumer_speaks_takes_back_no_setting_that_people_just_made(postgres_url: str) -> None:
    with provider_database(postgres_url) as database:
        with database.transaction() as session:
            connection = make_consumer(session).id

        def note() -> Any:
            with database.transaction() as session:
                return note_version(session, connection, "1.0", now=NOW)

        def decide(session: Any) -> None:
            found = session.get_one(Connection, connection, with_for_update=True)
            found.settings = found.settings | {"account": "A-1"}

        assert behind(database, decide, note) is True
        with database.reading() as session:
            settings = session.get_one(Connection, connection).settings
        assert (settings["account"], settings["peer_version"]) == ("A-1", "1.0")


def test_the_same_conflict_is_told_to_whoever_comes_later(database: Database) -> None:
    with database.transaction() as session:
        users.add_user(session, "ann", ["viewer"], actor=AGENT, now=NOW)
    with database.transaction() as session, pytest.raises(Conflict, match="already"):
        users.add_user(session, "ann", ["viewer"], actor=AGENT, now=NOW)


def test_of_two_files_at_once_one_is_within_the_limit(postgres_url: str) -> None:
    limits = AttachmentLimits(per_task=1)
    with exchange_database(postgres_url) as database:
        made = make_order(database)

        def announce(session: Any) -> Any:
            said = Announced(
                id=str(uuid4()), name=f"plan-{uuid4()}.txt", media_type="text/plain", size_bytes=1, sha256="a" * 64,
                author_name="Ada", created_at=NOW,
            )  # fmt: skip
            return announce_attachment(session, made.connection_id, made.task_id, said, limits)

        def announce_another() -> Any:
            with database.transaction() as session:
                return announce(session)

        assert isinstance(behind(database, announce, announce_another), FileRefused)


def test_a_remote_task_that_the_provider_stops_meanwhile_is_not_connected(acme: Consumer) -> None:
    with acme.context.database.transaction() as session:
        definition = make_told_definition(session, acme, "Incidents")
        ticket = tickets.open_ticket(session, {"short_description": "Down"}, opened_by="Ada", now=NOW)
        task = tickets.tie_ticket(session, ticket, definition, opened_by="Ada", now=NOW)
        task.submission, task.stopped_here, task.status = "accepted", "Later.", "disconnected"
        task_id = task.id

    def connect() -> Any:
        with acme.context.database.transaction() as session:
            found, tied = remote_tasks.lock_task(session, task_id)
            remote_tasks.connect_task(session, found, tied, now=NOW)
            return found.status, found.stopped_there

    def stop(session: Any) -> None:
        found, _ = remote_tasks.lock_task(session, task_id)
        found.stopped_there = "Not now."

    assert behind(acme.context.database, stop, connect) == ("disconnected", "Not now.")


def test_an_entry_is_written_while_the_provider_tells_that_it_is_gone(acme: Consumer) -> None:
    item = acme.context.database
    with item.transaction() as session:
        task = requests.submit_request(
            session, make_item(session, acme.connection_id), ANSWERS, {"name": "ada"}, now=NOW
        )
        task.submission = "accepted"
        task_id = task.id
    told = {"task_id": task_id, "name": "awb", "client_visible": True, "author": {"name": "Ann", "company": "N"},
            "written_at": "2026-11-21T09:00:00.000Z", "write_id": None}  # fmt: skip
    with item.transaction() as session:
        scratchpads._take(session, acme.connection_id, told | {"value": "1"})

    def write() -> Any:
        with item.transaction() as session:
            locked = tasks.lock_task(session, acme.connection_id, task_id)
            scratchpads.write_entry(session, locked, "awb", "2", client_visible=True, author="ada", now=NOW)

    def forget(session: Any) -> None:
        scratchpads._take(session, acme.connection_id, told | {"value": None})

    assert behind(item, forget, write) is None
    with item.reading() as session:
        locked = tasks.get_task(session, task_id)
        assert scratchpads.get_entry(session, locked, "awb")["value"] == "2"


def test_an_item_that_is_told_anew_while_people_activate_it_is_active(acme: Consumer) -> None:
    item_id = str(uuid4())
    assert acme.verdicts([item_changed(item_id, 1)]) == ["applied"]

    def activate(session: Any) -> None:
        catalog.activate_item(session, catalog.get_item(session, item_id, lock=True), now=NOW)

    told = behind(
        acme.context.database, activate, lambda: acme.verdicts([item_changed(item_id, 2, name="Broader band")])
    )
    assert told == ["applied"]
    with acme.context.database.reading() as session:
        item = catalog.get_item(session, item_id)
    assert (item.name, item.state, item.active_revision) == ("Broader band", "active", 1)
