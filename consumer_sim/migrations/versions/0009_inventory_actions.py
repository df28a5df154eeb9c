"""Suspend, resume, disconnect, change and move what one has."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    pass
