"""Where a consumer is expected to come from, and why its registration is stuck."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import TIME

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for column in (
        sa.Column("base_url", sa.String(length=2000), nullable=True),
        sa.Column("callback_url", sa.String(length=2000), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("problem_at", TIME, nullable=True),
    ):
        op.add_column("registrations", column)
