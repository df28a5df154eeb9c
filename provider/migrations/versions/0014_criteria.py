"""Criteria by what a consumer is and has, and who may order."""

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    pass
