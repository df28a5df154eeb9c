"""Heartbeats, health and the rotation of secrets."""

from bridge.migrations import add_connection_care

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    add_connection_care()
