"""Remote record producers written by hand: made of nothing in the catalog, and their requests need no order."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0015"
down_revision = "0014"

_NAME = "remote_record_producers"
_RULES = {
    "kind": "kind in ('product', 'service', 'inventory', 'task')",
    "specification": "(specification_id is null) = (kind in ('inventory', 'task'))",
}
_EMPTY = sa.text("''")


def upgrade() -> None:
    # SQLite changes constraints by making the table anew, for which Alembic must be told what it was.
    with op.batch_alter_table(_NAME, copy_from=_former_table()) as batch:
        for name, rule in _RULES.items():
            batch.drop_constraint(f"ck_{_NAME}_{name}", type_="check")
            batch.create_check_constraint(f"ck_{_NAME}_{name}", rule)
        batch.add_column(sa.Column("description", sa.Text(), server_default=_EMPTY, nullable=False))
        batch.add_column(sa.Column("help_text", sa.Text(), server_default=_EMPTY, nullable=False))


def _former_table() -> sa.Table:
    return sa.Table(
        _NAME,
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
        sa.Column("specification_id", ID, nullable=True),
        sa.Column("form", DOCUMENT, nullable=False),
        sa.Column("criteria", DOCUMENT, nullable=True),
        sa.Column("published_at", TIME, nullable=True),
        sa.Column("compatibility", sa.String(length=20), server_default=sa.text("'1.0'"), nullable=False),
        sa.Column("copied_from", ID, nullable=True),
        sa.CheckConstraint("(product_offering_id is not null) = (kind = 'product')", name=f"ck_{_NAME}_origin"),
        sa.CheckConstraint("kind in ('product', 'service', 'inventory')", name=f"ck_{_NAME}_kind"),
        sa.CheckConstraint("(specification_id is null) = (kind = 'inventory')", name=f"ck_{_NAME}_specification"),
        sa.CheckConstraint(
            "state <> 'published' or (criteria is not null and published_at is not null)", name=f"ck_{_NAME}_published"
        ),
        sa.CheckConstraint(
            "state in ('draft', 'published', 'inactive', 'retired', 'archived')", name=f"ck_{_NAME}_state"
        ),
        sa.CheckConstraint("revision >= 1", name=f"ck_{_NAME}_revision"),
        sa.ForeignKeyConstraint(
            ["product_offering_id"], ["product_offerings.id"], name=f"fk_{_NAME}_product_offering_id"
        ),
        sa.ForeignKeyConstraint(["specification_id"], ["specifications.id"], name=f"fk_{_NAME}_specification_id"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{_NAME}"),
        sa.UniqueConstraint("identity", "revision", name=f"uq_{_NAME}_identity_revision"),
        sa.Index(f"ix_{_NAME}_product_offering_id", "product_offering_id"),
        sa.Index(f"ix_{_NAME}_specification_id", "specification_id"),
        _only("published", "identity", "state = 'published'"),
        _only("inventory", "revision", "kind = 'inventory'"),
    )


def _only(name: str, column: str, where: str) -> sa.Index:
    condition = sa.text(where)
    return sa.Index(f"uq_{_NAME}_{name}", column, unique=True, postgresql_where=condition, sqlite_where=condition)
