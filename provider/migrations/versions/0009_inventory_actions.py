"""Suspend, resume, disconnect, change and move what a consumer has."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import BIG_ID, DOCUMENT, ID, TIME

revision = "0009"
down_revision = "0008"

_STATES = (
    "installation_pending", "activation_pending", "active", "change_pending", "suspended", "inactivation_pending",
    "inactive",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("order_lines", sa.Column("part_key", sa.String(length=255), nullable=True))
    _let_products_have_parts()
    _create_operations()
    _create_changes()
    _tell_what_is_known()


def _let_products_have_parts() -> None:
    """SQLite adds a foreign key by making the table anew, for which Alembic must be told what it was."""
    with op.batch_alter_table("products", copy_from=_former_products()) as batch:
        batch.add_column(sa.Column("location_name", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("parent_id", ID, nullable=True))
        batch.add_column(sa.Column("part", DOCUMENT, nullable=True))
        batch.add_column(sa.Column("resumes_at", TIME, nullable=True))
        batch.create_foreign_key("fk_products_parent_id", "products", ["parent_id"], ["id"])
        for name in ("parent_id", "location_name", "resumes_at"):
            batch.create_index(f"ix_products_{name}", [name])
        batch.create_index("ix_products_place", ["connection_id", "location_name", "number"])


def _create_operations() -> None:
    table = "inventory_operations"
    is_open = sa.text("state = 'scheduled'")
    op.create_table(
        table,
        sa.Column("order_line_id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("product_id", ID, nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("previous", DOCUMENT, nullable=False),
        sa.Column("starts_at", TIME, nullable=True),
        sa.Column("ends_at", TIME, nullable=True),
        sa.CheckConstraint(
            "action in ('add', 'suspend', 'resume', 'disconnect', 'change', 'move')", name=f"ck_{table}_action"
        ),
        sa.CheckConstraint("state in ('scheduled', 'completed', 'cancelled')", name=f"ck_{table}_state"),
        sa.CheckConstraint("ends_at is null or action = 'suspend'", name=f"ck_{table}_ends_at"),
        sa.ForeignKeyConstraint(["order_line_id"], ["order_lines.id"], name=f"fk_{table}_order_line_id"),
        sa.ForeignKeyConstraint(["order_id"], ["customer_orders.id"], name=f"fk_{table}_order_id"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=f"fk_{table}_product_id"),
        sa.PrimaryKeyConstraint("order_line_id", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_order_id", table, ["order_id"])
    op.create_index(
        f"uq_{table}_product", table, ["product_id"], unique=True, postgresql_where=is_open, sqlite_where=is_open
    )
    op.create_index(f"ix_{table}_due", table, ["starts_at"], postgresql_where=is_open, sqlite_where=is_open)


def _create_changes() -> None:
    table = "product_changes"
    op.create_table(
        table,
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("product_id", ID, nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("from_state", sa.String(length=30), nullable=True),
        sa.Column("to_state", sa.String(length=30), nullable=False),
        sa.Column("provider_task_id", ID, nullable=False),
        sa.Column("changed", DOCUMENT, nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=f"fk_{table}_product_id"),
        sa.ForeignKeyConstraint(["provider_task_id"], ["provider_tasks.id"], name=f"fk_{table}_provider_task_id"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_product_id", table, ["product_id", "id"])


def _tell_what_is_known() -> None:
    """Of products that are there already: what they are part of, where they are, and that they came."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("update products set location_name = left(location ->> 'name', 255)")
    else:
        op.execute("update products set location_name = substr(json_extract(location, '$.name'), 1, 255)")
    op.execute(
        "update products set parent_id = ("
        "select whole.id from order_lines as line"
        " join products as whole on whole.order_line_id = line.parent_line_id"
        " and whole.unit = (products.unit - 1) / line.quantity + 1"
        " where line.id = products.order_line_id)"
    )
    op.execute("update products set part = '[]' where parent_id is null")
    op.execute(
        "insert into product_changes (product_id, action, to_state, provider_task_id, at)"
        " select products.id, 'add', products.state, products.provider_task_id, customer_orders.updated_at"
        " from products join customer_orders on customer_orders.id = products.order_id order by products.number"
    )


def _former_products() -> sa.Table:
    name = "products"
    states = ", ".join(f"'{state}'" for state in _STATES)
    columns = [sa.Column(column, ID, nullable=False) for column in (
        "id", "connection_id", "provider_task_id", "order_id", "order_line_id", "specification_id", "catalog_item_id"
    )]  # fmt: skip
    owners = {
        "connection_id": "connections", "provider_task_id": "provider_tasks", "order_id": "customer_orders",
        "order_line_id": "order_lines", "specification_id": "specifications",
    }  # fmt: skip
    return sa.Table(
        name,
        sa.MetaData(),
        *columns,
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("unit", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("characteristics", DOCUMENT, nullable=False),
        sa.Column("location", DOCUMENT, nullable=True),
        sa.CheckConstraint(f"state in ({states})", name=f"ck_{name}_state"),
        sa.CheckConstraint("unit >= 1", name=f"ck_{name}_unit"),
        *(
            sa.ForeignKeyConstraint([column], [f"{owner}.id"], name=f"fk_{name}_{column}")
            for column, owner in owners.items()
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("number", name=f"uq_{name}_number"),
        sa.UniqueConstraint("order_line_id", "unit", name=f"uq_{name}_order_line_id_unit"),
        sa.Index(f"ix_{name}_connection_id", "connection_id", "number"),
        sa.Index(f"ix_{name}_order_id", "order_id"),
    )
