"""Bundles of offerings, rules between them, and revisions of what is published."""

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    pass
