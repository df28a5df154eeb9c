"""Items whose requests need no order, and what a requester reads about an item before filling in its form."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0014"
down_revision = "0013"

_NAME = "catalog_items"
_EMPTY = sa.text("''")


def upgrade() -> None:
    # SQLite changes constraints by making the table anew, for which Alembic must be told what it was; while there is
    # none, no draft may refer to it.
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        op.execute("create temporary table kept_drafts as select * from drafts")
        op.execute("delete from drafts")
    with op.batch_alter_table(_NAME, copy_from=_former_table()) as batch:
        batch.drop_constraint(f"ck_{_NAME}_kind", type_="check")
        batch.create_check_constraint(f"ck_{_NAME}_kind", "kind in ('product', 'service', 'inventory', 'task')")
        batch.add_column(sa.Column("description", sa.Text(), server_default=_EMPTY, nullable=False))
        batch.add_column(sa.Column("help_text", sa.Text(), server_default=_EMPTY, nullable=False))
    if is_sqlite:
        op.execute("insert into drafts select * from kept_drafts")
        op.execute("drop table kept_drafts")


def _former_table() -> sa.Table:
    return sa.Table(
        _NAME,
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
        sa.Column("prices", DOCUMENT, nullable=True),
        sa.Column("compatibility", sa.String(length=20), nullable=True),
        sa.CheckConstraint("activation in ('waiting', 'accepted', 'refused')", name=f"ck_{_NAME}_activation"),
        sa.CheckConstraint("kind in ('product', 'service', 'inventory')", name=f"ck_{_NAME}_kind"),
        sa.CheckConstraint("state <> 'active' or active_revision is not null", name=f"ck_{_NAME}_active_revision"),
        sa.CheckConstraint(
            "state in ('pending_activation', 'active', 'inactive', 'removed')", name=f"ck_{_NAME}_state"
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=f"fk_{_NAME}_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name=f"pk_{_NAME}"),
        sa.Index(f"ix_{_NAME}_id", "id"),
        sa.Index(f"ix_{_NAME}_updated_at", "updated_at"),
    )
