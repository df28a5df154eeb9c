"""Is a backup of a working instance whole, private, and good to restore from; and is damage found?"""

import json
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from bridge.attachments import AttachmentLimits
from bridge.database import Database
from bridge.files import FileStore
from bridge.identity import Keyring, ensure_instance
from bridge.models import Connection, Delivery, Instance, Stream
from sxg.cli import main
from tests.api.test_doctor import NO_SETTINGS, Site


@pytest.fixture
def site(tmp_path: Path, empty_database_url: str) -> Iterator[Site]:
    site = Site(tmp_path, empty_database_url)
    site.start_once()
    yield site
    site.database.close()


def backup(site: Site, to: Path, *options: str) -> Result:
    arguments = ["backup", site.side, "--to", str(to), *options]
    return CliRunner().invoke(main, arguments, env={**NO_SETTINGS, **site.environment})


def verify(directory: Path) -> Result:
    return CliRunner().invoke(main, ["backup", "verify", str(directory)])


def restored(site: Site, directory: Path, tmp_path: Path, postgres_url: str | None) -> Database:
    """What docs/operations.md says about the database."""
    if postgres_url is None:
        shutil.copy(directory / "database.db", tmp_path / "restored.db")
        return Database(f"sqlite:///{tmp_path / 'restored.db'}")
    address = make_url(postgres_url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = ["pg_restore", "--no-owner", "--exit-on-error", f"--dbname={address}", str(directory / "database.dump")]
    subprocess.run(command, check=True, capture_output=True)
    return Database(postgres_url)


def test_attachments_are_saved_and_a_damaged_one_is_found(site: Site, tmp_path: Path) -> None:
    data_dir, to = Path(site.environment["SXG_DATA_DIR"]), tmp_path / "saved"
    kept = FileStore(data_dir).keep(BytesIO(b"A plan."), "plan.txt", AttachmentLimits())
    assert backup(site, to).exit_code == 0
    saved = to / "attachments" / kept.sha256[:2] / kept.sha256
    assert saved.read_bytes() == b"A plan."
    assert verify(to).exit_code == 0
    saved.write_bytes(b"Another.")
    assert "is not what was saved" in verify(to).output


@pytest.fixture
def empty_postgres_url(request: pytest.FixtureRequest, empty_database_url: str) -> Iterator[str | None]:
    if empty_database_url.startswith("sqlite"):
        yield None
        return
    from tests.postgres import fresh_database  # noqa: PLC0415

    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield url


def test_what_was_saved_under_load_is_of_one_moment_and_restores_as_another_epoch(
    site: Site, tmp_path: Path, empty_postgres_url: str | None
) -> None:
    connection_id = site.connect()
    site.tell(connection_id, 1, 0)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            site.tell(connection_id, 1, 0)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = backup(site, tmp_path / "saved")
    finally:
        stop.set()
        writer.join()
    assert made.exit_code == 0, made.output
    assert verify(tmp_path / "saved").exit_code == 0, verify(tmp_path / "saved").output

    database = restored(site, tmp_path / "saved", tmp_path, empty_postgres_url)
    data_dir = tmp_path / "elsewhere"
    data_dir.mkdir()
    shutil.copy(tmp_path / "saved" / "keys", data_dir / "keys")
    with database.transaction() as session:
        count = session.execute(select(func.count()).select_from(Delivery)).scalar_one()
        assert session.execute(select(Stream.next_sequence)).scalar_one() == count + 1, "of one moment"
        before = session.execute(select(Instance.epoch)).scalar_one()
        identity = ensure_instance(session, "northwind", data_dir)
        secrets = Keyring.load(data_dir).open(session.get_one(Connection, connection_id))
    database.close()
    assert (identity.id, identity.epoch != before) == (site.instance_id, True), "peers are told"
    assert secrets == {"webhook": ["whsec_AAAA"]}


def test_a_backup_is_private_and_says_what_it_is_of(site: Site, tmp_path: Path) -> None:
    made = backup(site, tmp_path / "saved", "--json")
    manifest = json.loads(made.stdout)
    assert (manifest["side"], manifest["instance_id"]) == ("provider", site.instance_id)
    assert manifest == json.loads((tmp_path / "saved" / "manifest.json").read_text())
    names = {file.name for file in (tmp_path / "saved").iterdir()}
    assert names == {*manifest["files"], "manifest.json"} >= {"keys", "epoch"}
    assert (tmp_path / "saved").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "saved").iterdir()} == {0o600}


def test_the_key_file_can_be_left_out(site: Site, tmp_path: Path) -> None:
    backup(site, tmp_path / "saved", "--no-keys")
    assert not (tmp_path / "saved" / "keys").exists()
    assert verify(tmp_path / "saved").exit_code == 0


@pytest.mark.parametrize("name", ["database", "keys", "epoch"])
def test_a_changed_or_lost_file_is_found(site: Site, tmp_path: Path, name: str) -> None:
    backup(site, tmp_path / "saved")
    (file,) = [one for one in (tmp_path / "saved").iterdir() if one.stem == name]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert verify(tmp_path / "saved").exit_code == 1
    assert f"{file.name} is not what was saved" in verify(tmp_path / "saved").stdout
    file.unlink()
    assert f"{file.name} is missing" in verify(tmp_path / "saved").stdout


def test_a_key_file_that_others_can_read_is_found(site: Site, tmp_path: Path) -> None:
    backup(site, tmp_path / "saved")
    (tmp_path / "saved" / "keys").chmod(0o644)
    assert "keys can be read by others" in verify(tmp_path / "saved").stdout


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    result = verify(tmp_path)
    assert (result.exit_code, "is no backup" in result.stderr) == (1, True)


def test_a_backup_overwrites_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    result = backup(site, tmp_path / "saved")
    assert (result.exit_code, "is there already" in result.stderr) == (1, True)


def test_a_failed_backup_leaves_nothing_behind(site: Site, tmp_path: Path) -> None:
    (site.data_dir / "keys").unlink()
    result = backup(site, tmp_path / "saved")
    assert (result.exit_code, "no backup was made" in result.stderr) == (1, True)
    assert not [file for file in tmp_path.iterdir() if file.name.startswith("saved")]


def test_without_pg_dump_the_reason_is_one_line(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, postgres_url)
    site.start_once()
    site.database.close()
    monkeypatch.setenv("PATH", str(tmp_path))
    result = backup(site, tmp_path / "saved")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: pg_dump is not on PATH; install PostgreSQL's client programs, not older than the server"
    ]


def test_a_database_that_was_never_started_has_nothing_to_save(tmp_path: Path, sqlite_url: str) -> None:
    site = Site(tmp_path, sqlite_url)
    assert "there is no database" in backup(site, tmp_path / "saved").stderr
    from sxg.databases import migrate  # noqa: PLC0415

    migrate("provider", sqlite_url)
    assert "never started" in backup(site, tmp_path / "saved").stderr


def test_a_sqlite_backup_with_another_epoch_inside_is_found(tmp_path: Path, sqlite_url: str) -> None:
    site = Site(tmp_path, sqlite_url)
    site.start_once()
    backup(site, tmp_path / "saved")
    site.database.close()
    file = tmp_path / "saved" / "database.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update instances set epoch = '0'")
    manifest = json.loads((tmp_path / "saved" / "manifest.json").read_text())
    from sxg.backup import _fingerprint  # noqa: PLC0415

    manifest["files"]["database.db"] = _fingerprint(file)
    (tmp_path / "saved" / "manifest.json").write_text(json.dumps(manifest))
    assert "has another epoch than the manifest" in verify(tmp_path / "saved").stdout
