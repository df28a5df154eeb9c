"""Suspend, resume, disconnect, change and move what a consumer has."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    pass
