"""Whom and what people mean on the command line: by id, or by name where that is clear."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sxg.client import Client
from sxg.failures import CommandFailed

Row = Mapping[str, Any]


def find_connection(client: Client, said: str) -> str:
    """The id of a connection that has this id, name, company or number prefix. Raises CommandFailed.

    An id is taken as it is: not everybody who may use one sees connections.
    """
    if _is_id(said):
        return said
    found = _find(client.pages("/connections"), said, ("name", "company", "number_prefix"), "connection", "id")
    return str(found["id"])


def find_revision(client: Client, path: str, said: str, noun: str) -> Row:
    """The newest revision of what has this identity or name; the path lists revisions. Raises CommandFailed."""
    newest: dict[str, Row] = {}
    for row in client.pages(path):
        former = newest.get(row["identity"])
        if former is None or former["revision"] < row["revision"]:
            newest[row["identity"]] = row
    return _find(newest.values(), said, ("identity", "name"), noun, "identity")


def find_user(client: Client, connection_id: str, said: str) -> Row:
    """An authorised user of a connection by its id or name. Raises CommandFailed."""
    users = client.pages(f"/connections/{connection_id}/authorised-users")
    return _find(users, said, ("authorised_user_id", "name"), "authorised user", "authorised_user_id")


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _find(rows: Iterable[Row], said: str, members: Sequence[str], noun: str, key: str) -> Row:
    """What the first of the members finds counts: an id is nobody's name. `key` tells several of one name apart."""
    known = list(rows)
    for member in members:
        found = [row for row in known if str(row[member] or "").lower() == said.lower()]
        if len(found) > 1:
            ids = ", ".join(str(row[key]) for row in found)
            raise CommandFailed(f"{len(found)} {noun}s are called {said}; name one by its id: {ids}")
        if found:
            return found[0]
    raise CommandFailed(f"there is no {noun} {said}")
