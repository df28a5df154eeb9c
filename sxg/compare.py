"""Do both instances hold the same records? Field by field, over their APIs, once nothing is on its way."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sxg.client import Client

Row = Mapping[str, Any]

ID_MEMBERS = {
    "provider_task": "task_id",
    "product": "product_id",
    "catalog_item": "item_id",
    "authorised_user": "authorised_user_id",
    "case": "task_id",
    "scratchpad": "task_id",
    "attachment": "attachment_id",
    "task_approval": "approval_id",
    "remote_task_definition": "definition_id",
    "remote_task": "task_id",
}
"""The kinds of records, each with the member that names one."""
_SHARED = {"remote_task": "fields"}
"""Members of which each side tells what it can; what both tell must be the same."""
MISSING = "(no such record)"
NOT_TOLD = "(not told)"
_POLL_S = 0.2
_WIDTH = 60
_STABLE_S = 1.0
"""How long differences must stay the same, with nothing on its way, to be believed."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that the two sides tell differently; an empty `field` stands for the whole record."""

    connection_id: str
    kind: str
    record: str
    field: str
    provider: Any
    consumer: Any

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """`quiet`: nothing was on its way any more, so the differences will not go away by themselves."""

    compared: Mapping[str, int]
    differences: Sequence[Difference]
    quiet: bool

    def to_json(self) -> dict[str, Any]:
        differences = [difference.to_json() for difference in self.differences]
        return {"compared": dict(self.compared), "quiet": self.quiet, "differences": differences}


def compare(
    provider: Client, consumer: Client, *, connection_ids: Sequence[str] = (), timeout_s: float = 30.0
) -> Report:
    """Look again and again until both sides are quiet, for `timeout_s` at most.

    All connections the consumer knows are compared unless some are named. Raises ClientError.
    """
    deadline = time.monotonic() + timeout_s
    wanted = list(connection_ids) or known_connections(consumer)
    stable_since, last = time.monotonic(), None
    while True:
        report = _look(provider, consumer, wanted)
        now = time.monotonic()
        if report != last:
            stable_since, last = now, report
        settled = report.quiet and (not report.differences or now - stable_since >= _STABLE_S)
        if settled or now >= deadline:
            return report
        time.sleep(_POLL_S)


@dataclass(frozen=True, slots=True)
class Behind:
    """One connection of a consumer that cannot be asked: what the provider still holds for it, and since when."""

    connection_id: str
    name: str
    state: str
    waiting: int
    parked: int
    oldest_at: str | None
    problem: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_behind(provider: Client, consumer_url: str, connection_ids: Sequence[str] = ()) -> list[Behind]:
    """What waits at the provider for a consumer that does not answer: for the named connections, else for those whose
    callback is at its address. Raises ClientError.
    """
    here = f"{consumer_url.rstrip('/')}/"
    found = [
        one
        for one in provider.pages("/connections")
        if (one["id"] in connection_ids if connection_ids else (one["peer_url"] or "").startswith(here))
    ]
    return [_behind(provider.get(f"/connections/{one['id']}")) for one in found if one["state"] != "revoked"]


def behind_lines(found: Sequence[Behind]) -> list[str]:
    """One line a connection, for people."""
    return [_behind_line(one) for one in found] or ["the provider has no connection to that address"]


def _behind(connection: Row) -> Behind:
    health = connection["health"]
    told = {name: connection[name] for name in ("name", "state", "problem")}
    return Behind(connection["id"], **told, **{name: health[name] for name in ("waiting", "parked", "oldest_at")})


def _behind_line(one: Behind) -> str:
    since = f", the oldest since {one.oldest_at}" if one.oldest_at else ""
    problem = f"; {one.problem}" if one.problem else ""
    return f"{one.name} ({one.connection_id}): {one.waiting} waiting, {one.parked} parked{since}{problem}"


def known_connections(consumer: Client) -> list[str]:
    """The ids, as on the wire, of the consumer's connections that a provider has made."""
    found = consumer.get("/connections")["items"]
    return [connection["connection_id"] for connection in found if connection.get("connection_id")]


def waiting(provider: Client, consumer: Client, connection_ids: Iterable[str] | None = None) -> int:
    """How many messages are on their way in either direction, as far as the APIs tell; parked ones do not count."""
    wanted = known_connections(consumer) if connection_ids is None else connection_ids
    events = sum(int(provider.get(f"/connections/{wanted_id}")["health"]["waiting"]) for wanted_id in wanted)
    requests = consumer.pages("/requests")
    return events + sum(1 for request in requests if request["delivery"]["state"] == "waiting")


def compare_rows(
    connection_id: str, kind: str, of_provider: Iterable[Row], of_consumer: Iterable[Row]
) -> Iterator[Difference]:
    """Every field that differs, and every record that only one side has, by the record's id."""
    member = ID_MEMBERS[kind]
    here, there = ({str(row[member]): row for row in rows} for rows in (of_provider, of_consumer))
    for record_id in sorted(here.keys() | there.keys()):
        mine, theirs = here.get(record_id), there.get(record_id)
        name = _name(kind, record_id, mine or theirs or {})
        if mine is None or theirs is None:
            told = ["present" if row is not None else MISSING for row in (mine, theirs)]
            yield Difference(connection_id, kind, name, "", *told)
            continue
        for field, one, other in _pairs(mine, theirs, _SHARED.get(kind)):
            if one != other:
                yield Difference(connection_id, kind, name, field, one, other)


def _pairs(mine: Row, theirs: Row, shared: str | None) -> Iterator[tuple[str, Any, Any]]:
    """Each member by its name, with what both sides tell."""
    for field in sorted((mine.keys() | theirs.keys()) - {shared}):
        yield field, mine.get(field, NOT_TOLD), theirs.get(field, NOT_TOLD)
    here, there = mine.get(shared or "") or {}, theirs.get(shared or "") or {}
    for key in sorted(here.keys() & there.keys()):
        for name in sorted(here[key].keys() & there[key].keys()):
            yield f"{shared} {key} {name}", here[key][name], there[key][name]


def _look(provider: Client, consumer: Client, connection_ids: Sequence[str]) -> Report:
    under_way = waiting(provider, consumer, connection_ids)
    counts = dict.fromkeys(ID_MEMBERS, 0)
    differences: list[Difference] = []
    for connection_id in connection_ids:
        for kind in ID_MEMBERS:
            mine = list(provider.pages(f"/connections/{connection_id}/records", kind=kind))
            theirs = list(consumer.pages("/records", kind=kind, connection=connection_id))
            counts[kind] += max(len(mine), len(theirs))
            differences += compare_rows(connection_id, kind, mine, theirs)
    return Report(counts, differences, under_way == 0)


def _name(kind: str, record_id: str, row: Row) -> str:
    """What people call the record, with its id."""
    called = row.get("number") or row.get("name")
    return f"{called} ({record_id})" if called else record_id


def report_lines(report: Report) -> list[str]:
    """The report for people: one line a difference, and a last one that sums up, without kinds of which there are
    none.
    """
    told = {kind: count for kind, count in report.compared.items() if count} or report.compared
    compared = ", ".join(f"{count} {kind.replace('_', ' ')}s" for kind, count in told.items())
    unrest = "" if report.quiet else "; messages were still on their way"
    if not report.differences:
        return [f"both sides are equal: {compared}{unrest}"]
    return [*map(_line, report.differences), f"{len(report.differences)} differences in {compared}{unrest}"]


def _line(difference: Difference) -> str:
    where = f"{difference.kind} {difference.record}" + (f" {difference.field}" if difference.field else "")
    return f"{where}: provider {_short(difference.provider)}, consumer {_short(difference.consumer)}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
