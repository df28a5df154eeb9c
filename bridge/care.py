"""How is a connection looked after? What its page shows of that, in a number of queries that is always the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.flow import Flow
from bridge.flow_recent import read_directions
from bridge.issues import ListedIssue, list_issues
from bridge.models import Connection, Rotation

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Care:
    """`directions` by `out` and `in`; open issues, those seen last first; the last rotation of each secret."""

    directions: Mapping[str, Mapping[str, Any]]
    issues: Sequence[ListedIssue]
    rotations: Sequence[Rotation]
    new_url: str | None
    new_url_problem: str | None


def read_care(session: Session, flow: Flow, now: datetime) -> Care:
    connection = session.get_one(Connection, flow.connection_id)
    issues, _ = list_issues(session, connection_id=flow.connection_id, limit=_SHOWN)
    rotations = session.scalars(
        select(Rotation).where(Rotation.connection_id == flow.connection_id).order_by(Rotation.secret.desc())
    ).all()
    directions = read_directions(session, flow, now)
    return Care(directions, issues, rotations, connection.new_url, connection.new_url_problem)
