"""A draft belongs to who writes it, and may be the correction of a request."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    former = _former_drafts()
    # SQLite adds constraints by making the table anew, for which Alembic must be told what it was.
    with op.batch_alter_table("drafts", copy_from=former) as batch:
        batch.add_column(sa.Column("owner_id", ID, nullable=True))
        batch.add_column(sa.Column("task_id", ID, nullable=True))
        batch.create_foreign_key("fk_drafts_owner_id", "users", ["owner_id"], ["id"])
        batch.create_foreign_key(
            "fk_drafts_task", "provider_tasks", ["connection_id", "task_id"], ["connection_id", "id"]
        )
        batch.create_unique_constraint("uq_drafts_correction", ["owner_id", "connection_id", "task_id"])
    _give_to_their_authors(former)


def _give_to_their_authors(drafts: sa.Table) -> None:
    """So far the name of who asks was all that a draft knew of its author."""
    connection = op.get_bind()
    users = sa.table("users", sa.column("id", ID), sa.column("name", sa.String()))
    ids = {name: user_id for user_id, name in connection.execute(sa.select(users.c.id, users.c.name))}
    owned = sa.table("drafts", sa.column("id", ID), sa.column("owner_id", ID))
    for draft_id, asked_by in connection.execute(sa.select(drafts.c.id, drafts.c.requested_by)).all():
        owner_id = ids.get((asked_by or {}).get("name"))
        connection.execute(sa.update(owned).where(owned.c.id == draft_id).values(owner_id=owner_id))


def _former_drafts() -> sa.Table:
    return sa.Table(
        "drafts",
        sa.MetaData(),
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
