"""Attachments, in a lane of their own."""

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    pass
