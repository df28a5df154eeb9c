"""Where Alembic enters."""

from bridge.migrations import run_revisions

run_revisions()
