"""Does the doctor find what is wrong, say what to do, and leave everything as it is?"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import delete, update

from bridge import outbox
from bridge.database import Database
from bridge.identity import Keyring, ensure_instance
from bridge.jobs import Bell
from bridge.models import Connection, Delivery, Instance, Lease, Stream
from bridge.outbox import Rendering
from bridge.vocabulary import EventType
from sxg.cli import main
from sxg.databases import migrate

NO_SETTINGS = {name: None for name in os.environ if name.startswith("SXG_")}


class Site:
    """One instance's settings, database and data directory."""

    def __init__(self, directory: Path, database_url: str, side: str = "provider") -> None:
        self.side = side
        self.data_dir = directory / "data"
        self.database = Database(database_url)
        self.environment = {
            "SXG_DATABASE_URL": database_url,
            "SXG_DATA_DIR": str(self.data_dir),
            "SXG_PUBLIC_URL": "https://exchange.example",
            "SXG_INSTANCE_NAME": "northwind",
        }
        if side == "consumer":
            self.environment["SXG_API_TOKEN"] = "0123456789abcdef"

    def start_once(self) -> None:
        migrate(self.side, self.environment["SXG_DATABASE_URL"])
        self.keyring = Keyring.load(self.data_dir)
        with self.database.transaction() as session:
            identity = ensure_instance(session, "northwind", self.data_dir)
        self.instance_id = identity.id
        self.database.info["outbox"] = Rendering(identity.source)

    def connect(self, **values: Any) -> str:
        made = {
            "id": str(uuid4()), "name": "acme", "state": "active", "peer_url": "https://acme.example/", "settings": {},
            "secrets": self.keyring.seal({"webhook": ["whsec_AAAA"]}), "created_at": datetime.now(UTC),
        }  # fmt: skip
        with self.database.transaction() as session:
            session.add(Connection(**{**made, **values}))
        return str(made["id"])

    def tell(self, connection_id: str, count: int, ago_s: float) -> None:
        to, now = [connection_id], datetime.now(UTC) - timedelta(seconds=ago_s)
        with self.database.transaction() as session:
            for n in range(count):
                outbox.record_event(session, "product/1", EventType.PRODUCT_CHANGED, {"n": n}, to=to, now=now)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["doctor", self.side, *arguments], env={**NO_SETTINGS, **self.environment})

    def checks(self) -> dict[str, dict[str, Any]]:
        result = self.run("--json")
        assert result.exit_code in (0, 1, 3) and result.stdout, (result.output, result.exception)
        return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


@pytest.fixture
def site(tmp_path: Path, empty_database_url: str) -> Iterator[Site]:
    site = Site(tmp_path, empty_database_url)
    site.start_once()
    yield site
    site.database.close()


def test_a_healthy_instance_is_told_so(site: Site) -> None:
    connection_id = site.connect()
    with site.database.transaction() as session:
        session.add(Lease(connection_id=connection_id, last_success_at=datetime.now(UTC) - timedelta(seconds=9)))
    result = site.run()
    assert result.exit_code == 0, result.output
    assert "provider: healthy" in result.stdout
    assert "connection acme  active, 0 waiting, 0 parked, last success 9 s ago" in result.stdout
    assert "public addresses over https only" in result.stdout


def test_a_consumer_has_a_doctor_as_well(tmp_path: Path, sqlite_url: str) -> None:
    site = Site(tmp_path, sqlite_url, "consumer")
    site.start_once()
    site.database.close()
    result = site.run()
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "consumer: healthy")


def test_every_wrong_setting_is_named(tmp_path: Path, sqlite_url: str) -> None:
    site = Site(tmp_path, sqlite_url)
    site.environment |= {"SXG_PUBLIC_URL": "exchange", "SXG_SWEEP_S": "0"}
    result = site.run()
    assert result.exit_code == 2
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "setting SXG_PUBLIC_URL",
        "setting SXG_SWEEP_S",
    ]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, sqlite_url: str) -> None:
    site = Site(tmp_path, sqlite_url)
    assert site.checks()["database"]["advice"] == "run: sxg migrate provider"
    assert site.run().exit_code == 1
    assert not (tmp_path / "test.db").exists()


def test_an_old_schema_needs_attention(site: Site) -> None:
    with site.database.transaction() as session:
        session.connection().exec_driver_sql("update alembic_version set version_num = '0001'")
    assert site.checks()["schema"]["advice"] == "run: sxg migrate provider"


def test_an_unreachable_database_is_told_without_its_password(tmp_path: Path) -> None:
    site = Site(tmp_path, "postgresql://sxg:geheim@127.0.0.1:1/provider")
    result = site.run()
    assert result.exit_code == 3
    assert "postgresql://sxg:***@127.0.0.1:1/provider" in result.stdout
    assert "geheim" not in result.output


def test_an_unreachable_redis_is_told_without_its_password(site: Site) -> None:
    site.environment["SXG_REDIS_URL"] = "redis://:geheim@127.0.0.1:1/0"
    result = site.run()
    assert result.exit_code == 3
    assert "XX   redis" in result.stdout
    assert "geheim" not in result.output


def test_redis_tells_its_policy_and_who_is_there(site: Site, redis_url: str) -> None:
    site.environment["SXG_REDIS_URL"] = redis_url
    checks = site.checks()
    assert (checks["redis"]["status"], checks["redis"]["facts"]["workers"]) == ("ok", {"main": 0, "slow": 0})
    assert checks["workers"]["detail"] == "no worker on lane main; no worker on lane slow"
    assert checks["sweeper"]["detail"] == "its last round: never"
    Bell(redis_url, site.instance_id).beat()
    assert site.checks()["sweeper"]["detail"] == "its last round: 0 s ago"


def test_a_redis_that_evicts_needs_attention(site: Site, redis_url: str) -> None:
    from redis import Redis  # noqa: PLC0415

    site.environment["SXG_REDIS_URL"] = redis_url
    with Redis.from_url(redis_url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert site.checks()["redis"]["advice"] == "set maxmemory-policy noeviction"
        finally:
            redis.config_set("maxmemory-policy", "noeviction")


def test_a_lost_or_open_key_file_is_found_and_not_made_anew(site: Site) -> None:
    site.connect()
    file = site.data_dir / "keys"
    file.chmod(0o644)
    assert site.checks()["keys"]["advice"] == f"chmod 600 {file}"
    kept = file.read_text()
    file.unlink()
    assert site.checks()["keys"]["detail"] == f"{file} is missing"
    assert not file.exists()
    file.write_text(Fernet.generate_key().decode())
    file.chmod(0o600)
    assert site.checks()["keys"]["detail"] == "no key opens the secrets of acme"
    file.write_text(kept)
    assert site.checks()["keys"]["status"] == "ok"


def test_a_restored_database_is_found_by_its_epoch(site: Site) -> None:
    with site.database.transaction() as session:
        session.execute(update(Instance).values(epoch=str(uuid4())))
    assert "restored or copied" in site.checks()["instance"]["detail"]
    (site.data_dir / "epoch").unlink()
    assert "is missing" in site.checks()["instance"]["detail"]
    with site.database.transaction() as session:
        session.execute(delete(Instance))
    assert site.checks()["instance"]["detail"] == "never started on this database"


def test_broken_mapping_tables_are_named_by_line(site: Site, tmp_path: Path) -> None:
    (tmp_path / "order_state.yaml").write_text("table: [")
    site.environment["SXG_MAPPINGS_DIR"] = str(tmp_path)
    assert "order_state.yaml:" in site.checks()["mappings"]["detail"]


def test_a_failing_connection_tells_since_when_and_what_next(site: Site) -> None:
    connection_id = site.connect()
    site.tell(connection_id, 3, 3600)
    now = datetime.now(UTC)
    with site.database.transaction() as session:
        session.add(
            Lease(
                connection_id=connection_id, failures=7, failing_since=now - timedelta(minutes=50),
                not_before=now + timedelta(minutes=10), last_error="connection refused",
            )
        )  # fmt: skip
    check = site.checks()["connection acme"]
    assert check["status"] == "attention"
    assert (check["facts"]["waiting"], check["facts"]["failures"]) == (3, 7)
    assert check["facts"]["oldest_s"] == pytest.approx(3600, abs=30)
    assert "failed 7 times since 50 min ago, next probe in 10 min: connection refused" in check["detail"]
    assert site.checks()["delivering"]["status"] == "ok", "the breaker holds it back, not a missing worker"


def test_parked_deliveries_name_the_commands_that_help(site: Site) -> None:
    connection_id = site.connect()
    site.tell(connection_id, 2, 5)
    with site.database.transaction() as session:
        session.execute(update(Delivery).where(Delivery.sequence == 1).values(state="parked", error="no"))
        session.execute(update(Stream).values(due_at=None, blocked_by=1))
    check = site.checks()["connection acme"]
    assert "1 waiting, 1 parked" in check["detail"]
    assert f"--connection {connection_id}" in check["advice"]


@pytest.mark.parametrize("state", ["paused", "diverged"])
def test_a_stopped_connection_needs_people(site: Site, state: str) -> None:
    connection_id = site.connect(state=state, state_reason="product/1 #3")
    check = site.checks()["connection acme"]
    assert (check["status"], "product/1 #3" in check["detail"]) == ("attention", True)
    assert f"sxg connection resume {connection_id}" in check["advice"]


@pytest.mark.parametrize("state", ["pending", "revoked"])
def test_a_connection_that_need_not_flow_is_well(site: Site, state: str) -> None:
    site.connect(state=state, secrets=None)
    assert site.run().exit_code == 0


def test_due_work_that_nobody_does_is_found(site: Site) -> None:
    connection_id = site.connect()
    site.tell(connection_id, 1, 120)
    with site.database.transaction() as session:
        session.add(Lease(connection_id=connection_id, token=str(uuid4()), deadline_s=1.0))
    check = site.checks()["delivering"]
    assert (check["status"], check["facts"]["stale"]) == ("attention", [connection_id])
    assert "acme: due since 2 min ago, and nobody delivers" in check["detail"]
