"""The point of no return, and cancellation that is assessed."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    pass
