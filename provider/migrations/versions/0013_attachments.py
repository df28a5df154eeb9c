"""Attachments, in a lane of their own."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import ID, TIME

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("external_id", ID, nullable=False),
        sa.Column("provider_task_id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("author_name", sa.String(length=255), nullable=False),
        sa.Column("author_company", sa.String(length=120), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("from_consumer", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint("state in ('on_its_way', 'there', 'refused')", name="ck_attachments_state"),
        sa.CheckConstraint("size_bytes >= 0", name="ck_attachments_size_bytes"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_attachments_connection_id"),
        sa.ForeignKeyConstraint(["provider_task_id"], ["provider_tasks.id"], name="fk_attachments_provider_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_attachments"),
        sa.UniqueConstraint("connection_id", "external_id", name="uq_attachments_connection_id_external_id"),
        sa.UniqueConstraint("provider_task_id", "from_consumer", "sha256", "name", name="uq_attachments_content"),
    )
