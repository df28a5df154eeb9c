"""The engine's tables."""

from bridge.migrations import create_bridge_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_bridge_tables()
