"""Who this instance is, and what it must keep secret.

The epoch names one incarnation of the database. It stands in the database and in a file beside it: if the two differ,
the database was copied or restored, and a new epoch tells every peer so.
"""

import hmac
import json
import logging
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.errors import SecretUnreadable
from bridge.models import Connection, Instance

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """`name` is what people read, here and at the other side; `source` is what CloudEvents of this instance name."""

    id: str
    name: str
    epoch: str

    @property
    def source(self) -> str:
        return f"urn:uuid:{self.id}"


def ensure_instance(session: Session, name: str, data_dir: Path) -> Identity:
    """This instance's identity, made at the first start, in a transaction; processes that start together agree."""
    new = {"singleton": 1, "id": str(uuid4()), "name": name, "epoch": str(uuid4())}
    made = session.execute(
        insert_into(session, Instance).values(new).on_conflict_do_nothing().returning(Instance.id)
    ).first()
    instance = session.execute(select(Instance).with_for_update()).scalar_one()
    file = data_dir / "epoch"
    outside = file.read_text().strip() if file.exists() else None
    if outside != instance.epoch:
        if not made:
            instance.epoch = str(uuid4())
        file.unlink(missing_ok=True)
        _write_private(file, instance.epoch)
    instance.name = name
    return Identity(instance.id, instance.name, instance.epoch)


def know_epoch(session: Session, connection_id: str, epoch: str) -> bool:
    """Whether this is the epoch of the peer; the first one it names is. Another one is that of a copy, or of the peer
    itself after a restore: it must be refused until people say which, and is kept for them to see.
    """
    connection = session.get_one(Connection, connection_id, with_for_update=True)
    if connection.peer_epoch in (None, epoch):
        connection.peer_epoch = epoch
        return True
    if connection.refused_epoch != epoch:
        facts = {"connection_id": connection_id, "known": connection.peer_epoch, "refused": epoch}
        log.warning("a copied or restored peer is refused", extra=facts)
        connection.refused_epoch = epoch
    return False


def settle_epoch(session: Session, connection_id: str, *, accept: bool, now: datetime) -> str | None:
    """What people say of the refused epoch: it is the peer, restored, and whoever has the former one is refused from
    now; or it is a copy, and stays refused. The epoch, None when none was refused.
    """
    connection = session.get_one(Connection, connection_id, with_for_update=True)
    refused, connection.refused_epoch = connection.refused_epoch, None
    if refused is None or not accept:
        return refused
    connection.peer_epoch = refused
    at = now.isoformat(timespec="seconds")
    connection.state_reason = f"the other side's database was restored before {at}: compare both sides"
    return refused


def read_epoch(text: str | None) -> str | None:
    """The epoch in a header, None when there is none or it is not a UUID."""
    try:
        return str(UUID(text)) if text else None
    except ValueError:
        return None


class Keyring:
    """Encrypts what must be readable again: webhook secrets and client secrets. The first key of the file encrypts, all
    decrypt.
    """

    def __init__(self, keys: list[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._first = keys[0].encode()

    @classmethod
    def load(cls, data_dir: Path) -> "Keyring":
        """The key file of this instance, one key a line; made, readable by its owner only, at the first run."""
        data_dir.mkdir(parents=True, exist_ok=True)
        file = data_dir / "keys"
        if not file.exists():
            _write_private(file, Fernet.generate_key().decode())
        return cls([line.strip() for line in file.read_text().splitlines() if line.strip()])

    def derive(self, purpose: str) -> str:
        """A key for something else, such as signing forms: it tells nothing of this one, and changes with it."""
        return hmac.new(self._first, purpose.encode(), "sha256").hexdigest()

    def seal(self, secrets: dict[str, Any]) -> str:
        return self._fernet.encrypt(json.dumps(secrets).encode()).decode()

    def open(self, connection: Connection) -> dict[str, Any]:
        """The secrets of a connection: `webhook` (list, newest first) and, at a consumer, `client_secret`.

        Raises SecretUnreadable when none of the keys fits.
        """
        if connection.secrets is None:
            return {"webhook": []}
        try:
            secrets: dict[str, Any] = json.loads(self._fernet.decrypt(connection.secrets.encode()))
        except InvalidToken:
            raise SecretUnreadable(f"no key in the key file opens the secrets of connection {connection.id}") from None
        return secrets


def _write_private(path: Path, text: str) -> None:
    """Whoever comes first writes, and whole: a process that starts at the same time reads nothing or all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        os.unlink(unfinished)
