"""Two more ways to misbehave, and the newest of what came, by index."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MODES = "'slow', 'error', 'offline', 'lose_answer', 'reject', 'duplicate', 'reorder'"


def upgrade() -> None:
    # SQLite cannot change a check constraint. A switch is for tests and shows: one that is on is simply off again.
    op.drop_table("fault_switches")
    op.create_table(
        "fault_switches",
        sa.Column("singleton", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("times", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("type", sa.String(length=120), nullable=True),
        sa.Column("stream", sa.String(length=255), nullable=True),
        sa.CheckConstraint(f"mode in ({_MODES})", name="ck_fault_switches_mode"),
        sa.CheckConstraint("singleton = 1", name="ck_fault_switches_singleton"),
        sa.PrimaryKeyConstraint("singleton", name="pk_fault_switches"),
    )
    op.create_index("ix_task_states_received_at", "task_states", ["received_at"], unique=False)
    op.create_index("ix_comments_own", "comments", ["own", "created_at"], unique=False)
    op.create_index("ix_products_updated_at", "products", ["updated_at"], unique=False)
    op.create_index("ix_catalog_items_updated_at", "catalog_items", ["updated_at"], unique=False)
