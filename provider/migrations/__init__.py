"""The schema of the provider's database, revision by revision."""

from bridge import migrations


def upgrade(database_url: str) -> None:
    """Bring the provider's database to the newest revision; see `bridge.migrations.upgrade`."""
    migrations.upgrade(database_url, "provider:migrations")
