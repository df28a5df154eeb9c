"""Choices from the provider's live data."""

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Nothing yet."""
