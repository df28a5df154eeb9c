"""Remote tasks: tickets, definitions, what ties them."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    _create_tickets()
    _create_ticket_entries()
    _create_remote_task_definitions()
    _create_remote_tasks()
    _create_remote_task_entries()


def _create_tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("short_description", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("priority", sa.String(length=10), nullable=False),
        sa.Column("category", sa.String(length=80), nullable=True),
        sa.Column("assigned_to", sa.String(length=120), nullable=True),
        sa.Column("opened_by", sa.String(length=255), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("priority in ('critical', 'high', 'moderate', 'low')", name="ck_tickets_priority"),
        sa.CheckConstraint("state in ('new', 'in_progress', 'on_hold', 'resolved', 'closed')", name="ck_tickets_state"),
        sa.PrimaryKeyConstraint("id", name="pk_tickets"),
        sa.UniqueConstraint("number", name="uq_tickets_number"),
    )
    op.create_index("ix_tickets_updated_at", "tickets", ["updated_at"])


def _create_ticket_entries() -> None:
    op.create_table(
        "ticket_entries",
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("author_name", sa.String(length=255), nullable=False),
        sa.Column("author_company", sa.String(length=255), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("kind in ('comments', 'work_notes')", name="ck_ticket_entries_kind"),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_ticket_entries_ticket_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("ticket_id", "id", name="pk_ticket_entries"),
    )
    op.create_index("ix_ticket_entries_ticket", "ticket_entries", ["ticket_id", "created_at", "id"])


def _create_remote_task_definitions() -> None:
    op.create_table(
        "remote_task_definitions",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("provider_table", sa.String(length=40), nullable=False),
        sa.Column("consumer_table", sa.String(length=40), nullable=False),
        sa.Column("lines", DOCUMENT, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("removed_reason", sa.String(length=40), nullable=True),
        sa.Column("active_revision", sa.Integer(), nullable=True),
        sa.Column("active_lines", DOCUMENT, nullable=True),
        sa.Column("overrides", DOCUMENT, nullable=False),
        sa.Column("trigger", DOCUMENT, nullable=False),
        sa.Column("activation_problem", sa.Text(), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "state <> 'active' or active_revision is not null", name="ck_remote_task_definitions_active_revision"
        ),
        sa.CheckConstraint(
            "state in ('pending_activation', 'active', 'inactive', 'removed')", name="ck_remote_task_definitions_state"
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_remote_task_definitions_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_remote_task_definitions"),
    )


def _create_remote_tasks() -> None:
    op.create_table(
        "remote_tasks",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("definition_id", ID, nullable=False),
        sa.Column("definition_revision", sa.Integer(), nullable=False),
        sa.Column("lines", DOCUMENT, nullable=False),
        sa.Column("ticket_id", ID, nullable=True),
        sa.Column("ticket_number", sa.String(length=20), nullable=False),
        sa.Column("parent_number", sa.String(length=40), nullable=True),
        sa.Column("opened_by", sa.String(length=255), nullable=False),
        sa.Column("submission", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("stopped_here", sa.Text(), nullable=True),
        sa.Column("stopped_there", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("stamps", DOCUMENT, nullable=False),
        sa.Column("virtual", DOCUMENT, nullable=False),
        sa.Column("problems_there", DOCUMENT, nullable=False),
        sa.Column("problems_here", DOCUMENT, nullable=False),
        sa.Column("missed", DOCUMENT, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("status in ('new', 'connected', 'disconnected', 'error')", name="ck_remote_tasks_status"),
        sa.CheckConstraint("submission in ('waiting', 'accepted', 'refused')", name="ck_remote_tasks_submission"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_remote_tasks_connection_id"),
        sa.ForeignKeyConstraint(
            ["connection_id", "definition_id"],
            ["remote_task_definitions.connection_id", "remote_task_definitions.id"],
            name="fk_remote_tasks_definition",
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name="fk_remote_tasks_ticket_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_remote_tasks"),
        sa.UniqueConstraint("connection_id", "number", name="uq_remote_tasks_connection_id_number"),
        sa.UniqueConstraint(
            "ticket_id", "connection_id", "definition_id", name="uq_remote_tasks_ticket_id_connection_id_definition_id"
        ),
    )
    op.create_index("ix_remote_tasks_definition", "remote_tasks", ["connection_id", "definition_id"])


def _create_remote_task_entries() -> None:
    op.create_table(
        "remote_task_entries",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("remote_task_id", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("from_provider", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id", "remote_task_id"],
            ["remote_tasks.connection_id", "remote_tasks.id"],
            name="fk_remote_task_entries_task",
        ),
        sa.PrimaryKeyConstraint("connection_id", "remote_task_id", "entry_id", name="pk_remote_task_entries"),
    )
