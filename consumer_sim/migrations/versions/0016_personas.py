"""Personas, authorised users, variables of one's own, approval before sending."""

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Nothing yet."""
