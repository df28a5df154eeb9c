"""The version of the wire that a revision of an item asks for."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("catalog_items", sa.Column("compatibility", sa.String(length=20), nullable=True))
