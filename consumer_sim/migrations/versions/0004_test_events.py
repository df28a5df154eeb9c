"""The last test event that a provider sent."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import ID, TIME

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("provider_connections", sa.Column("test_event_id", ID, nullable=True))
    op.add_column("provider_connections", sa.Column("tested_at", TIME, nullable=True))
