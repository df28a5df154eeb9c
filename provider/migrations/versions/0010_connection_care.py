"""Heartbeats, health and the rotation of secrets."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import add_connection_care

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    add_connection_care()
    for column in (
        sa.Column("next_secret_hash", sa.String(length=64), nullable=True),
        sa.Column("former_secret_hash", sa.String(length=64), nullable=True),
        sa.Column("former_until", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("credentials", column)
