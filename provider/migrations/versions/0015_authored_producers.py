"""Remote record producers written by hand, with sets of variables."""

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Nothing yet."""
