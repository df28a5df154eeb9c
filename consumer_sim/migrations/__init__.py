"""The consumer's schema, revision by revision; `upgrade` brings a database to the newest."""

from bridge import migrations


def upgrade(database_url: str) -> None:
    """All or nothing; processes that start together wait for each other."""
    migrations.upgrade(database_url, "consumer_sim:migrations")
