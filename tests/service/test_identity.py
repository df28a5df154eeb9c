"""Who an instance is: one identity however many processes start, a new epoch for a copied database, secrets sealed."""

import multiprocessing
import stat
from collections.abc import Iterator
from multiprocessing.queues import Queue
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bridge.ailments import find_ailments
from bridge.database import Database
from bridge.errors import SecretUnreadable
from bridge.flow import read_flow
from bridge.identity import Identity, Keyring, ensure_instance, know_epoch, settle_epoch
from bridge.models import Connection
from tests.toy import NOW, add_connection, toy_database

EPOCHS = ("00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b")
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = toy_database(database_url)
    yield database
    database.close()


def start(database: Database, directory: Path) -> Identity:
    with database.transaction() as session:
        return ensure_instance(session, "northwind", directory)


def test_an_instance_keeps_its_identity_and_epoch_over_restarts(database: Database, tmp_path: Path) -> None:
    assert start(database, tmp_path) == start(database, tmp_path)


def test_a_database_without_its_epoch_file_is_a_copy_and_gets_another_epoch(database: Database, tmp_path: Path) -> None:
    original = start(database, tmp_path / "original")
    copy = start(database, tmp_path / "copy")
    assert copy.id == original.id
    assert copy.epoch != original.epoch
    assert start(database, tmp_path / "copy") == copy


def test_a_restored_database_gets_another_epoch(database: Database, tmp_path: Path) -> None:
    original = start(database, tmp_path)
    (tmp_path / "epoch").unlink()
    (tmp_path / "epoch").write_text("00000000-0000-4000-8000-00000000000e\n")
    assert start(database, tmp_path).epoch not in (original.epoch, "00000000-0000-4000-8000-00000000000e")


def test_a_peer_with_another_epoch_is_refused_until_people_say_that_it_is_the_peer(database: Database) -> None:
    with database.transaction() as session:
        connection_id = add_connection(session, Keyring([Fernet.generate_key().decode()]))
        assert settle_epoch(session, connection_id, accept=True, now=NOW) is None
        assert [know_epoch(session, connection_id, epoch) for epoch in (*EPOCHS, *EPOCHS)] == [True, False, True, False]
        (ailment,) = find_ailments(read_flow(session, connection_id), NOW)
        assert ailment.kind == "copy_of_them"
        assert settle_epoch(session, connection_id, accept=False, now=NOW) == EPOCHS[1]
        assert [know_epoch(session, connection_id, epoch) for epoch in EPOCHS] == [True, False]
        assert settle_epoch(session, connection_id, accept=True, now=NOW) == EPOCHS[1]
        assert [know_epoch(session, connection_id, epoch) for epoch in EPOCHS] == [False, True]
        assert "restored" in str(session.get_one(Connection, connection_id).state_reason)


def load(directory: Path, found: "Queue[str]") -> None:
    found.put(Keyring.load(directory).seal({"client_secret": "s3cret"}))


def test_processes_that_start_together_share_one_key_file(tmp_path: Path) -> None:
    found: Queue[str] = SPAWN.Queue()
    processes = [SPAWN.Process(target=load, args=(tmp_path / "data", found)) for _ in range(6)]
    for process in processes:
        process.start()
    sealed = [found.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    keyring = Keyring.load(tmp_path / "data")
    assert [keyring.open(Connection(secrets=one))["client_secret"] for one in sealed] == ["s3cret"] * 6
    assert stat.S_IMODE((tmp_path / "data" / "keys").stat().st_mode) == 0o600


def test_an_older_key_still_opens_and_a_lost_one_is_named(database: Database, tmp_path: Path) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    with database.transaction() as session:
        connection_id = add_connection(session, Keyring([old]))
        connection = session.get_one(Connection, connection_id)
        assert Keyring([new, old]).open(connection)["webhook"]
        with pytest.raises(SecretUnreadable, match=connection_id):
            Keyring([new]).open(connection)
