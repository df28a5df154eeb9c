"""Heartbeats, health and the rotation of secrets."""

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    pass
