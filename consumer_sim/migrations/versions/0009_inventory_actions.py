"""Suspend, resume, disconnect, change and move what one has."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("provider_tasks", sa.Column("action", sa.String(length=20), nullable=True))
    op.add_column("provider_tasks", sa.Column("product_id", ID, nullable=True))
    op.create_index("ix_provider_tasks_product", "provider_tasks", ["connection_id", "product_id"])
    op.add_column("products", sa.Column("parent_id", ID, nullable=True))
    op.add_column("products", sa.Column("part", DOCUMENT, nullable=True))
    op.add_column("products", sa.Column("resumes_at", TIME, nullable=True))
    op.add_column("products", sa.Column("changed_by", DOCUMENT, nullable=True))
    op.create_index("ix_products_state", "products", ["state"])
    op.create_table(
        "product_steps",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("product_id", ID, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("state_label", sa.String(length=255), nullable=False),
        sa.Column("changed_by", DOCUMENT, nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id", "product_id"], ["products.connection_id", "products.id"], name="fk_product_steps_product"
        ),
        sa.PrimaryKeyConstraint("connection_id", "product_id", "sequence", name="pk_product_steps"),
    )
