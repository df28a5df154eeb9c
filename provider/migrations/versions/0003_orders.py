"""Requests, orders, the work on them, what was said, and the inventory."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import BIG_ID, DOCUMENT, ID, TIME

revision = "0003"
down_revision = "0002"

ORDER_STATES = (
    "('draft', 'submitted', 'enrichment_in_progress', 'enrichment_on_hold', 'new', 'acknowledged', "
    "'scheduled', 'rejected', 'in_progress', 'revision_in_progress', 'awaiting_information', "
    "'on_hold', 'assessing_cancellation', 'cancellation_in_progress', 'cancelled', 'completed')"
)
ORDER_TASK_STATES = (
    "('draft', 'open', 'in_progress', 'on_hold', 'scheduled', 'awaiting_information', 'resolved', "
    "'closed_complete', 'cancelled')"
)
PRODUCT_STATES = (
    "('installation_pending', 'activation_pending', 'active', 'change_pending', 'suspended', "
    "'inactivation_pending', 'inactive')"
)


def upgrade() -> None:
    _create_request_tables()
    _create_order_tables()
    _create_conversation_tables()
    _create_inventory_tables()


def _create_request_tables() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", BIG_ID, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
    )
    op.create_table(
        "customer_orders",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("category", sa.String(length=10), nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("company", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("saved_states", DOCUMENT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("ponr", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.CheckConstraint("category in ('product', 'service')", name="ck_customer_orders_category"),
        sa.CheckConstraint(f"state in {ORDER_STATES}", name="ck_customer_orders_state"),
        sa.CheckConstraint("version >= 1", name="ck_customer_orders_version"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_customer_orders_connection_id"),
        sa.PrimaryKeyConstraint("id", name="pk_customer_orders"),
        sa.UniqueConstraint("number", name="uq_customer_orders_number"),
    )
    op.create_index("ix_customer_orders_connection_id", "customer_orders", ["connection_id"], unique=False)
    op.create_index("ix_customer_orders_state", "customer_orders", ["state", "number"], unique=False)
    op.create_table(
        "provider_tasks",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("external_id", ID, nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("catalog_item_id", ID, nullable=False),
        sa.Column("catalog_item_revision", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("acceptance", DOCUMENT, nullable=True),
        sa.Column("order_id", ID, nullable=True),
        sa.Column("requested_by", DOCUMENT, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.CheckConstraint("revision >= 1", name="ck_provider_tasks_revision"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_provider_tasks_connection_id"),
        sa.ForeignKeyConstraint(["order_id"], ["customer_orders.id"], name="fk_provider_tasks_order_id"),
        sa.PrimaryKeyConstraint("id", name="pk_provider_tasks"),
        sa.UniqueConstraint("connection_id", "external_id", name="uq_provider_tasks_connection_id_external_id"),
        sa.UniqueConstraint("number", name="uq_provider_tasks_number"),
        sa.UniqueConstraint("order_id", name="uq_provider_tasks_order_id"),
    )
    op.create_table(
        "refused_submissions",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("external_id", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_refused_submissions_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "external_id", name="pk_refused_submissions"),
    )


def _create_order_tables() -> None:
    op.create_table(
        "order_lines",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("parent_line_id", ID, nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("product_offering_id", ID, nullable=True),
        sa.Column("specification_id", ID, nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("saved_states", DOCUMENT, nullable=False),
        sa.Column("ponr", sa.Boolean(), nullable=False),
        sa.Column("characteristics", DOCUMENT, nullable=False),
        sa.Column("location", DOCUMENT, nullable=True),
        sa.Column("contacts", DOCUMENT, nullable=False),
        sa.Column("requested_on", sa.String(length=10), nullable=True),
        sa.CheckConstraint(
            "action in ('add', 'change', 'disconnect', 'suspend', 'resume', 'no_change')", name="ck_order_lines_action"
        ),
        sa.CheckConstraint(f"state in {ORDER_STATES}", name="ck_order_lines_state"),
        sa.CheckConstraint("parent_line_id is null or parent_line_id <> id", name="ck_order_lines_parent"),
        sa.CheckConstraint("quantity >= 1", name="ck_order_lines_quantity"),
        sa.ForeignKeyConstraint(["order_id"], ["customer_orders.id"], name="fk_order_lines_order_id"),
        sa.ForeignKeyConstraint(["parent_line_id"], ["order_lines.id"], name="fk_order_lines_parent_line_id"),
        sa.ForeignKeyConstraint(
            ["product_offering_id"], ["product_offerings.id"], name="fk_order_lines_product_offering_id"
        ),
        sa.ForeignKeyConstraint(["specification_id"], ["specifications.id"], name="fk_order_lines_specification_id"),
        sa.PrimaryKeyConstraint("id", name="pk_order_lines"),
        sa.UniqueConstraint("number", name="uq_order_lines_number"),
        sa.UniqueConstraint("order_id", "position", name="uq_order_lines_order_id_position"),
    )
    op.create_index("ix_order_lines_parent_line_id", "order_lines", ["parent_line_id"], unique=False)
    op.create_table(
        "order_tasks",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("order_line_id", ID, nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("previous_state", sa.String(length=30), nullable=True),
        sa.Column("depends_on", DOCUMENT, nullable=False),
        sa.Column("point_of_no_return", sa.Boolean(), nullable=False),
        sa.Column("assigned_to", sa.String(length=160), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("completed_at", TIME, nullable=True),
        sa.CheckConstraint(
            "(state = 'closed_complete') = (completed_at is not null)", name="ck_order_tasks_completed_at"
        ),
        sa.CheckConstraint("previous_state is null or state = 'on_hold'", name="ck_order_tasks_previous_state"),
        sa.CheckConstraint(f"state in {ORDER_TASK_STATES}", name="ck_order_tasks_state"),
        sa.ForeignKeyConstraint(["order_id"], ["customer_orders.id"], name="fk_order_tasks_order_id"),
        sa.ForeignKeyConstraint(["order_line_id"], ["order_lines.id"], name="fk_order_tasks_order_line_id"),
        sa.PrimaryKeyConstraint("id", name="pk_order_tasks"),
        sa.UniqueConstraint("number", name="uq_order_tasks_number"),
        sa.UniqueConstraint("order_line_id", "key", name="uq_order_tasks_order_line_id_key"),
    )
    op.create_index("ix_order_tasks_order_id", "order_tasks", ["order_id"], unique=False)
    op.create_index("ix_order_tasks_state", "order_tasks", ["state", "number"], unique=False)
    op.create_table(
        "order_state_changes",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("from_state", sa.String(length=30), nullable=True),
        sa.Column("to_state", sa.String(length=30), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["customer_orders.id"], name="fk_order_state_changes_order_id"),
        sa.PrimaryKeyConstraint("id", name="pk_order_state_changes"),
    )
    op.create_index("ix_order_state_changes_order_id", "order_state_changes", ["order_id", "id"], unique=False)


def _create_conversation_tables() -> None:
    op.create_table(
        "comments",
        sa.Column("provider_task_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("author_name", sa.String(length=120), nullable=False),
        sa.Column("author_company", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("from_consumer", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["provider_task_id"], ["provider_tasks.id"], name="fk_comments_provider_task_id"),
        sa.PrimaryKeyConstraint("provider_task_id", "id", name="pk_comments"),
    )
    op.create_index("ix_comments_provider_task_id", "comments", ["provider_task_id", "created_at", "id"], unique=False)
    op.create_table(
        "work_notes",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("author", sa.String(length=160), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["customer_orders.id"], name="fk_work_notes_order_id"),
        sa.PrimaryKeyConstraint("id", name="pk_work_notes"),
    )
    op.create_index("ix_work_notes_order_id", "work_notes", ["order_id", "created_at"], unique=False)


def _create_inventory_tables() -> None:
    op.create_table(
        "products",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("provider_task_id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("order_line_id", ID, nullable=False),
        sa.Column("specification_id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("unit", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("characteristics", DOCUMENT, nullable=False),
        sa.Column("location", DOCUMENT, nullable=True),
        sa.Column("catalog_item_id", ID, nullable=False),
        sa.CheckConstraint(f"state in {PRODUCT_STATES}", name="ck_products_state"),
        sa.CheckConstraint("unit >= 1", name="ck_products_unit"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_products_connection_id"),
        sa.ForeignKeyConstraint(["order_id"], ["customer_orders.id"], name="fk_products_order_id"),
        sa.ForeignKeyConstraint(["order_line_id"], ["order_lines.id"], name="fk_products_order_line_id"),
        sa.ForeignKeyConstraint(["provider_task_id"], ["provider_tasks.id"], name="fk_products_provider_task_id"),
        sa.ForeignKeyConstraint(["specification_id"], ["specifications.id"], name="fk_products_specification_id"),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("number", name="uq_products_number"),
        sa.UniqueConstraint("order_line_id", "unit", name="uq_products_order_line_id_unit"),
    )
    op.create_index("ix_products_connection_id", "products", ["connection_id", "number"], unique=False)
    op.create_index("ix_products_order_id", "products", ["order_id"], unique=False)
