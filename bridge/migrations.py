"""How a database gets its schema: Alembic runs from the package, without an alembic.ini, in one transaction.

`create_bridge_tables` is both sides' first revision, frozen: later changes of `bridge.models` are later revisions.
"""

import sqlalchemy as sa
from alembic import command, context, op
from alembic.config import Config
from sqlalchemy.dialects.postgresql import JSONB

from bridge.database import Database

ID = sa.Uuid(as_uuid=False)
TIME = sa.DateTime(timezone=True)
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
_LOCK = 7_326_104_001  # any number; all programs that upgrade one PostgreSQL database must share it


def upgrade(database_url: str, script_location: str) -> None:
    """Bring the database to the newest revision of `script_location` (as in `provider:migrations`).

    All or nothing on both databases; of processes that start together one upgrades and the others wait.
    """
    database = Database(database_url)
    config = Config()
    config.set_main_option("script_location", script_location)
    config.set_main_option("path_separator", "os")
    try:
        with database.transaction() as session:
            if session.get_bind().dialect.name == "postgresql":
                session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            config.attributes["connection"] = session.connection()
            command.upgrade(config, "head")
    finally:
        database.close()


def run_revisions() -> None:
    """What each side's `env.py` does: run the revisions on the connection that `upgrade` opened."""
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()


def create_bridge_tables() -> None:
    """The engine's tables as they were in the first version."""
    op.create_table(
        "attempts",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_connection", "attempts", ["connection_id", "id"], unique=False)
    op.create_table(
        "idempotency_records",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "key", name="pk_idempotency_records"),
    )
    op.create_table(
        "inbox_messages",
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("contenthash", sa.String(length=64), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "sequence", name="pk_inbox_messages"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inbox_streams",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("stream", sa.String(length=255), nullable=False),
        sa.Column("applied_sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox_streams"),
        sa.UniqueConstraint("connection_id", "stream", name="uq_inbox_streams_connection_id_stream"),
    )
    op.create_table(
        "instances",
        sa.Column("singleton", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("epoch", ID, nullable=False),
        sa.CheckConstraint("singleton = 1", name="ck_instances_singleton"),
        sa.PrimaryKeyConstraint("singleton", name="pk_instances"),
    )
    op.create_table(
        "leases",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("token", ID, nullable=True),
        sa.Column("deadline_s", sa.Float(), nullable=False),
        sa.Column("not_before", TIME, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", TIME, nullable=True),
        sa.Column("batch_limit", sa.Integer(), nullable=False),
        sa.Column("last_duration_s", sa.Float(), nullable=False),
        sa.Column("last_success_at", TIME, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("connection_id", name="pk_leases"),
    )
    op.create_table(
        "mapping_versions",
        sa.Column("version", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("connection_id", ID, nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_mapping_versions"),
    )
    op.create_index("ix_mapping_versions_connection_id", "mapping_versions", ["connection_id"], unique=False)
    op.create_table(
        "outbox_events",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("type", sa.String(length=120), nullable=False),
        sa.Column("stream", sa.String(length=255), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("origin", ID, nullable=True),
        sa.Column("traceparent", sa.String(length=55), nullable=True),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_events"),
    )
    op.create_table(
        "streams",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("stream", sa.String(length=255), nullable=False),
        sa.Column("next_sequence", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("due_at", TIME, nullable=True),
        sa.Column("blocked_by", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_streams"),
        sa.UniqueConstraint("connection_id", "stream", name="uq_streams_connection_id_stream"),
    )
    op.create_index("ix_streams_due", "streams", ["connection_id", "due_at"], unique=False)
    op.create_table(
        "connections",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("peer_url", sa.String(length=2000), nullable=True),
        sa.Column("peer_instance_id", ID, nullable=True),
        sa.Column("peer_epoch", ID, nullable=True),
        sa.Column("number_prefix", sa.String(length=12), nullable=True),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("mapping_version", sa.Integer(), nullable=True),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint(
            "state in ('pending', 'active', 'paused', 'diverged', 'revoked')", name="ck_connections_state"
        ),
        sa.ForeignKeyConstraint(
            ["mapping_version"], ["mapping_versions.version"], name="fk_connections_mapping_version"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_connections"),
        sa.UniqueConstraint("client_id", name="uq_connections_client_id"),
        sa.UniqueConstraint("number_prefix", name="uq_connections_number_prefix"),
    )
    op.create_table(
        "deliveries",
        sa.Column("stream_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("target", sa.String(length=255), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("contenthash", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("original_id", ID, nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state in ('pending', 'delivered', 'parked', 'skipped')", name="ck_deliveries_state"),
        sa.CheckConstraint("text is not null or state in ('parked', 'skipped')", name="ck_deliveries_rendered"),
        sa.ForeignKeyConstraint(["event_id"], ["outbox_events.id"], name="fk_deliveries_event_id"),
        sa.PrimaryKeyConstraint("stream_id", "sequence", name="pk_deliveries"),
        sa.UniqueConstraint("id", name="uq_deliveries_id"),
    )
    op.create_index(
        "ix_deliveries_parked",
        "deliveries",
        ["connection_id"],
        unique=False,
        postgresql_where=sa.text("state = 'parked'"),
        sqlite_where=sa.text("state = 'parked'"),
    )


def add_connection_care() -> None:
    """Heartbeats, issues, rotations, farewells and held events, and what a connection has to say of them."""
    for column in (
        sa.Column("refused_epoch", ID, nullable=True),
        sa.Column("unspoken", DOCUMENT, nullable=True),
        sa.Column("new_url", sa.String(length=2000), nullable=True),
        sa.Column("new_url_problem", sa.Text(), nullable=True),
    ):
        op.add_column("connections", column)
    op.create_table(
        "heartbeats",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("beat_at", TIME, nullable=False),
        sa.Column("every_s", sa.Float(), nullable=False),
        sa.Column("next_at", TIME, nullable=True),
        sa.Column("answered_at", TIME, nullable=True),
        sa.Column("round_trip_s", sa.Float(), nullable=True),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("told", DOCUMENT, nullable=False),
        sa.Column("compared_to", sa.String(length=255), nullable=True),
        sa.CheckConstraint("direction in ('out', 'in')", name="ck_heartbeats_direction"),
        sa.PrimaryKeyConstraint("connection_id", "direction", name="pk_heartbeats"),
    )
    op.create_table(
        "issues",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("fault", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("resolved_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_issues"),
    )
    op.create_index(
        "uq_issues_open",
        "issues",
        ["connection_id", "kind", "subject"],
        unique=True,
        postgresql_where=sa.text("resolved_at is null"),
        sqlite_where=sa.text("resolved_at is null"),
    )
    op.create_index("ix_issues_last_at", "issues", ["last_at"], unique=False)
    op.create_table(
        "rotations",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("secret", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("grace_s", sa.Float(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("proven_at", TIME, nullable=True),
        sa.Column("former_until", TIME, nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("next_at", TIME, nullable=True),
        sa.CheckConstraint("secret in ('webhook_secret', 'client_secret')", name="ck_rotations_secret"),
        sa.CheckConstraint("state in ('wanted', 'offered', 'proven', 'done')", name="ck_rotations_state"),
        sa.PrimaryKeyConstraint("connection_id", "secret", name="pk_rotations"),
    )
    op.create_table(
        "farewells",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("ended_at", TIME, nullable=False),
        sa.Column("next_at", TIME, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("told_at", TIME, nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("connection_id", name="pk_farewells"),
    )
    op.create_table(
        "held_events",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("event_id", BIG_ID, nullable=False),
        sa.Column("type", sa.String(length=120), nullable=False),
        sa.Column("held_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["outbox_events.id"], name="fk_held_events_event_id"),
        sa.PrimaryKeyConstraint("id", name="pk_held_events"),
    )
    op.create_index("ix_held_events_connection", "held_events", ["connection_id", "id"], unique=False)


def leave_idle_streams_out() -> None:
    """The index of what is due holds what is due, and no longer every stream that ever was."""
    due = sa.text("due_at is not null")
    op.drop_index("ix_streams_due", "streams")
    op.create_index("ix_streams_due", "streams", ["connection_id", "due_at"], postgresql_where=due, sqlite_where=due)
