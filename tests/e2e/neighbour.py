"""A second consumer beside that of a stage: own database, own processes, connected to the same provider.

with Stage(tmp_path) as stage, Neighbour(stage, "GLOBEX") as globex:
    globex.connect()
    globex.client.get("/catalog-items")
"""

import secrets
import sys
from typing import Any, Self

from sxg.client import ApiProblem, Client
from sxg.databases import migrate
from sxg.deployment import Instance
from sxg.supervisor import Program, Supervisor, http_ready
from tests.e2e.stage import Stage


class Neighbour:
    """One more consumer; its web server, worker and sweeper."""

    def __init__(self, stage: Stage, company: str) -> None:
        self.stage, self.company = stage, company
        self.connection_id = ""
        directory = stage.deployment.directory / company.lower()
        directory.mkdir()
        token = secrets.token_urlsafe(24)
        settings = {
            **stage.deployment.consumer.settings,
            "SXG_API_TOKEN": token,
            "SXG_INSTANCE_NAME": f"demo-{company.lower()}",
        }
        database_url = f"sqlite:///{directory / 'data.db'}"
        self.instance = Instance("consumer", directory, database_url, stage.redis.url, settings=settings)
        self.client = Client(self.instance.url, token)
        self.supervisor = Supervisor(self._programs(), directory / "log")

    def __enter__(self) -> Self:
        migrate("consumer", self.instance.database_url)
        self.supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.supervisor.stop()

    def connect(self) -> str:
        """Register and connect; the connection's id."""
        contact = {"contact_name": "Hank Scorpio", "contact_email": "hank@globex.example"}
        registration = self.stage.provider().post("/registrations", {"company": self.company, **contact})
        made = self.client.post(
            "/connections",
            {
                "provider_url": self.stage.deployment.provider.url,
                "token": registration["token"],
                "number_prefix": self.company,
            },
        )
        assert made["state"] == "active", made
        self.connection_id = made["connection_id"]
        return self.connection_id

    def find_item(self, item_id: str) -> dict[str, Any] | None:
        """None while it is not there."""
        try:
            found: dict[str, Any] = self.client.get(f"/catalog-items/{item_id}")
        except ApiProblem as problem:
            if problem.status == 404:
                return None
            raise
        return found

    def _programs(self) -> list[Program]:
        commands = {
            "worker": ["worker", "consumer"],
            "sweeper": ["sweep", "consumer"],
            "web": ["consumer", "--bind", f"127.0.0.1:{self.instance.port}", "--workers", "1", "--threads", "4"],
        }
        ready = {"web": http_ready(self.instance.port, "/ready")}
        environment = self.instance.environment
        return [
            Program(name, [sys.executable, "-m", "sxg", *command], environment, ready.get(name))
            for name, command in commands.items()
        ]
