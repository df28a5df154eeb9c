"""Personas, authorised users, variables of one's own, approval before sending."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("catalog_items", sa.Column("personas", DOCUMENT, nullable=True))
    op.add_column("catalog_items", sa.Column("active_personas", DOCUMENT, nullable=True))
    op.add_column("provider_tasks", sa.Column("approval", sa.String(length=10), nullable=True))
    op.add_column("provider_tasks", sa.Column("own_answers", DOCUMENT, nullable=True))
    op.add_column("provider_connections", sa.Column("authorised_user_limit", sa.Integer(), nullable=True))
    _add_personas()
    _add_groups()
    _add_item_settings()


def _add_personas() -> None:
    op.create_table(
        "personas",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_personas_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name="pk_personas"),
    )
    name = "authorised_users"
    op.create_table(
        name,
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("persona_ids", DOCUMENT, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("told", DOCUMENT, nullable=True),
        sa.Column("sent", sa.String(length=10), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("approval", sa.String(length=10), nullable=False),
        sa.Column("approved_persona_ids", DOCUMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("approval in ('requested', 'approved', 'refused')", name=f"ck_{name}_approval"),
        sa.CheckConstraint("sent in ('waiting', 'accepted', 'refused')", name=f"ck_{name}_sent"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=f"fk_{name}_connection_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{name}_user_id"),
        sa.PrimaryKeyConstraint("connection_id", "id", name=f"pk_{name}"),
        sa.UniqueConstraint("connection_id", "user_id", name=f"uq_{name}_user"),
    )


def _add_groups() -> None:
    op.create_table(
        "user_groups",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_groups"),
        sa.UniqueConstraint("name", name="uq_user_groups_name"),
    )
    op.create_table(
        "user_group_members",
        sa.Column("group_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["user_groups.id"], name="fk_user_group_members_group_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_group_members_user_id"),
        sa.PrimaryKeyConstraint("group_id", "user_id", name="pk_user_group_members"),
    )
    op.create_table(
        "user_group_personas",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("group_id", ID, nullable=False),
        sa.Column("persona_ids", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_user_group_personas_connection_id"),
        sa.ForeignKeyConstraint(["group_id"], ["user_groups.id"], name="fk_user_group_personas_group_id"),
        sa.PrimaryKeyConstraint("connection_id", "group_id", name="pk_user_group_personas"),
    )


def _add_item_settings() -> None:
    op.create_table(
        "item_settings",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("catalog_item_id", ID, nullable=False),
        sa.Column("variables", DOCUMENT, nullable=False),
        sa.Column("needs_approval", sa.Boolean(), nullable=False),
        sa.Column("approver_id", ID, nullable=True),
        sa.Column("above_quantity", sa.Integer(), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "above_quantity is null or above_quantity >= 0", name="ck_item_settings_above_quantity"
        ),
        sa.ForeignKeyConstraint(["approver_id"], ["users.id"], name="fk_item_settings_approver_id"),
        sa.ForeignKeyConstraint(
            ["connection_id", "catalog_item_id"], ["catalog_items.connection_id", "catalog_items.id"],
            name="fk_item_settings",
        ),
        sa.PrimaryKeyConstraint("connection_id", "catalog_item_id", name="pk_item_settings"),
    )  # fmt: skip
    op.create_table(
        "approvals",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("approver_id", ID, nullable=True),
        sa.Column("correction", DOCUMENT, nullable=True),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["approver_id"], ["users.id"], name="fk_approvals_approver_id"),
        sa.ForeignKeyConstraint(
            ["connection_id", "task_id"], ["provider_tasks.connection_id", "provider_tasks.id"],
            name="fk_approvals_task",
        ),
        sa.PrimaryKeyConstraint("connection_id", "task_id", name="pk_approvals"),
    )  # fmt: skip
