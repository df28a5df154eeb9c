"""Cancelling against the point of no return, a thousand times on each database: `make cancel-race` runs this module.

    python -m tests.campaigns.cancel_race --rounds 1000 --output reports/cancel-race.md

Exits 1 when both won, or neither, in any round, or when one of them never won.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from bridge.models import Connection
from sxg.bench.report import commit
from tests.cancel_race import CANCELLED, TOO_LATE, Tally, race, told_both
from tests.factories import exchange_database
from tests.postgres import EmbeddedPostgres, find_postgres_bin, fresh_database
from tests.templates import drop_templates


def main() -> int:
    options = _options()
    rows, failed = [], False
    for name, url in _databases():
        begun = time.monotonic()
        with exchange_database(url) as database:
            tally = race(database, options.rounds)
            with database.reading() as session:
                connection_id = session.execute(select(Connection.id)).scalar_one()
            both = [*tally.broken, *told_both(database, connection_id)]
        failed = failed or bool(both) or set(tally.winners) != {CANCELLED, TOO_LATE}
        rows.append(_row(name, tally, len(both), time.monotonic() - begun))
        print(rows[-1], *both[:5], sep="\n", flush=True)
    options.output.write_text(_report(rows, options.rounds), encoding="utf-8")
    return int(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=Path("reports/cancel-race.md"))
    return parser.parse_args()


def _databases() -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="sxg-race-") as directory:
        yield "SQLite", f"sqlite:///{directory}/race.db"
    with _postgresql() as server:
        if server:
            with fresh_database(server) as url:
                yield "PostgreSQL", url
            drop_templates(server)


@contextmanager
def _postgresql() -> Iterator[str | None]:
    """The URL of a server; None where there is none, which the report then shows."""
    if url := os.environ.get("SXG_TEST_PG_URL"):
        yield url
    elif find_postgres_bin() is None:
        yield None
    else:
        with tempfile.TemporaryDirectory(prefix="sxg-pg-") as directory:
            Path(directory).chmod(0o711)
            with EmbeddedPostgres(Path(directory, "data")) as server:
                yield server.url


def _row(name: str, tally: Tally, both: int, seconds: float) -> str:
    won = " | ".join(str(tally.winners[winner]) for winner in (CANCELLED, TOO_LATE))
    return f"| {name} | {won} | {both} | {seconds:.0f} s |"


def _report(rows: list[str], rounds: int) -> str:
    return f"""# Cancelling against the point of no return, {rounds} rounds on each database

In each round a cancellation and the order task that is the point of no return begin at once, in two threads and two
transactions. *Both or neither* counts rounds in which the order, or what the consumer was told, says that both won, or
that none did.

| database | the cancellation won | the task won | both or neither | took |
|---|---|---|---|---|
{chr(10).join(rows)}

Python {platform.python_version()}, {os.cpu_count()} CPUs, commit {commit()}. Made by `make cancel-race`.
"""


if __name__ == "__main__":
    sys.exit(main())
