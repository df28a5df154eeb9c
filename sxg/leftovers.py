"""What is left of a connection that has ended: saved to a file, and then removed if that is wanted."""

import importlib
import os
import pkgutil
from pathlib import Path

from sqlalchemy import MetaData
from sqlalchemy.orm import Session

import bridge.models
from bridge.belongings import remove_rows, save_rows
from bridge.config import InstanceConfig
from bridge.database import Database
from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from sxg.failures import CommandFailed
from sxg.schema import check_migrated


def read_metadata(side: str) -> list[MetaData]:
    """Every table of a side that may hold rows of a connection."""
    if side == "consumer":
        for name in ("models_attachments", "models_cases", "models_personas", "models_remote_tasks"):
            own: MetaData = importlib.import_module(f"consumer_sim.{name}").Base.metadata
        return [bridge.models.Base.metadata, own]
    package = importlib.import_module("provider.models")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"provider.models.{module.name}")
    return [bridge.models.Base.metadata, importlib.import_module("provider.models.base").Base.metadata]


def save_leftovers(side: str, config: InstanceConfig, connection_id: str, to: Path, *, remove: bool) -> dict[str, int]:
    """Write every row of the connection to the new file `to`, and with `remove` take them out of the database, in one
    transaction: either the file holds what was removed, or nothing was. How many rows were removed, by table.

    Raises CommandFailed for a connection that has not ended, DatabaseBusy.
    """
    if to.exists():
        raise CommandFailed(f"{to} is there already")
    check_migrated(side, config.database_url)
    metadata, database = read_metadata(side), Database(config.database_url)
    try:
        with database.transaction() as session:
            _check_ended(session, connection_id)
            _write(session, metadata, connection_id, to)
            return remove_rows(session, metadata, connection_id) if remove else {}
    finally:
        database.close()


def _check_ended(session: Session, connection_id: str) -> None:
    connection = session.get(Connection, connection_id, with_for_update=True)
    if connection is None:
        raise CommandFailed(f"there is no connection {connection_id} here")
    if connection.state != ConnectionState.REVOKED:
        raise CommandFailed(f"connection {connection.name} is {connection.state}; revoke it first")


def _write(session: Session, metadata: list[MetaData], connection_id: str, to: Path) -> None:
    """On the disk before anything is removed; for its owner only."""
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        for line in save_rows(session, metadata, connection_id):
            file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
