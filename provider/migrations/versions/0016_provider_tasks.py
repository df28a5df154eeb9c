"""Provider tasks without an order, and the scratchpad."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import BIG_ID, ID, TIME

revision = "0016"
down_revision = "0015"

_STATES = "'received', 'work_in_progress', 'awaiting_info', 'resolved', 'closed', 'cancelled'"


def upgrade() -> None:
    _let_tasks_be_of_no_item()
    _create_cases()
    _let_notes_be_of_cases()
    _create_scratchpads()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("create sequence provider_task_numbers")


def _let_tasks_be_of_no_item() -> None:
    """In place: rows refer to these, so SQLite cannot make the table anew."""
    table = "provider_tasks"
    for name, kind in (("catalog_item_id", ID), ("catalog_item_revision", sa.Integer())):
        if op.get_bind().dialect.name == "postgresql":
            op.alter_column(table, name, existing_type=kind, nullable=True)
            continue
        op.add_column(table, sa.Column(f"{name}_or_null", kind, nullable=True))
        both = sa.table(table, sa.column(name), sa.column(f"{name}_or_null"))
        op.execute(sa.update(both).values({both.c[f"{name}_or_null"]: both.c[name]}))
        op.execute(f"alter table {table} drop column {name}")
        op.execute(f"alter table {table} rename column {name}_or_null to {name}")


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("provider_task_id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("company", sa.String(length=120), nullable=False),
        sa.Column("opened_by", sa.String(length=10), nullable=False),
        sa.Column("short_description", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("assigned_to", sa.String(length=160), nullable=True),
        sa.Column("resolution_code", sa.String(length=30), nullable=True),
        sa.Column("resolution_text", sa.Text(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=255), nullable=True),
        sa.Column("acknowledged_at", TIME, nullable=True),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("over_at", TIME, nullable=True),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"state in ({_STATES})", name="ck_cases_state"),
        sa.CheckConstraint("opened_by in ('consumer', 'provider')", name="ck_cases_opened_by"),
        sa.CheckConstraint("priority between 1 and 4", name="ck_cases_priority"),
        sa.CheckConstraint("(state in ('closed', 'cancelled')) = (over_at is not null)", name="ck_cases_over_at"),
        sa.CheckConstraint("(resolution_code is null) = (resolution_text is null)", name="ck_cases_resolution"),
        sa.CheckConstraint("state <> 'resolved' or resolution_code is not null", name="ck_cases_resolved"),
        sa.ForeignKeyConstraint(["provider_task_id"], ["provider_tasks.id"], name="fk_cases_provider_task_id"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_cases_connection_id"),
        sa.PrimaryKeyConstraint("provider_task_id", name="pk_cases"),
    )
    op.create_index("ix_cases_state", "cases", ["state", "updated_at"])
    op.create_index("ix_cases_connection_id", "cases", ["connection_id"])
    op.create_table(
        "case_changes",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("provider_task_id", ID, nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=True),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("person", sa.String(length=255), nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_task_id"], ["cases.provider_task_id"], name="fk_case_changes_provider_task_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_case_changes"),
    )
    op.create_index("ix_case_changes_provider_task_id", "case_changes", ["provider_task_id", "id"])


def _let_notes_be_of_cases() -> None:
    """SQLite changes a column by making the table anew, for which Alembic must be told what it was."""
    former = sa.Table(
        "work_notes",
        sa.MetaData(),
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("author", sa.String(length=160), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["customer_orders.id"], name="fk_work_notes_order_id"),
        sa.PrimaryKeyConstraint("id", name="pk_work_notes"),
        sa.Index("ix_work_notes_order_id", "order_id", "created_at"),
    )
    with op.batch_alter_table("work_notes", copy_from=former) as batch:
        batch.alter_column("order_id", existing_type=ID, nullable=True)
        batch.add_column(sa.Column("provider_task_id", ID, nullable=True))
        batch.create_foreign_key("fk_work_notes_provider_task_id", "provider_tasks", ["provider_task_id"], ["id"])
        batch.create_check_constraint("ck_work_notes_subject", "(order_id is null) <> (provider_task_id is null)")
        batch.create_index("ix_work_notes_provider_task_id", ["provider_task_id", "created_at"])


def _create_scratchpads() -> None:
    op.create_table(
        "scratchpad_entries",
        sa.Column("provider_task_id", ID, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("client_visible", sa.Boolean(), nullable=False),
        sa.Column("author_name", sa.String(length=160), nullable=False),
        sa.Column("from_consumer", sa.Boolean(), nullable=False),
        sa.Column("written_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_task_id"], ["provider_tasks.id"], name="fk_scratchpad_entries_provider_task_id"
        ),
        sa.PrimaryKeyConstraint("provider_task_id", "name", name="pk_scratchpad_entries"),
    )
