"""How is an instance saved while it runs, and is what was saved still whole? A manifest with hashes tells."""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import URL, make_url

from bridge.config import InstanceConfig
from bridge.database import Database
from bridge.files import DIRECTORY as FILES
from bridge.files import FileStore
from bridge.models import Instance
from sxg.failures import CommandFailed
from sxg.schema import check_migrated

MANIFEST = "manifest.json"
_FORMAT = 1
_DATABASE_FILES = {"sqlite": "database.db", "postgresql": "database.dump"}
_TOOL_TIMEOUT_S = 6 * 3600


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of, and the SHA-256 and size in bytes of each of its files."""

    format: int
    side: str
    instance_id: str
    instance_name: str
    epoch: str
    database: str
    made_at: str
    files: dict[str, dict[str, Any]]


def make_backup(side: str, config: InstanceConfig, to: Path, now: datetime, *, with_keys: bool = True) -> Manifest:
    """Save the database as it is at one moment, the attachments, the key file and the epoch to the new directory `to`.

    The instance may go on working. It is all there or not at all. Raises CommandFailed, DatabaseBusy.
    """
    if to.exists():
        raise CommandFailed(f"{to} is there already; each backup gets a directory of its own")
    instance = _read_instance(side, config)
    unfinished = to.with_name(f"{to.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        kind = _save_database(make_url(config.database_url), unfinished)
        # After the database: keys are only ever added, so these open everything in it.
        for name in ("keys", "epoch") if with_keys else ("epoch",):
            _copy_private(config.data_dir / name, unfinished / name)
        _save_files(config.data_dir, unfinished)
        manifest = Manifest(
            format=_FORMAT, side=side, instance_id=instance.id, instance_name=instance.name, epoch=instance.epoch,
            database=kind, made_at=now.isoformat(timespec="seconds"),
            files={str(file.relative_to(unfinished)): _fingerprint(file) for file in _all_files(unfinished)},
        )  # fmt: skip
        _write_private(unfinished / MANIFEST, json.dumps(asdict(manifest), indent=1) + "\n")
        unfinished.rename(to)
    except (OSError, sqlite3.Error) as error:
        raise CommandFailed(f"no backup was made: {error}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return manifest


def verify_backup(directory: Path) -> tuple[Manifest, list[str]]:
    """The manifest, and everything that is wrong. Raises CommandFailed if there is no manifest to go by."""
    try:
        manifest = Manifest(**json.loads((directory / MANIFEST).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CommandFailed(f"{directory} is no backup: {error}") from None
    if manifest.format != _FORMAT or manifest.database not in _DATABASE_FILES:
        raise CommandFailed(f"{directory} was made by another version: format {manifest.format}, {manifest.database}")
    return manifest, list(_faults(directory, manifest))


def _faults(directory: Path, manifest: Manifest) -> Iterator[str]:
    """Hashes first: what is damaged is not read any further."""
    damaged = False
    for name, expected in manifest.files.items():
        file = directory / name
        if not file.is_file():
            yield f"{name} is missing"
        elif _fingerprint(file) != expected:
            yield f"{name} is not what was saved"
        else:
            continue
        damaged = True
    keys = directory / "keys"
    if keys.exists() and keys.stat().st_mode & 0o077:
        yield "keys can be read by others: chmod 600"
    if not damaged:
        check = _faults_of_sqlite if manifest.database == "sqlite" else _faults_of_dump
        yield from check(directory / _DATABASE_FILES[manifest.database], manifest)


def _faults_of_sqlite(file: Path, manifest: Manifest) -> Iterator[str]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            said = connection.execute("pragma integrity_check").fetchone()[0]
            found = connection.execute("select epoch from instances").fetchone()
        except sqlite3.Error as error:
            said, found = str(error), None
    if said != "ok":
        yield f"{file.name}: {said}"
    elif found is None or found[0].replace("-", "") != manifest.epoch.replace("-", ""):
        yield f"{file.name} has another epoch than the manifest"


def _faults_of_dump(file: Path, _: Manifest) -> Iterator[str]:
    """Whether pg_restore can read its table of contents."""
    try:
        _run_tool("pg_restore", ["--list", str(file)])
    except CommandFailed as failed:
        yield from failed.failure.lines


def _read_instance(side: str, config: InstanceConfig) -> Instance:
    url = make_url(config.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise CommandFailed(f"there is no database {url.database}")
    check_migrated(side, config.database_url)
    database = Database(config.database_url)
    try:
        with database.reading() as session:
            instance = session.execute(select(Instance)).scalar_one_or_none()
    finally:
        database.close()
    if instance is None:
        raise CommandFailed(f"the {side} was never started on this database; there is nothing to save")
    return instance


def _save_database(url: URL, directory: Path) -> str:
    kind = url.get_backend_name()
    file = directory / _DATABASE_FILES[kind]
    file.touch(mode=0o600)
    if kind == "sqlite":
        _copy_sqlite(Path(url.database or ""), file)
    else:
        _dump_postgresql(url, file)
    return kind


def _copy_sqlite(source: Path, target: Path) -> None:
    """By SQLite's backup, in one step: the state after one commit, while others go on writing."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as here,
        closing(sqlite3.connect(target)) as there,
    ):
        here.backup(there, pages=-1)
        there.execute("pragma journal_mode=delete")  # one file, without a log beside it


def _dump_postgresql(url: URL, target: Path) -> None:
    """The password goes by the environment: command lines can be read by others on the machine."""
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    options = ["--format=custom", "--no-owner", "--no-privileges", "--no-password", f"--file={target}"]
    _run_tool("pg_dump", [*options, f"--dbname={address}"], password)


def _run_tool(name: str, arguments: list[str], environment: dict[str, str] | None = None) -> None:
    """Raises CommandFailed, with what the tool said."""
    if (tool := shutil.which(name)) is None:
        raise CommandFailed(f"{name} is not on PATH; install PostgreSQL's client programs, not older than the server")
    done = subprocess.run(  # noqa: S603 - our own command line
        [tool, *arguments],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TOOL_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise CommandFailed(f"{name} failed: {' '.join(done.stderr.split())[:500]}")


def _save_files(data_dir: Path, directory: Path) -> None:
    """Attachments, after the database: a file is on disk before any row says so, so none that is named is missing."""
    for file in FileStore(data_dir).all_files():
        target = directory / FILES / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(file, target)


def _all_files(directory: Path) -> list[Path]:
    return sorted(file for file in directory.rglob("*") if file.is_file())


def _copy_private(source: Path, target: Path) -> None:
    _write_private(target, source.read_text())


def _write_private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    with file.open("w") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def _fingerprint(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"sha256": digest, "bytes": file.stat().st_size}
