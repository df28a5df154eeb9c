"""Pages: passwords of users, and sessions of browsers."""

import sqlalchemy as sa
from alembic import op

from webkit.migrations import create_page_sessions

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("users", sa.Column("password_hash", sa.String(length=200), nullable=True))
    create_page_sessions()
