"""Criteria by what a consumer is and has, and who may order."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import BIG_ID, DOCUMENT, ID, TIME

revision = "0014"
down_revision = "0013"

_HELD = sa.text("state = 'held'")


def upgrade() -> None:
    op.add_column("entitlements", sa.Column("withdrawn_at", TIME, nullable=True))
    op.add_column("entitlements", sa.Column("kept_by", sa.String(length=160), nullable=True))
    op.add_column("entitlement_guard", sa.Column("refreshed_at", TIME, nullable=True))
    op.create_table(
        "entitlement_checks",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_entitlement_checks_connection_id"),
        sa.PrimaryKeyConstraint("id", name="pk_entitlement_checks"),
    )
    op.create_table(
        "held_removals",
        sa.Column("id", ID, nullable=False),
        sa.Column("identity", ID, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("connection_ids", DOCUMENT, nullable=False),
        sa.Column("entitled", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("decided_by", sa.String(length=160), nullable=True),
        sa.CheckConstraint("state in ('held', 'confirmed', 'kept', 'over')", name="ck_held_removals_state"),
        sa.CheckConstraint("(state = 'held') = (decided_at is null)", name="ck_held_removals_decided"),
        sa.PrimaryKeyConstraint("id", name="pk_held_removals"),
    )
    op.create_index(
        "uq_held_removals_identity",
        "held_removals",
        ["identity"],
        unique=True,
        postgresql_where=_HELD,
        sqlite_where=_HELD,
    )
