"""How long the server takes for each page, with much in it: `make page-times`, which is this module run as a program.

    python -m tests.campaigns.page_times --orders 10000 --connections 100 --output reports/page-times.md

Each page is asked for as admin, by the Flask client in the same process: reading, rendering, and no network. Nothing
is asserted; the report marks what takes longer than it should.
"""

import argparse
import logging
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import flask

from sxg.bench.report import commit
from tests.api.page_client import CountedStatements, Visitor, signed_in
from tests.api.page_walk import walk
from tests.busy import BESIDE, filled
from tests.busy_beside import FEWER

SIDES = ("provider", "consumer")
MOST_MS = 300
REPEATS = 5
EACH = 2
"""Pages of one route: two orders, two items of the catalog."""
MORE = {
    "provider": (
        "/orders?q=Berlin", "/orders?state=in_progress&sort=company", "/orders?q=C7&page=2", "/tasks?q=C7",
        "/deliveries?state=parked", "/deliveries?q=ORD0005", "/connections?health=ill", "/connections?sort=-waiting",
        "/cases?whose=all&q=C7", "/cases?whose=all&sort=company", "/incidents?q=Fault+7", "/incidents?sort=company",
        "/remote-tasks?q=C7", "/remote-tasks?sort=connection", "/contracts?q=C7", "/contracts?sort=-holder",
        "/personas?q=7", "/authorised-users?q=7", "/authorised-users?sort=-consumer", "/users?q=7", "/users?sort=-name",
    ),
    "consumer": (
        "/requests?q=000500", "/requests?state=in_progress&sort=item", "/products?q=Place+7", "/products?sort=-updated",
        "/connections?health=ill", "/from-provider?q=report", "/from-provider?sort=subject", "/tickets?q=7",
        "/tickets?sort=short_description", "/approvals?sort=item", "/requests?state=proposed", "/users?q=7",
    ),
}  # fmt: skip
"""Other views of the lists: search, filters, orders that are not the first."""


@dataclass(frozen=True)
class Timing:
    url: str
    median_ms: float
    statements: int
    kilobytes: float


def measure(app: flask.Flask, side: str) -> Iterator[Timing]:
    admin = signed_in(app, "admin", "admin")
    urls = [url for _, url in walk(app, admin, EACH)]
    for url in (*urls, *MORE[side]):
        yield _time(app, admin, url)


def _time(app: flask.Flask, admin: Visitor, url: str) -> Timing:
    with CountedStatements(app) as counted:
        size = len(admin.get(url).get_data())
    took = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        status = admin.get(url).status_code
        took.append((time.perf_counter() - begun) * 1000)
        if status != 200:
            raise SystemExit(f"{url} answers {status}")
    return Timing(url, statistics.median(took), counted.count, size / 1024)


def write(timings: dict[str, list[Timing]], connections: int, orders: int) -> str:
    beside = orders // BESIDE
    lines = [
        "# What pages take",
        "",
        f"{orders:,} orders or requests and {connections} connections, in SQLite; beside them {beside:,} each of cases",
        f"and incidents, tickets, remote tasks, rows of choices, and {beside // FEWER:,} each of contracts, users and",
        f"personas. As admin, by the Flask client; the median of {REPEATS}, on {os.cpu_count()} CPUs",
        f"({platform.machine()}) shared with whatever else ran.",
        f"Commit {commit()}; `make page-times` measures again. A page should take less than {MOST_MS} ms.",
    ]
    for side, rows in timings.items():
        slow = sum(row.median_ms > MOST_MS for row in rows)
        lines += ["", f"## {side.capitalize()}: {len(rows)} pages, {slow} over {MOST_MS} ms", ""]
        lines += ["| page | ms | statements | kB |", "|---|---:|---:|---:|"]
        for row in sorted(rows, key=lambda row: -row.median_ms):
            mark = " **slow**" if row.median_ms > MOST_MS else ""
            lines.append(f"| `{row.url}` | {row.median_ms:.0f}{mark} | {row.statements} | {row.kilobytes:.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--side", choices=SIDES, action="append", help="both, if none is named")
    parser.add_argument("--output", type=Path, default=Path("reports/page-times.md"))
    given = parser.parse_args()
    logging.disable()
    timings: dict[str, list[Timing]] = {}
    with tempfile.TemporaryDirectory(prefix="sxg-pages-") as name:
        for side in given.side or SIDES:
            begun = time.monotonic()
            with filled(side, Path(name, side), given.connections, given.orders) as app:
                print(f"{side}: filled in {time.monotonic() - begun:.0f} s", flush=True)
                timings[side] = list(measure(app, side))
    given.output.write_text(write(timings, given.connections, given.orders))
    print(f"{sum(map(len, timings.values()))} pages, in {given.output}")


if __name__ == "__main__":
    main()
