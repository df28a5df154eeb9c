"""Provider tasks without an order, and the scratchpad."""

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Nothing yet."""
