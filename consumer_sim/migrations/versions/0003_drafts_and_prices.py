"""Drafts of requests, items that list the inventory, and the prices of items, where the provider tells them."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # SQLite changes constraints by making the table anew, for which Alembic must be told what it was.
    with op.batch_alter_table("catalog_items", copy_from=_former_catalog_items()) as batch:
        batch.add_column(sa.Column("prices", DOCUMENT, nullable=True))
        batch.drop_constraint("ck_catalog_items_kind", type_="check")
        batch.create_check_constraint("ck_catalog_items_kind", "kind in ('product', 'service', 'inventory')")
    op.create_table(
        "drafts",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("catalog_item_id", ID, nullable=False),
        sa.Column("answers", DOCUMENT, nullable=False),
        sa.Column("requested_by", DOCUMENT, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id", "catalog_item_id"],
            ["catalog_items.connection_id", "catalog_items.id"],
            name="fk_drafts_item",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_drafts"),
    )


def _former_catalog_items() -> sa.Table:
    name = "catalog_items"
    return sa.Table(
        name,
        sa.MetaData(),
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
        sa.CheckConstraint("activation in ('waiting', 'accepted', 'refused')", name=f"ck_{name}_activation"),
        sa.CheckConstraint("kind in ('product', 'service')", name=f"ck_{name}_kind"),
        sa.CheckConstraint("state <> 'active' or active_revision is not null", name=f"ck_{name}_active_revision"),
        sa.CheckConstraint("state in ('pending_activation', 'active', 'inactive', 'removed')", name=f"ck_{name}_state"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=f"fk_{name}_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name=f"pk_{name}"),
        sa.Index(f"ix_{name}_id", "id"),
    )
