"""Personas and authorised users."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "personas",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_personas"),
        sa.UniqueConstraint("name", name="uq_personas_name"),
    )
    op.create_table(
        "authorised_users",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("groups", DOCUMENT, nullable=False),
        sa.Column("persona_ids", DOCUMENT, nullable=False),
        sa.Column("approved_persona_ids", DOCUMENT, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("approval", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.String(length=160), nullable=True),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("approval in ('requested', 'approved', 'refused')", name="ck_authorised_users_approval"),
        sa.CheckConstraint("approval <> 'refused' or reason is not null", name="ck_authorised_users_reason"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_authorised_users_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_authorised_users"),
    )
    op.create_index("ix_authorised_users_approval", "authorised_users", ["approval", "created_at"])
    op.add_column(
        "remote_record_producers",
        sa.Column("persona_ids", DOCUMENT, server_default=sa.text("'[]'"), nullable=False),
    )
