"""Attachments, in a lane of their own; and what was said, fetched anew after a loss."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import ID, TIME

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("author_name", sa.String(length=255), nullable=False),
        sa.Column("author_company", sa.String(length=255), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("moved_bytes", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(length=10), nullable=True),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.CheckConstraint("state in ('on_its_way', 'there', 'refused')", name="ck_attachments_state"),
        sa.CheckConstraint("step in ('upload', 'download', 'tell')", name="ck_attachments_step"),
        sa.CheckConstraint("(step is null) = (due_at is null)", name="ck_attachments_due_at"),
        sa.ForeignKeyConstraint(
            ["connection_id", "task_id"], ["provider_tasks.connection_id", "provider_tasks.id"],
            name="fk_attachments_task",
        ),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_attachments"),
    )  # fmt: skip
    op.add_column("provider_connections", sa.Column("history_due_at", TIME, nullable=True))
    op.add_column("provider_connections", sa.Column("history_cursor", sa.Text(), nullable=True))
    op.create_index("ix_attachments_task", "attachments", ["connection_id", "task_id", "created_at", "id"])
    due, own = sa.text("due_at is not null"), sa.text("own")
    op.create_index("ix_attachments_due", "attachments", ["due_at"], postgresql_where=due, sqlite_where=due)
    op.create_index(
        "uq_attachments_content", "attachments", ["connection_id", "task_id", "sha256", "name"], unique=True,
        postgresql_where=own, sqlite_where=own,
    )  # fmt: skip
