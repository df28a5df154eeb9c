"""Approvals that consumers are asked for on provider tasks."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0020"
down_revision = "0019"

_TYPE = "exchange.provider_task.approval_changed"
_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    _approvals()
    _hold_for_who_has_not_named_them()


def _approvals() -> None:
    op.create_table(
        "task_approvals",
        sa.Column("id", ID, nullable=False),
        sa.Column("provider_task_id", ID, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("asked_by", sa.String(length=160), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("settled_by", sa.String(length=255), nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state in ('open', 'approved', 'rejected', 'withdrawn', 'ended')", name="ck_task_approvals_state"
        ),
        sa.CheckConstraint("(state = 'open') = (settled_at is null)", name="ck_task_approvals_settled_at"),
        sa.ForeignKeyConstraint(["provider_task_id"], ["provider_tasks.id"], name="fk_task_approvals_provider_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_task_approvals"),
    )
    op.create_index("ix_task_approvals_provider_task_id", "task_approvals", ["provider_task_id", "asked_at"])
    op.create_index(
        "ix_task_approvals_open", "task_approvals", ["asked_at"], postgresql_where=_OPEN, sqlite_where=_OPEN
    )


def _hold_for_who_has_not_named_them() -> None:
    """Consumers that tell which types they know do so with their next heartbeat; what is asked before is kept."""
    connections = sa.table("connections", sa.column("id", ID), sa.column("unspoken", DOCUMENT))
    bind = op.get_bind()
    for row in bind.execute(sa.select(connections)).all():
        if row.unspoken is not None and _TYPE not in row.unspoken:
            changed = sorted([*row.unspoken, _TYPE])
            bind.execute(sa.update(connections).where(connections.c.id == row.id).values(unspoken=changed))
