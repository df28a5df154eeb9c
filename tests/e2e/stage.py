"""A stage for end-to-end tests: both instances as real processes, clients for every role, and a hand on each process.

    with Stage(tmp_path) as stage:
        stage.connect()
        order = stage.provider("order_manager").get("/orders")
        stage.kill("provider-worker")
        stage.redis.flush()
        stage.until(lambda: stage.is_quiet())
        assert stage.differences() == []

Programs: `redis`, and for each of `provider` and `consumer` its `-web`, `-worker`, `-slow` and `-sweeper`.
"""

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from redis import Redis

from sxg import databases
from sxg.client import ApiProblem, Client, Unreachable
from sxg.deployment import Deployment

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "sxg" / "data" / "managed_service_provider.json"
_T = TypeVar("_T")
_QUICK = {"SXG_LEASE_S": "3", "SXG_SWEEP_S": "0.3", "SXG_ALLOW_FAILPOINTS": "1"}


class RedisControl:
    """The Redis of the stage: flush it, take it away, bring it back under the same address."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    @property
    def url(self) -> str:
        return self._deployment.redis.url

    def flush(self) -> None:
        with Redis.from_url(self.url) as connection:
            connection.flushall()

    def stop(self) -> None:
        self._deployment.supervisor.pause("redis")

    def start(self) -> None:
        self._deployment.supervisor.resume("redis")


class Stage:
    """Everything of a deployment on free ports, with a lease of 3 s and a sweep every 0.3 s.

    `database_urls` are PostgreSQL URLs by side (`provider`, `consumer`); a side that is not named gets a SQLite file.
    """

    def __init__(
        self, directory: Path, database_urls: Mapping[str, str] | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.deployment = Deployment(directory, database_urls=database_urls, settings={**_QUICK, **(settings or {})})
        self.redis = RedisControl(self.deployment)
        self.connection_id = ""
        """Of the first `connect`."""
        self._clients: dict[str, Client] = {}

    def __enter__(self) -> Self:
        self.deployment.start()
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
        self.deployment.stop()

    # --- who speaks

    def provider(self, role: str = "admin") -> Client:
        """The provider's API as a user of this role, who is made when first asked for."""
        if role not in self._clients:
            token = databases.add_user(self.deployment.provider.database_url, role, [role])
            self._clients[role] = self.deployment.provider_client(token)
        return self._clients[role]

    @property
    def consumer(self) -> Client:
        """The consumer's API as its only user."""
        if "consumer" not in self._clients:
            self._clients["consumer"] = self.deployment.consumer_client()
        return self._clients["consumer"]

    # --- the story so far

    def connect(self, company: str = "ACME", prefix: str = "ACME") -> str:
        """Register and connect the consumer; the connection's id."""
        contact = {"contact_name": "Ada Lovelace", "contact_email": "ada@acme.example"}
        registration = self.provider().post("/registrations", {"company": company, **contact})
        made = self.consumer.post(
            "/connections",
            {"provider_url": self.deployment.provider.url, "token": registration["token"], "number_prefix": prefix},
        )
        assert made["state"] == "active", made
        connection_id: str = made.get("connection_id") or made["id"]
        self.connection_id = self.connection_id or connection_id
        return connection_id

    def publish(self, offering: str) -> dict[str, Any]:
        """Offer this offering of the example catalog (a name or external id) to everybody; the item at the consumer."""
        self.provider().post("/catalog/import", json.loads(CATALOG.read_text()))
        offerings = self.provider().pages("/product-offerings")
        chosen = next(found for found in offerings if offering in (found["external_id"], found["name"]))
        if chosen["lifecycle_state"] == "in_draft":
            self.provider().post(f"/product-offerings/{chosen['id']}/publish")
        producers = list(self.provider().pages("/remote-record-producers"))
        identity = next((one["identity"] for one in producers if one["name"] == chosen["name"]), None)
        assert identity, f"{offering} is not sold over the exchange"
        self.provider().post(f"/remote-record-producers/{identity}/publish", {"criteria": {"all_consumers": True}})
        return self.until(lambda: self.find(f"/catalog-items/{identity}"))

    def find(self, path: str) -> dict[str, Any] | None:
        """A record of the consumer, None while it is not there or the consumer does not answer."""
        try:
            found: dict[str, Any] = self.consumer.get(path)
        except ApiProblem as problem:
            if problem.status == 404:
                return None
            raise
        except Unreachable:
            return None
        return found

    # --- processes

    def kill(self, program: str, number: int = signal.SIGKILL) -> None:
        """The supervisor starts it again at once."""
        self.deployment.supervisor.kill(program, number)

    def pause(self, *programs: str) -> None:
        """Stop them, all at once, and leave them stopped until `resume`."""
        self.deployment.supervisor.pause(*programs)

    def resume(self, program: str) -> None:
        self.deployment.supervisor.resume(program)

    @contextmanager
    def paused(self, *programs: str) -> Iterator[None]:
        self.pause(*programs)
        yield
        for program in programs:
            self.resume(program)

    def starts(self, program: str) -> int:
        return self.deployment.supervisor.starts(program)

    def arm(self, program: str, failpoint: str) -> None:
        """Restart the program with `SXG_FAILPOINT` set (`name:kill:nth`); its next life is without it again."""
        environment = self.deployment.environments[program]
        self.pause(program)
        environment["SXG_FAILPOINT"] = failpoint
        self.resume(program)
        del environment["SXG_FAILPOINT"]

    def log(self, program: str) -> str:
        return (self.deployment.directory / "log" / f"{program}.log").read_text(errors="replace")

    # --- waiting and comparing

    def until(self, condition: Callable[[], _T | None], timeout_s: float = 20.0, every_s: float = 0.05) -> _T:
        """What the condition returns, once that is true; fails with the ends of the logs when it is not in time.

        A condition that finds a side unreachable is asked again: web servers are among those that get killed.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            with suppress(Unreachable):
                if result := condition():
                    return result
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout_s:g} s\n{self._log_ends()}")
            time.sleep(every_s)

    def is_quiet(self) -> bool:
        """Whether both sides answer and nothing is on its way; what is parked counts as quiet."""
        from sxg.compare import waiting  # noqa: PLC0415

        try:
            return waiting(self.provider(), self.consumer) == 0
        except Unreachable:
            return False

    def differences(self, timeout_s: float = 30.0) -> list[Any]:
        """What the two sides disagree about after quiet, or after `timeout_s`; first waits until both answer."""
        from sxg.compare import compare  # noqa: PLC0415

        self.until(self._both_answer, timeout_s)
        return list(compare(self.provider(), self.consumer, timeout_s=timeout_s).differences)

    def _both_answer(self) -> bool:
        return all(client.get("/connections") for client in (self.provider(), self.consumer))

    def _log_ends(self) -> str:
        logs = sorted((self.deployment.directory / "log").glob("*.log"))
        return "\n".join(f"--- {path.stem}\n{path.read_text(errors='replace')[-600:]}" for path in logs)
