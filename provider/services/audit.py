"""Who did what: written in the transaction of the deed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from provider.models.access import AuditEntry


def record_audit(
    session: Session, actor: str, action: str, object: str, now: datetime, detail: Mapping[str, Any] | None = None
) -> None:
    """`actor` is `user/{name}`, `connection/{id}` or `system`; `object` is `noun/{key}`. No secret in `detail`."""
    session.execute(
        insert(AuditEntry).values(
            at=now,
            actor=actor,
            action=action,
            object=object,
            detail=dict(detail or {}),
            request_id=session.info.get("request_id"),
        )
    )
