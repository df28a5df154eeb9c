"""Connecting, catalog items, requests and what is told of them, products, and the fault switch."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import BIG_ID, DOCUMENT, ID, TIME

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _create_own_tables()
    _create_catalog_tables()
    _create_task_tables()


def _create_own_tables() -> None:
    op.create_table(
        "provider_connections",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=True),
        sa.Column("provider_url", sa.String(length=2000), nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("requested_prefix", sa.String(length=12), nullable=False),
        sa.Column("number_prefix", sa.String(length=12), nullable=True),
        sa.Column("provider_name", sa.String(length=120), nullable=True),
        sa.Column("step", sa.String(length=10), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("auto_activate", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("step in ('complete', 'verify', 'done')", name="ck_provider_connections_step"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_provider_connections_connection_id"),
        sa.PrimaryKeyConstraint("id", name="pk_provider_connections"),
        sa.UniqueConstraint("connection_id", name="uq_provider_connections_connection_id"),
    )
    op.create_index("ix_provider_connections_token_hash", "provider_connections", ["token_hash"], unique=False)
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.create_table(
        "fault_switches",
        sa.Column("singleton", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("times", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("type", sa.String(length=120), nullable=True),
        sa.Column("stream", sa.String(length=255), nullable=True),
        sa.CheckConstraint(
            "mode in ('slow', 'error', 'offline', 'lose_answer', 'reject')", name="ck_fault_switches_mode"
        ),
        sa.CheckConstraint("singleton = 1", name="ck_fault_switches_singleton"),
        sa.PrimaryKeyConstraint("singleton", name="pk_fault_switches"),
    )


def _create_catalog_tables() -> None:
    op.create_table(
        "catalog_items",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("short_description", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("form", DOCUMENT, nullable=False),
        sa.Column("orderable", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("removed_reason", sa.String(length=40), nullable=True),
        sa.Column("active_revision", sa.Integer(), nullable=True),
        sa.Column("active_form", DOCUMENT, nullable=True),
        sa.Column("activation", sa.String(length=10), nullable=True),
        sa.Column("activation_problem", sa.Text(), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("activation in ('waiting', 'accepted', 'refused')", name="ck_catalog_items_activation"),
        sa.CheckConstraint("kind in ('product', 'service')", name="ck_catalog_items_kind"),
        sa.CheckConstraint("state <> 'active' or active_revision is not null", name="ck_catalog_items_active_revision"),
        sa.CheckConstraint(
            "state in ('pending_activation', 'active', 'inactive', 'removed')", name="ck_catalog_items_state"
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_catalog_items_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_catalog_items"),
    )
    op.create_index("ix_catalog_items_id", "catalog_items", ["id"], unique=False)
    op.create_table(
        "products",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("state_label", sa.String(length=255), nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("order_number", sa.String(length=40), nullable=False),
        sa.Column("line_number", sa.String(length=40), nullable=False),
        sa.Column("characteristics", DOCUMENT, nullable=False),
        sa.Column("location", DOCUMENT, nullable=True),
        sa.Column("location_name", sa.String(length=255), nullable=True),
        sa.Column("catalog_item_id", ID, nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_products_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_products"),
    )
    op.create_index("ix_products_id", "products", ["id"], unique=False)
    op.create_index("ix_products_location_name", "products", ["location_name"], unique=False)
    op.create_index("ix_products_task", "products", ["connection_id", "task_id"], unique=False)


def _create_task_tables() -> None:
    op.create_table(
        "provider_tasks",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=True),
        sa.Column("placeholder", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("catalog_item_id", ID, nullable=True),
        sa.Column("request", DOCUMENT, nullable=True),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("submission", sa.String(length=10), nullable=False),
        sa.Column("refusal", DOCUMENT, nullable=True),
        sa.Column("resubmission", sa.String(length=10), nullable=True),
        sa.Column("cancellation", sa.String(length=10), nullable=True),
        sa.Column("cancellation_reason", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=True),
        sa.Column("state_label", sa.String(length=255), nullable=True),
        sa.Column("order_number", sa.String(length=40), nullable=True),
        sa.Column("order_state", sa.String(length=40), nullable=True),
        sa.Column("order_state_label", sa.String(length=255), nullable=True),
        sa.Column("order_version", sa.Integer(), nullable=True),
        sa.Column("ponr", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("cancellation in ('waiting', 'accepted', 'refused')", name="ck_provider_tasks_cancellation"),
        sa.CheckConstraint("resubmission in ('waiting', 'accepted', 'refused')", name="ck_provider_tasks_resubmission"),
        sa.CheckConstraint(
            "submission in ('waiting', 'accepted', 'refused', 'withdrawn')", name="ck_provider_tasks_submission"
        ),
        sa.CheckConstraint("number is not null or placeholder", name="ck_provider_tasks_number"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_provider_tasks_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_provider_tasks"),
    )
    op.create_index("ix_provider_tasks_id", "provider_tasks", ["id"], unique=False)
    op.create_index(
        "uq_provider_tasks_number",
        "provider_tasks",
        ["connection_id", "number"],
        unique=True,
        postgresql_where=sa.text("not placeholder"),
        sqlite_where=sa.text("not placeholder"),
    )
    op.create_table(
        "task_states",
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
        sa.ForeignKeyConstraint(
            ["connection_id", "task_id"],
            ["provider_tasks.connection_id", "provider_tasks.id"],
            name="fk_task_states_task",
        ),
        sa.PrimaryKeyConstraint("connection_id", "task_id", "sequence", name="pk_task_states"),
    )
    op.create_table(
        "comments",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("author_name", sa.String(length=255), nullable=False),
        sa.Column("author_company", sa.String(length=255), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("sent", sa.String(length=10), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint("sent in ('waiting', 'accepted', 'refused')", name="ck_comments_sent"),
        sa.CheckConstraint("own = (sent is not null)", name="ck_comments_own"),
        sa.ForeignKeyConstraint(
            ["connection_id", "task_id"], ["provider_tasks.connection_id", "provider_tasks.id"], name="fk_comments_task"
        ),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_comments"),
    )
    op.create_index("ix_comments_task", "comments", ["connection_id", "task_id", "created_at", "id"], unique=False)
    op.create_table(
        "held_calls",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("operation", sa.String(length=20), nullable=False),
        sa.Column("body", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id", "task_id"],
            ["provider_tasks.connection_id", "provider_tasks.id"],
            name="fk_held_calls_task",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_held_calls"),
    )
    op.create_index("ix_held_calls_task", "held_calls", ["connection_id", "task_id"], unique=False)
