"""The table of `webkit.models` as it was in the first version, for the migrations of both instances."""

import sqlalchemy as sa
from alembic import op


def create_page_sessions() -> None:
    op.create_table(
        "page_sessions",
        sa.Column("id_hash", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created_at_s", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name="pk_page_sessions"),
    )
    op.create_index("ix_page_sessions_account_id", "page_sessions", ["account_id"], unique=False)
    op.create_index("ix_page_sessions_seen_at_s", "page_sessions", ["seen_at_s"], unique=False)
