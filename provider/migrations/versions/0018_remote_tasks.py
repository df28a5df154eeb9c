"""Remote tasks: definitions, incidents, transforms."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    _create_incidents()
    _create_incident_entries()
    _create_remote_task_definitions()
    _create_remote_task_entitlements()
    _create_remote_tasks()
    _create_remote_task_entries()
    _create_transform_versions()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("create sequence incident_numbers")


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("short_description", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("priority", sa.String(length=1), nullable=False),
        sa.Column("category", sa.String(length=80), nullable=True),
        sa.Column("assigned_to", sa.String(length=120), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("company", sa.String(length=120), nullable=True),
        sa.Column("opened_by", sa.String(length=255), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("priority in ('1', '2', '3', '4')", name="ck_incidents_priority"),
        sa.CheckConstraint(
            "state in ('new', 'work_in_progress', 'awaiting_info', 'resolved', 'closed')", name="ck_incidents_state"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sa.UniqueConstraint("number", name="uq_incidents_number"),
    )
    op.create_index("ix_incidents_updated_at", "incidents", ["updated_at"])


def _create_incident_entries() -> None:
    op.create_table(
        "incident_entries",
        sa.Column("incident_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("author_name", sa.String(length=255), nullable=False),
        sa.Column("author_company", sa.String(length=255), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("kind in ('comments', 'work_notes')", name="ck_incident_entries_kind"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name="fk_incident_entries_incident_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "id", name="pk_incident_entries"),
    )
    op.create_index("ix_incident_entries_incident", "incident_entries", ["incident_id", "created_at", "id"])


def _create_remote_task_definitions() -> None:
    op.create_table(
        "remote_task_definitions",
        sa.Column("id", ID, nullable=False),
        sa.Column("identity", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("provider_table", sa.String(length=40), nullable=False),
        sa.Column("consumer_table", sa.String(length=40), nullable=False),
        sa.Column("lines", DOCUMENT, nullable=False),
        sa.Column("criteria", DOCUMENT, nullable=True),
        sa.Column("published_at", TIME, nullable=True),
        sa.CheckConstraint("state <> 'published' or criteria is not null", name="ck_remote_task_definitions_published"),
        sa.CheckConstraint("revision >= 1", name="ck_remote_task_definitions_revision"),
        sa.CheckConstraint(
            "state in ('draft', 'published', 'inactive', 'retired', 'archived')",
            name="ck_remote_task_definitions_state",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_remote_task_definitions"),
        sa.UniqueConstraint("identity", "revision", name="uq_remote_task_definitions_identity_revision"),
    )
    op.create_index(
        "uq_remote_task_definitions_published",
        "remote_task_definitions",
        ["identity"],
        unique=True,
        postgresql_where=sa.text("state = 'published'"),
        sqlite_where=sa.text("state = 'published'"),
    )


def _create_remote_task_entitlements() -> None:
    op.create_table(
        "remote_task_entitlements",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("identity", ID, nullable=False),
        sa.Column("entitled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("consumer_state", sa.String(length=20), nullable=False),
        sa.Column("active_revision", sa.Integer(), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "consumer_state in ('pending_activation', 'active', 'inactive')",
            name="ck_remote_task_entitlements_consumer_state",
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name="fk_remote_task_entitlements_connection_id"
        ),
        sa.PrimaryKeyConstraint("connection_id", "identity", name="pk_remote_task_entitlements"),
    )


def _create_remote_tasks() -> None:
    op.create_table(
        "remote_tasks",
        sa.Column("id", ID, nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("external_id", ID, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("definition_id", ID, nullable=False),
        sa.Column("definition_revision", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("parent_id", ID, nullable=False),
        sa.Column("parent_number", sa.String(length=40), nullable=False),
        sa.Column("incident_id", ID, nullable=True),
        sa.Column("opened_by", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("stopped_here", sa.Text(), nullable=True),
        sa.Column("stopped_there", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("stamps", DOCUMENT, nullable=False),
        sa.Column("virtual", DOCUMENT, nullable=False),
        sa.Column("problems", DOCUMENT, nullable=False),
        sa.Column("problem_count", sa.Integer(), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("status in ('connected', 'disconnected', 'error')", name="ck_remote_tasks_status"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_remote_tasks_connection_id"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk_remote_tasks_incident_id"),
        sa.PrimaryKeyConstraint("id", name="pk_remote_tasks"),
        sa.UniqueConstraint("connection_id", "external_id", name="uq_remote_tasks_connection_id_external_id"),
        sa.UniqueConstraint(
            "connection_id", "parent_id", "definition_id", name="uq_remote_tasks_connection_id_parent_id_definition_id"
        ),
        sa.UniqueConstraint("incident_id", name="uq_remote_tasks_incident_id"),
        sa.UniqueConstraint("number", name="uq_remote_tasks_number"),
    )
    op.create_index("ix_remote_tasks_definition", "remote_tasks", ["definition_id", "connection_id"])
    op.create_index("ix_remote_tasks_updated_at", "remote_tasks", ["updated_at"])


def _create_remote_task_entries() -> None:
    op.create_table(
        "remote_task_entries",
        sa.Column("remote_task_id", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("from_consumer", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["remote_task_id"], ["remote_tasks.id"], name="fk_remote_task_entries_remote_task_id"),
        sa.PrimaryKeyConstraint("remote_task_id", "entry_id", name="pk_remote_task_entries"),
    )


def _create_transform_versions() -> None:
    op.create_table(
        "transform_versions",
        sa.Column("version", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("connection_id", ID, nullable=True),
        sa.Column("document", DOCUMENT, nullable=True),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_transform_versions_connection_id"),
        sa.PrimaryKeyConstraint("version", name="pk_transform_versions"),
    )
    op.create_index("ix_transform_versions_connection", "transform_versions", ["connection_id", "version"])
    op.create_index(
        "ix_transform_versions_default",
        "transform_versions",
        ["version"],
        postgresql_where=sa.text("connection_id is null"),
        sqlite_where=sa.text("connection_id is null"),
    )
