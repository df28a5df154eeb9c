"""The item that lists a consumer's inventory, and the prices of order lines as they were when they were ordered."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _let_items_list_the_inventory()
    op.add_column("order_lines", sa.Column("prices", DOCUMENT, nullable=True))


def _let_items_list_the_inventory() -> None:
    """SQLite changes constraints by making the table anew, for which Alembic must be told what it was."""
    with op.batch_alter_table("remote_record_producers", copy_from=_former_table()) as batch:
        batch.alter_column("specification_id", existing_type=ID, nullable=True)
        for name, rule in (
            ("kind", "kind in ('product', 'service', 'inventory')"),
            ("origin", "(product_offering_id is not null) = (kind = 'product')"),
        ):
            batch.drop_constraint(f"ck_remote_record_producers_{name}", type_="check")
            batch.create_check_constraint(f"ck_remote_record_producers_{name}", rule)
        batch.create_check_constraint(
            "ck_remote_record_producers_specification", "(specification_id is null) = (kind = 'inventory')"
        )
        batch.create_index(
            "uq_remote_record_producers_inventory",
            ["revision"],
            unique=True,
            postgresql_where=sa.text("kind = 'inventory'"),
            sqlite_where=sa.text("kind = 'inventory'"),
        )


def _former_table() -> sa.Table:
    name = "remote_record_producers"
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", ID, nullable=False),
        sa.Column("identity", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("short_description", sa.String(length=500), nullable=False),
        sa.Column("category", sa.String(length=120), nullable=False),
        sa.Column("product_offering_id", ID, nullable=True),
        sa.Column("specification_id", ID, nullable=False),
        sa.Column("form", DOCUMENT, nullable=False),
        sa.Column("criteria", DOCUMENT, nullable=True),
        sa.Column("published_at", TIME, nullable=True),
        sa.CheckConstraint("(product_offering_id is null) = (kind = 'service')", name=f"ck_{name}_origin"),
        sa.CheckConstraint("kind in ('product', 'service')", name=f"ck_{name}_kind"),
        sa.CheckConstraint(
            "state <> 'published' or (criteria is not null and published_at is not null)", name=f"ck_{name}_published"
        ),
        sa.CheckConstraint(
            "state in ('draft', 'published', 'inactive', 'retired', 'archived')", name=f"ck_{name}_state"
        ),
        sa.CheckConstraint("revision >= 1", name=f"ck_{name}_revision"),
        sa.ForeignKeyConstraint(
            ["product_offering_id"], ["product_offerings.id"], name=f"fk_{name}_product_offering_id"
        ),
        sa.ForeignKeyConstraint(["specification_id"], ["specifications.id"], name=f"fk_{name}_specification_id"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("identity", "revision", name=f"uq_{name}_identity_revision"),
        sa.Index(f"ix_{name}_product_offering_id", "product_offering_id"),
        sa.Index(f"ix_{name}_specification_id", "specification_id"),
        sa.Index(
            f"uq_{name}_published",
            "identity",
            unique=True,
            postgresql_where=sa.text("state = 'published'"),
            sqlite_where=sa.text("state = 'published'"),
        ),
    )
