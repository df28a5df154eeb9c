"""Choices from the provider's live data."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "choice_answers",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("search", sa.String(length=100), nullable=False),
        sa.Column("items", DOCUMENT, nullable=False),
        sa.Column("more", sa.Boolean(), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("fresh_until", TIME, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_choice_answers_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "scope", "search", name="pk_choice_answers"),
    )
    op.create_index("ix_choice_answers_asked_at", "choice_answers", ["asked_at"])
