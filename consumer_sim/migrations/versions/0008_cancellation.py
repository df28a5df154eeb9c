"""The point of no return, and cancellation that is assessed."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("provider_tasks", sa.Column("cancellation_told", sa.String(length=10), nullable=True))
    op.add_column("provider_tasks", sa.Column("cancellation_message", sa.Text(), nullable=True))
    op.add_column("task_states", sa.Column("cancellation", sa.String(length=10), nullable=True))
