"""Bundles of offerings, rules between them, and revisions of what is published."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID

revision = "0012"
down_revision = "0011"

_NONE = sa.text("'[]'")


def upgrade() -> None:
    for table, name in (
        ("product_offerings", "members"),
        ("product_offerings", "groups"),
        ("product_offerings", "relations"),
        ("product_offerings", "rules"),
        ("specifications", "rules"),
    ):
        op.add_column(table, sa.Column(name, DOCUMENT, server_default=_NONE, nullable=False))
    op.add_column(
        "remote_record_producers",
        sa.Column("compatibility", sa.String(length=20), server_default=sa.text("'1.0'"), nullable=False),
    )
    op.add_column("remote_record_producers", sa.Column("copied_from", ID, nullable=True))
