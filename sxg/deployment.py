"""What belongs to a provider and its consumers side by side? Each process, its settings, its port, its turn to start.

The demo, the benchmarks and the end-to-end tests all stand on this one.
"""

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sxg.client import Client
from sxg.embedded import EmbeddedRedis, free_port
from sxg.supervisor import Program, Supervisor, http_ready

PROVIDER, CONSUMER = "provider", "consumer"
SIDES = (PROVIDER, CONSUMER)
_HOST = "127.0.0.1"


@dataclass
class Instance:
    """A provider or a consumer: where it answers, and the settings that all of its processes share."""

    side: str
    directory: Path
    database_url: str
    redis_url: str
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    address: str = ""
    """Where the world finds it, if that is a load balancer in front of several web processes."""
    web_ports: dict[str, int] = field(default_factory=dict)
    """Of every web process, by the name of its program."""
    name: str = ""
    """What its programs and its directory are called; the side, if there is only one of it."""

    def __post_init__(self) -> None:
        self.name = self.name or self.side

    @property
    def url(self) -> str:
        return self.address or f"http://{_HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are told, as `bridge.config` reads it."""
        return {
            "SXG_DATABASE_URL": self.database_url,
            "SXG_REDIS_URL": self.redis_url,
            "SXG_DATA_DIR": str(self.directory),
            "SXG_PUBLIC_URL": self.url,
            "SXG_INSTANCE_NAME": f"demo-{self.name}",
            "SXG_EGRESS_ALLOW": "127.0.0.0/8",
            **self.settings,
        }


class Deployment:
    """The instances and their Redis as supervised processes on free ports; `start` migrates the databases first.

    The instances are `provider` and one for each name in `consumers`. The programs are `redis` and, for each instance,
    `{name}-web`, `{name}-worker`, `{name}-slow` (the lane of slow connections) and `{name}-sweeper`. Databases are
    SQLite files below `directory` unless `database_urls` names others by instance. `settings` are added to the
    environment of all processes. A directory used before keeps its ports, for each side knows the other by its address.

    `copies` says how many processes a program has, as `{"provider-web": 2}`; the second one is `provider-web-2`, with
    a port of its own. `addresses` are those of load balancers, by instance. `shared` processes are forked from one
    that has loaded what all of them need, where the system can do that; otherwise each is started by itself.
    """

    def __init__(
        self,
        directory: Path,
        *,
        database_urls: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        copies: Mapping[str, int] | None = None,
        addresses: Mapping[str, str] | None = None,
        consumers: Sequence[str] = (CONSUMER,),
        workers: int = 1,
        threads: int = 8,
        shared: bool = True,
    ) -> None:
        self.directory = directory.absolute()
        self.redis = EmbeddedRedis(self.directory / "redis")
        names = (PROVIDER, *consumers)
        self._kept = _keep(self.directory / "deployment.json", names)
        self.api_tokens: dict[str, str] = {name: self._kept["api_tokens"][name] for name in consumers}
        self._web = ["--workers", str(workers), "--threads", str(threads)]
        self._copies = dict(copies or {})
        self._shared = shared
        self.instances = {name: self._instance(name, database_urls or {}, settings or {}) for name in names}
        for name, address in (addresses or {}).items():
            self.instances[name].address = address
        for name, token in self.api_tokens.items():
            self.instances[name].settings["SXG_API_TOKEN"] = token
        self.environments: dict[str, dict[str, str]] = {}
        """The environment of each program; a change counts from the program's next start."""
        programs = self._programs()
        self.programs = [program.name for program in programs]
        self.supervisor = Supervisor(programs, self.directory / "log")

    def _instance(self, name: str, database_urls: Mapping[str, str], settings: Mapping[str, str]) -> Instance:
        directory = self.directory / name
        directory.mkdir(parents=True, exist_ok=True)
        side = PROVIDER if name == PROVIDER else CONSUMER
        database_url = database_urls.get(name) or f"sqlite:///{directory / 'data.db'}"
        port = self._kept["ports"][name]
        return Instance(side, directory, database_url, self.redis.url, port, dict(settings), name=name)

    @property
    def provider(self) -> Instance:
        return self.instances[PROVIDER]

    @property
    def consumer(self) -> Instance:
        """The first one."""
        return self.instances[next(iter(self.api_tokens))]

    @property
    def api_token(self) -> str:
        """The first consumer's."""
        return self.api_tokens[self.consumer.name]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def migrate(self) -> None:
        """Bring all databases to the newest schema, in this process."""
        from sxg.databases import migrate  # noqa: PLC0415 - loads SQLAlchemy and Alembic

        for instance in self.instances.values():
            migrate(instance.side, instance.database_url)

    def start(self) -> None:
        """Return when all instances answer. Raises SupervisorError when one does not; nothing is left running then."""
        self.migrate()
        self.supervisor.start()

    def stop(self) -> None:
        """Stop everything; the processes of all instances at once, and Redis after them."""
        self.supervisor.pause(*self.environments)
        self.supervisor.stop()

    def consumer_client(self, name: str = "") -> Client:
        """For the first consumer, unless one is named."""
        name = name or self.consumer.name
        return Client(self.instances[name].url, self.api_tokens[name])

    def provider_client(self, token: str) -> Client:
        return Client(self.provider.url, token)

    def _programs(self) -> list[Program]:
        programs = [Program("redis", self.redis.command, ready=self.redis.answers)]
        for instance in self.instances.values():
            programs += self._programs_of(instance)
        # What nobody waits for comes first, so that it loads while the next one does.
        return sorted(programs, key=lambda program: (program.name != "redis", program.ready is not None))

    def _programs_of(self, instance: Instance) -> list[Program]:
        side = instance.side
        commands = {
            "worker": ["worker", side],
            "slow": ["worker", side, "--lane", "slow"],
            "sweeper": ["sweep", side],
        }
        programs = [
            Program(name, _sxg(*command), self._environment(name, instance), forked=self._shared)
            for role, command in commands.items()
            for name in self._names(f"{instance.name}-{role}")
        ]
        return programs + [self._web_program(name, instance) for name in self._names(f"{instance.name}-web")]

    def _web_program(self, name: str, instance: Instance) -> Program:
        port = instance.web_ports[name] = free_port() if instance.web_ports else instance.port
        command = _sxg(instance.side, "--bind", f"{_HOST}:{port}", *self._web)
        environment, ready = self._environment(name, instance), http_ready(port, "/ready")
        return Program(name, command, environment, ready, forked=self._shared)

    def _names(self, program: str) -> list[str]:
        """Of all copies of the program; the first has the plain name."""
        return [program, *(f"{program}-{number}" for number in range(2, self._copies.get(program, 1) + 1))]

    def _environment(self, name: str, instance: Instance) -> dict[str, str]:
        return self.environments.setdefault(name, instance.environment)


def _sxg(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sxg", *arguments]


def _keep(file: Path, names: Sequence[str]) -> dict[str, Any]:
    """What must stay the same from one start in a directory to the next: ports, and the consumers' tokens."""
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    ports, tokens = kept.setdefault("ports", {}), kept.setdefault("api_tokens", {})
    for name in names:
        ports.setdefault(name, free_port())
        tokens.setdefault(name, secrets.token_urlsafe(24))
    file.touch(mode=0o600)
    file.write_text(json.dumps(kept))
    return kept
