"""Thousands of generated calls of every operation of both sides: `make fuzz`, which is this module run as a program.

    python -m tests.campaigns.openapi --cases 2000 --seed 1 --output reports

It ends with 1 when a promise was broken, or when fewer calls were made.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sxg.bench.report import commit
from tests.api.worlds import World, make_consumer_world, make_provider
from tests.consumer_factories import connected_consumer
from tests.contract.generated_calls import operations_of, sign_batches, try_operation

SIDES = ("provider", "consumer")
CASES_EACH = 25
"""Calls of each operation and mode from one world; then a new world, for the calls before may have used it up."""


@dataclass
class Findings:
    """What one side answered. `failures` are texts, each with what was called."""

    seconds: float = 0.0
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return sum(seen.total() for seen in self.statuses.values())

    def count(self, hundred: int) -> int:
        return sum(seen[status] for seen in self.statuses.values() for status in seen if status // 100 == hundred)

    def never_done(self) -> list[str]:
        """Operations of which no call succeeded."""
        return [name for name, seen in self.statuses.items() if not any(status < 300 for status in seen)]


@contextmanager
def fresh_world(side: str) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="sxg-fuzz-") as name:
        directory, url = Path(name), f"sqlite:///{Path(name, 'data.db')}"
        if side == "provider":
            world = make_provider(url, directory)
            yield world
            world.database.close()
        else:
            with connected_consumer(url, directory) as one:
                sign_batches(world := make_consumer_world(one))
                yield world


def try_side(side: str, cases: int, seed: int) -> Findings:
    """Rounds over all operations until there were so many calls; a round that adds nothing would be for ever."""
    findings, started, rounds = Findings(), time.monotonic(), 0
    while findings.cases < cases and not findings.failures:
        before = findings.cases
        with fresh_world(side) as world:
            names = range(len(operations_of(world)))
        for index in names:
            try_one(side, index, seed * 1000 + rounds, findings)
        rounds += 1
        if findings.cases == before:
            break
    findings.seconds = time.monotonic() - started
    return findings


def try_one(side: str, index: int, number: int, findings: Findings) -> None:
    with fresh_world(side) as world:
        operation = operations_of(world)[index]
        name = f"{operation.method.upper()} {operation.path}"
        try:
            seen = try_operation(world, operation, cases=CASES_EACH, number=number)
        except Exception as broken:  # noqa: BLE001 - the campaign goes on and tells all that it finds
            findings.failures.append(f"{name} (seed {number}): {broken}")
            return
    findings.statuses.setdefault(name, Counter()).update(seen)


PAGE = """\
# OpenAPI: generated calls

{when}, commit {commit}, Schemathesis {schemathesis}, seed {seed}. Repeat with `make fuzz`.

Every call carries valid credentials; most go to records that exist, with bodies of which some members are right and
some made up. Each answer is held against the document: no 5xx, and a status, content type and body that it declares.

| side | operations | calls | 2xx | 4xx | 5xx | broken promises | seconds |
|---|---:|---:|---:|---:|---:|---:|---:|
{sums}
{sides}"""


def page(found: dict[str, Findings], seed: int) -> str:
    sums = [
        f"| {side} | {len(one.statuses)} | {one.cases:,} | {one.count(2):,} | {one.count(4):,} | {one.count(5):,} "
        f"| {len(one.failures)} | {one.seconds:.0f} |"
        for side, one in found.items()
    ]
    return PAGE.format(
        when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=commit() or "unknown",
        schemathesis=version("schemathesis"),
        seed=seed,
        sums="\n".join(sums),
        sides="".join(section(side, one) for side, one in found.items()),
    )


def section(side: str, one: Findings) -> str:
    rows = [
        f"| `{name}` | {seen.total()} | {', '.join(f'{status}: {n}' for status, n in sorted(seen.items()))} |"
        for name, seen in one.statuses.items()
    ]
    lines = ["", f"## {side.capitalize()}", "", "| operation | calls | answers |", "|---|---:|---|", *rows, ""]
    if never := one.never_done():
        lines += ["No call succeeded of " + ", ".join(f"`{name}`" for name in never) + ".", ""]
    for failure in one.failures:
        lines += ["```", failure.replace("```", "'''"), "```", ""]
    return "\n".join(lines)


def shortcomings(found: dict[str, Findings], cases: int) -> list[str]:
    """Why the campaign is not passed, one line each."""
    told = []
    for side, one in found.items():
        told += [f"{side}: a promise was broken: {failure}" for failure in one.failures]
        if one.cases < cases:
            told.append(f"{side}: {one.cases} calls, not {cases}")
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000, help="at least so many calls of each side")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other calls")
    parser.add_argument("--output", type=Path, default=Path("reports"), help="where openapi-cases.md is written")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)  # thousands of refusals; an error of ours is still logged with its traceback
    found = {side: try_side(side, asked.cases, asked.seed) for side in SIDES}
    asked.output.mkdir(parents=True, exist_ok=True)
    (asked.output / "openapi-cases.md").write_text(page(found, asked.seed))
    told = shortcomings(found, asked.cases)
    for side, one in found.items():
        print(f"{side}: {one.cases} calls, {one.count(2)} of them 2xx, {one.count(5)} 5xx, {one.seconds:.0f} s")
    print("\n".join(told) if told else f"every promise kept; see {asked.output / 'openapi-cases.md'}")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
