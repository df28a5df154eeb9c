"""Who takes part: a client for each role of the provider, the two companies that buy, and patience."""

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sxg import databases
from sxg.client import Client
from sxg.deployment import PROVIDER, Deployment
from sxg.failures import CommandFailed

ROLES = ("exchange_admin", "catalog_manager", "order_manager", "fulfilment_agent")
ACME, GLOBEX = "acme", "globex"
CONSUMERS = (ACME, GLOBEX)
"""The names of their instances in the deployment."""
COMPANIES = {PROVIDER: "Northwind Telecom", ACME: "ACME IT", GLOBEX: "Globex"}
"""What their pages call themselves."""
_PEOPLE = {ACME: "Ada Lovelace", GLOBEX: "Hank Scorpio"}
"""Who orders, in the story and on the pages."""
APPROVER = "Grace Hopper"
"""Of ACME: agrees to what others want to ask for, before it is sent."""
_ADMIN = "admin"
_POLL_S = 0.02
_T = TypeVar("_T")


@dataclass
class Consumer:
    """A company that buys: somebody who speaks for it, and a client of its own instance."""

    company: str
    person: str
    email: str
    prefix: str
    client: Client
    connection_id: str = ""
    """As on the wire; known once it is connected."""


@dataclass(frozen=True)
class Cast:
    """Each of them may do only what its role allows."""

    exchange_admin: Client
    catalog_manager: Client
    order_manager: Client
    fulfilment_agent: Client
    acme: Consumer
    globex: Consumer
    password: str
    """Of everybody, for the pages."""

    @property
    def consumers(self) -> tuple[Consumer, Consumer]:
        return self.acme, self.globex

    @property
    def tokens(self) -> dict[str, str]:
        return {role: getattr(self, role).token for role in ROLES}

    @property
    def sign_ins(self) -> dict[str, tuple[str, ...]]:
        """Who can sign in to the pages, by the address of the instance."""
        return {
            self.exchange_admin.url: ROLES,
            self.acme.client.url: (_ADMIN, self.acme.person, APPROVER),
            self.globex.client.url: (_ADMIN, self.globex.person),
        }

    def close(self) -> None:
        for client in [*(getattr(self, role) for role in ROLES), *(consumer.client for consumer in self.consumers)]:
            client.close()


def name_instances(deployment: Deployment) -> None:
    """Call each instance by its company, on its own pages and on those of the others; before the start."""
    for program, environment in deployment.environments.items():
        environment["SXG_DISPLAY_NAME"] = COMPANIES[program.partition("-")[0]]


def gather(deployment: Deployment) -> Cast:
    """Make the users, or take those of an earlier run in this directory, whose tokens and password are kept beside the
    data.
    """
    file = deployment.directory / "tokens.json"
    tokens: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    if not tokens:
        tokens = {role: databases.add_user(deployment.provider.database_url, role, [role]) for role in ROLES}
        _keep(file, tokens)
    return Cast(
        **{role: deployment.provider_client(tokens[role]) for role in ROLES},
        acme=_consumer(deployment, ACME, "ada@acme.example"),
        globex=_consumer(deployment, GLOBEX, "hank@globex.example"),
        password=_open_pages(deployment),
    )


def _consumer(deployment: Deployment, name: str, email: str) -> Consumer:
    return Consumer(COMPANIES[name], _PEOPLE[name], email, name.upper(), deployment.consumer_client(name))


def _open_pages(deployment: Deployment) -> str:
    """The password with which everybody can sign in; also in a directory of before there were pages."""
    file = deployment.directory / "password.json"
    if file.exists():
        kept: str = json.loads(file.read_text())
        return kept
    password = secrets.token_urlsafe(12)
    for role in ROLES:
        databases.set_password(PROVIDER, deployment.provider.database_url, role, password)
    for name in CONSUMERS:
        for person, role in ((_ADMIN, "admin"), (_PEOPLE[name], "requester")):
            _add(deployment, name, person, role, password)
    _add(deployment, ACME, APPROVER, "approver", password)
    _keep(file, password)
    return password


def _add(deployment: Deployment, name: str, person: str, role: str, password: str) -> None:
    databases.add_consumer_user(deployment.instances[name].database_url, person, [role], password=password)


def until(condition: Callable[[], _T | None], what: str, timeout_s: float = 30.0) -> _T:
    """What the condition returns once it is true. Raises CommandFailed when that takes too long."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise CommandFailed(f"waited {timeout_s:g} s in vain: {what}")
        time.sleep(_POLL_S)
    return result


def _keep(file: Path, document: Any) -> None:
    file.touch(mode=0o600)
    file.write_text(json.dumps(document))
