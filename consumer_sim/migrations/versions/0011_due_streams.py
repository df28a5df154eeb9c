"""Idle streams leave the index of what is due."""

from bridge.migrations import leave_idle_streams_out

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    leave_idle_streams_out()
