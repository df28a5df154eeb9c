"""Contracts with consumers, and choices from live data."""

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Nothing yet."""
