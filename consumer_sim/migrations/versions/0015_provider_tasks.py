"""Provider tasks without an order, and the scratchpad."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import ID, TIME

revision = "0015"
down_revision = "0014"

_SENT = "('waiting', 'accepted', 'refused')"


def upgrade() -> None:
    _let_steps_be_of_no_order()
    op.create_table(
        "cases",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("opened_by", sa.String(length=10), nullable=False),
        sa.Column("short_description", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("priority", sa.String(length=20), nullable=False),
        sa.Column("resolution_code", sa.String(length=40), nullable=True),
        sa.Column("resolution_label", sa.String(length=255), nullable=True),
        sa.Column("resolution_text", sa.Text(), nullable=True),
        sa.Column("answer", sa.String(length=10), nullable=True),
        sa.Column("answer_sent", sa.String(length=10), nullable=True),
        sa.Column("answer_problem", sa.Text(), nullable=True),
        sa.Column("acknowledgement", sa.String(length=10), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=255), nullable=True),
        sa.Column("acknowledged_at", TIME, nullable=True),
        sa.CheckConstraint("opened_by in ('consumer', 'provider')", name="ck_cases_opened_by"),
        sa.CheckConstraint("answer in ('accept', 'reject')", name="ck_cases_answer"),
        sa.CheckConstraint(f"answer_sent in {_SENT}", name="ck_cases_answer_sent"),
        sa.CheckConstraint("(answer is null) = (answer_sent is null)", name="ck_cases_answered"),
        sa.CheckConstraint(f"acknowledgement in {_SENT}", name="ck_cases_acknowledgement"),
        sa.ForeignKeyConstraint(
            ["connection_id", "task_id"], ["provider_tasks.connection_id", "provider_tasks.id"], name="fk_cases_task"
        ),
        sa.PrimaryKeyConstraint("connection_id", "task_id", name="pk_cases"),
    )
    op.create_index("ix_cases_opened_by", "cases", ["opened_by"])
    op.create_table(
        "scratchpad_entries",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("client_visible", sa.Boolean(), nullable=False),
        sa.Column("author_name", sa.String(length=255), nullable=True),
        sa.Column("author_company", sa.String(length=255), nullable=True),
        sa.Column("written_at", TIME, nullable=True),
        sa.Column("write_id", ID, nullable=True),
        sa.Column("own_value", sa.Text(), nullable=True),
        sa.Column("own_visible", sa.Boolean(), nullable=False),
        sa.Column("sent", sa.String(length=10), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint(f"sent in {_SENT}", name="ck_scratchpad_entries_sent"),
        sa.CheckConstraint("(sent is null) = (write_id is null)", name="ck_scratchpad_entries_write_id"),
        sa.ForeignKeyConstraint(
            ["connection_id", "task_id"],
            ["provider_tasks.connection_id", "provider_tasks.id"],
            name="fk_scratchpad_entries_task",
        ),
        sa.PrimaryKeyConstraint("connection_id", "task_id", "name", name="pk_scratchpad_entries"),
    )


def _let_steps_be_of_no_order() -> None:
    """SQLite changes a column by making the table anew, for which Alembic must be told what it was."""
    former = sa.Table(
        "task_states",
        sa.MetaData(),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("state_label", sa.String(length=255), nullable=False),
        sa.Column("order_state", sa.String(length=40), nullable=False),
        sa.Column("order_state_label", sa.String(length=255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("cancellation", sa.String(length=10), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id", "task_id"],
            ["provider_tasks.connection_id", "provider_tasks.id"],
            name="fk_task_states_task",
        ),
        sa.PrimaryKeyConstraint("connection_id", "task_id", "sequence", name="pk_task_states"),
        sa.Index("ix_task_states_received_at", "received_at"),
    )
    with op.batch_alter_table("task_states", copy_from=former) as batch:
        batch.alter_column("order_state", existing_type=sa.String(length=40), nullable=True)
        batch.alter_column("order_state_label", existing_type=sa.String(length=255), nullable=True)
