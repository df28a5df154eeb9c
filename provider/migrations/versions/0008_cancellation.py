"""The point of no return, and cancellation that is assessed."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import ID, TIME

revision = "0008"
down_revision = "0007"

TASK_STATES = (
    "('draft', 'open', 'in_progress', 'on_hold', 'scheduled', 'awaiting_information', 'resolved', 'closed_complete',"
    " 'cancelled')"
)


def upgrade() -> None:
    for column in (
        sa.Column("revision_operation", sa.String(length=10), nullable=True),
        sa.Column("cancellation", sa.String(length=10), nullable=True),
        sa.Column("cancellation_message", sa.Text(), nullable=True),
        sa.Column("cancellation_asked_by", sa.String(length=255), nullable=True),
    ):
        op.add_column("customer_orders", column)
    op.add_column("order_lines", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("order_lines", sa.Column("revision_operation", sa.String(length=10), nullable=True))
    op.add_column(
        "product_offerings", sa.Column("line_level_ponr", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    _let_tasks_compensate_others()


def _let_tasks_compensate_others() -> None:
    """SQLite adds constraints by making the table anew, for which Alembic must be told what it was."""
    with op.batch_alter_table("order_tasks", copy_from=_former_order_tasks()) as batch:
        batch.add_column(sa.Column("compensates_id", ID, nullable=True))
        batch.create_foreign_key("fk_order_tasks_compensates_id", "order_tasks", ["compensates_id"], ["id"])
        batch.create_unique_constraint("uq_order_tasks_compensates_id", ["compensates_id"])


def _former_order_tasks() -> sa.Table:
    name = "order_tasks"
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("order_line_id", ID, nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("previous_state", sa.String(length=30), nullable=True),
        sa.Column("depends_on", sa.JSON(), nullable=False),
        sa.Column("point_of_no_return", sa.Boolean(), nullable=False),
        sa.Column("assigned_to", sa.String(length=160), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("completed_at", TIME, nullable=True),
        sa.CheckConstraint(f"state in {TASK_STATES}", name=f"ck_{name}_state"),
        sa.CheckConstraint("(state = 'closed_complete') = (completed_at is not null)", name=f"ck_{name}_completed_at"),
        sa.CheckConstraint("previous_state is null or state = 'on_hold'", name=f"ck_{name}_previous_state"),
        sa.ForeignKeyConstraint(["order_id"], ["customer_orders.id"], name=f"fk_{name}_order_id"),
        sa.ForeignKeyConstraint(["order_line_id"], ["order_lines.id"], name=f"fk_{name}_order_line_id"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("number", name=f"uq_{name}_number"),
        sa.UniqueConstraint("order_line_id", "key", name=f"uq_{name}_order_line_id_key"),
        sa.Index(f"ix_{name}_order_id", "order_id"),
        sa.Index(f"ix_{name}_state", "state", "number"),
    )
