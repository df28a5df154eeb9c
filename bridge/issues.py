"""What is wrong with connections, kept: a fault that is found again counts on in its open issue, and one that is not
found any more is resolved by itself. Issues are never deleted.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from bridge.ailments import ADVICE, KINDS, find_ailments
from bridge.database import insert_into
from bridge.flow import read_flows
from bridge.models import Connection, Issue

DIFFERS = "differs"
_DIFFERING_LIMIT = 20
"""Open issues about differing records of one connection; more would say no more."""
_FAULT_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `kind` is a word for the known cause, `subject` what of the connection it is about."""

    connection_id: str
    kind: str
    fault: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class ListedIssue:
    """An issue with the name of its connection."""

    issue: Issue
    connection: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.issue.kind].format(id=self.issue.connection_id)


def note_finding(session: Session, finding: Finding, *, now: datetime) -> None:
    """Open an issue, or count on in the open one."""
    row = {
        "connection_id": finding.connection_id, "kind": finding.kind, "subject": finding.subject[:255],
        "fault": finding.fault[:_FAULT_LIMIT], "count": 1, "first_at": now, "last_at": now,
    }  # fmt: skip
    statement = insert_into(session, Issue).values(row)
    again = {"count": Issue.count + 1, "fault": statement.excluded.fault, "last_at": statement.excluded.last_at}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["connection_id", "kind", "subject"], index_where=Issue.resolved_at.is_(None), set_=again
        )
    )


def resolve_issues(
    session: Session, connection_id: str, kind: str, subjects: Collection[str] = ("",), *, now: datetime
) -> None:
    """What was wrong there is well again; nothing happens where no issue is open."""
    which = (Issue.connection_id == connection_id) & (Issue.kind == kind) & Issue.subject.in_(list(subjects))
    session.execute(update(Issue).where(_IS_OPEN, which).values(resolved_at=now))


def look_for_issues(session: Session, *, now: datetime) -> None:
    """What every flow suffers from just now, in its issues."""
    found = [
        Finding(flow.connection_id, one.kind, one.fault)
        for flow in read_flows(session)
        for one in find_ailments(flow, now)
    ]
    settle_issues(session, found, KINDS, now=now)


def settle_issues(session: Session, found: Sequence[Finding], kinds: Collection[str], *, now: datetime) -> None:
    """Make the open issues of these kinds those that were found just now."""
    wanted = {(one.connection_id, one.kind, one.subject[:255]) for one in found}
    opened = session.execute(
        select(Issue.id, Issue.connection_id, Issue.kind, Issue.subject).where(_IS_OPEN, Issue.kind.in_(kinds))
    ).all()
    over = [row.id for row in opened if (row.connection_id, row.kind, row.subject) not in wanted]
    if over:
        session.execute(update(Issue).where(Issue.id.in_(over)).values(resolved_at=now))
    for finding in found:
        note_finding(session, finding, now=now)


def note_divergence(
    session: Session, connection_id: str, compared: Sequence[str], differences: Sequence[str], *, now: datetime
) -> list[str]:
    """Streams whose digests were compared: an issue for each that differs, none for those that agree. The streams of
    which that is new.
    """
    differing = {difference.partition(": ")[0]: difference for difference in differences}
    agreeing = [stream for stream in compared if stream not in differing]
    resolve_issues(session, connection_id, DIFFERS, agreeing, now=now)
    ours = (Issue.connection_id == connection_id) & (Issue.kind == DIFFERS)
    opened = set(session.scalars(select(Issue.subject).where(_IS_OPEN, ours)))
    news = []
    for stream, difference in differing.items():
        if stream in opened or len(opened) < _DIFFERING_LIMIT:
            news += [stream] if stream not in opened else []
            opened.add(stream)
            note_finding(session, Finding(connection_id, DIFFERS, difference, stream), now=now)
    return news


def list_issues(
    session: Session, *, connection_id: str | None = None, resolved: bool = False, offset: int = 0, limit: int = 50
) -> tuple[list[ListedIssue], int]:
    """One page of the issues, open ones unless `resolved`, those seen last first, and how many there are."""
    wanted: list[ColumnElement[bool]] = [Issue.resolved_at.is_not(None) if resolved else _IS_OPEN]
    if connection_id is not None:
        wanted.append(Issue.connection_id == connection_id)
    total = session.scalar(select(func.count()).select_from(Issue).where(*wanted)) or 0
    query = select(Issue, Connection.name).outerjoin(Connection, Connection.id == Issue.connection_id).where(*wanted)
    rows = session.execute(query.order_by(Issue.last_at.desc(), Issue.id).offset(offset).limit(limit))
    return [ListedIssue(issue, name or issue.connection_id) for issue, name in rows], total


def describe_issues(session: Session, *, connection_id: UUID | None, resolved: bool) -> dict[str, Any]:
    """At most 200 issues as a document, with what to do about each."""
    wanted = None if connection_id is None else str(connection_id)
    found, total = list_issues(session, connection_id=wanted, resolved=resolved, limit=200)
    names = ("id", "connection_id", "kind", "subject", "fault", "count", "first_at", "last_at", "resolved_at")
    items = [
        {**{name: getattr(one.issue, name) for name in names}, "connection": one.connection, "advice": one.advice}
        for one in found
    ]
    return {"items": items, "total": total, "next": None}


_IS_OPEN = Issue.resolved_at.is_(None)
