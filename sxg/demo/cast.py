"""Who takes part: a client for each role of the provider, the two companies that buy, and patience."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sxg import databases
from sxg.client import Client
from sxg.deployment import Deployment
from sxg.failures import CommandFailed

ROLES = ("exchange_admin", "catalog_manager", "order_manager", "fulfilment_agent")
ACME, GLOBEX = "acme", "globex"
CONSUMERS = (ACME, GLOBEX)
"""The names of their instances in the deployment."""
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

    @property
    def consumers(self) -> tuple[Consumer, Consumer]:
        return self.acme, self.globex

    @property
    def tokens(self) -> dict[str, str]:
        return {role: getattr(self, role).token for role in ROLES}

    def close(self) -> None:
        for client in [*(getattr(self, role) for role in ROLES), *(consumer.client for consumer in self.consumers)]:
            client.close()


def gather(deployment: Deployment) -> Cast:
    """Make the users, or take those of an earlier run in this directory, whose tokens are kept beside the data."""
    file = deployment.directory / "tokens.json"
    tokens: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    if not tokens:
        tokens = {role: databases.add_user(deployment.provider.database_url, role, [role]) for role in ROLES}
        _keep(file, tokens)
    return Cast(
        **{role: deployment.provider_client(tokens[role]) for role in ROLES},
        acme=Consumer("ACME IT", "Ada Lovelace", "ada@acme.example", "ACME", deployment.consumer_client(ACME)),
        globex=Consumer("Globex", "Hank Scorpio", "hank@globex.example", "GLOBEX", deployment.consumer_client(GLOBEX)),
    )


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
