"""Files that people chose for questions of forms, and approvals that providers ask for on their tasks."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import ID, TIME

revision = "0019"
down_revision = "0018"

_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    _chosen_files()
    _task_approvals()


def _chosen_files() -> None:
    op.create_table(
        "chosen_files",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("chosen_by", sa.String(length=255), nullable=False),
        sa.Column("chosen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chosen_files"),
    )


def _task_approvals() -> None:
    op.create_table(
        "task_approvals",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("asked_by", sa.String(length=255), nullable=False),
        sa.Column("asked_company", sa.String(length=255), nullable=True),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("settled_by", sa.String(length=255), nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("answer", sa.String(length=10), nullable=True),
        sa.Column("answer_by", sa.String(length=255), nullable=True),
        sa.Column("answer_reason", sa.Text(), nullable=True),
        sa.Column("answer_sent", sa.String(length=10), nullable=True),
        sa.Column("answer_problem", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state in ('open', 'approved', 'rejected', 'withdrawn', 'ended')", name="ck_task_approvals_state"
        ),
        sa.CheckConstraint("answer in ('approve', 'reject')", name="ck_task_approvals_answer"),
        sa.CheckConstraint("answer_sent in ('waiting', 'accepted', 'refused')", name="ck_task_approvals_answer_sent"),
        sa.CheckConstraint("(answer is null) = (answer_sent is null)", name="ck_task_approvals_answered"),
        sa.ForeignKeyConstraint(
            ["connection_id", "task_id"],
            ["provider_tasks.connection_id", "provider_tasks.id"],
            name="fk_task_approvals_task",
        ),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_task_approvals"),
    )
    op.create_index("ix_task_approvals_task", "task_approvals", ["connection_id", "task_id", "asked_at"])
    op.create_index(
        "ix_task_approvals_open", "task_approvals", ["asked_at"], postgresql_where=_OPEN, sqlite_where=_OPEN
    )
