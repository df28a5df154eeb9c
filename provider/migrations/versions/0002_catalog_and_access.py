"""Catalog, entitlements, users, registrations and the audit trail."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import BIG_ID, DOCUMENT, ID, TIME

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _create_catalog_tables()
    _create_access_tables()
    op.execute("insert into entitlement_guard (singleton) values (1)")


def _create_catalog_tables() -> None:
    op.create_table(
        "specifications",
        sa.Column("id", ID, nullable=False),
        sa.Column("external_id", sa.String(length=120), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("service_type", sa.String(length=20), nullable=True),
        sa.Column("lifecycle_state", sa.String(length=10), nullable=False),
        sa.Column("characteristics", DOCUMENT, nullable=False),
        sa.Column("children", DOCUMENT, nullable=False),
        sa.Column("task_templates", DOCUMENT, nullable=False),
        sa.Column("channels", DOCUMENT, nullable=False),
        sa.CheckConstraint(
            "kind = 'service' or service_type is null", name="ck_specifications_service_type_of_service"
        ),
        sa.CheckConstraint("kind in ('product', 'service')", name="ck_specifications_kind"),
        sa.CheckConstraint(
            "lifecycle_state in ('in_draft', 'published', 'retired', 'archived')",
            name="ck_specifications_lifecycle_state",
        ),
        sa.CheckConstraint(
            "service_type is null or service_type in ('customer_facing', 'resource_facing', 'not_applicable')",
            name="ck_specifications_service_type",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_specifications"),
        sa.UniqueConstraint("external_id", "version", name="uq_specifications_external_id_version"),
    )
    op.create_table(
        "product_offerings",
        sa.Column("id", ID, nullable=False),
        sa.Column("external_id", sa.String(length=120), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=120), nullable=False),
        sa.Column("specification_id", ID, nullable=False),
        sa.Column("sellable", sa.Boolean(), nullable=False),
        sa.Column("channels", DOCUMENT, nullable=False),
        sa.Column("prices", DOCUMENT, nullable=False),
        sa.Column("lifecycle_state", sa.String(length=10), nullable=False),
        sa.Column("valid_from", TIME, nullable=True),
        sa.Column("valid_to", TIME, nullable=True),
        sa.CheckConstraint(
            "lifecycle_state in ('in_draft', 'published', 'retired', 'archived')",
            name="ck_product_offerings_lifecycle_state",
        ),
        sa.CheckConstraint(
            "valid_to is null or valid_from is null or valid_from < valid_to", name="ck_product_offerings_validity"
        ),
        sa.ForeignKeyConstraint(
            ["specification_id"], ["specifications.id"], name="fk_product_offerings_specification_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_product_offerings"),
        sa.UniqueConstraint("external_id", "version", name="uq_product_offerings_external_id_version"),
    )
    op.create_index("ix_product_offerings_specification_id", "product_offerings", ["specification_id"], unique=False)
    op.create_table(
        "remote_record_producers",
        sa.Column("id", ID, nullable=False),
        sa.Column("identity", ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("short_description", sa.String(length=500), nullable=False),
        sa.Column("category", sa.String(length=120), nullable=False),
        sa.Column("product_offering_id", ID, nullable=True),
        sa.Column("specification_id", ID, nullable=False),
        sa.Column("form", DOCUMENT, nullable=False),
        sa.Column("criteria", DOCUMENT, nullable=True),
        sa.Column("published_at", TIME, nullable=True),
        sa.CheckConstraint(
            "(product_offering_id is null) = (kind = 'service')", name="ck_remote_record_producers_origin"
        ),
        sa.CheckConstraint("kind in ('product', 'service')", name="ck_remote_record_producers_kind"),
        sa.CheckConstraint(
            "state <> 'published' or (criteria is not null and published_at is not null)",
            name="ck_remote_record_producers_published",
        ),
        sa.CheckConstraint(
            "state in ('draft', 'published', 'inactive', 'retired', 'archived')",
            name="ck_remote_record_producers_state",
        ),
        sa.CheckConstraint("revision >= 1", name="ck_remote_record_producers_revision"),
        sa.ForeignKeyConstraint(
            ["product_offering_id"], ["product_offerings.id"], name="fk_remote_record_producers_product_offering_id"
        ),
        sa.ForeignKeyConstraint(
            ["specification_id"], ["specifications.id"], name="fk_remote_record_producers_specification_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_remote_record_producers"),
        sa.UniqueConstraint("identity", "revision", name="uq_remote_record_producers_identity_revision"),
    )
    op.create_index(
        "ix_remote_record_producers_product_offering_id",
        "remote_record_producers",
        ["product_offering_id"],
        unique=False,
    )
    op.create_index(
        "ix_remote_record_producers_specification_id", "remote_record_producers", ["specification_id"], unique=False
    )
    op.create_index(
        "uq_remote_record_producers_published",
        "remote_record_producers",
        ["identity"],
        unique=True,
        postgresql_where=sa.text("state = 'published'"),
        sqlite_where=sa.text("state = 'published'"),
    )
    op.create_table(
        "entitlements",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("identity", ID, nullable=False),
        sa.Column("entitled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("consumer_state", sa.String(length=20), nullable=False),
        sa.Column("active_revision", sa.Integer(), nullable=True),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "consumer_state in ('pending_activation', 'active', 'inactive')", name="ck_entitlements_consumer_state"
        ),
        sa.CheckConstraint(
            "active_revision is null or active_revision <= revision", name="ck_entitlements_active_revision"
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_entitlements_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", "identity", name="pk_entitlements"),
    )
    op.create_table(
        "entitlement_guard",
        sa.Column("singleton", sa.Integer(), autoincrement=False, nullable=False),
        sa.CheckConstraint("singleton = 1", name="ck_entitlement_guard_singleton"),
        sa.PrimaryKeyConstraint("singleton", name="pk_entitlement_guard"),
    )


def _create_access_tables() -> None:
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("roles", DOCUMENT, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sa.UniqueConstraint("token_hash", name="uq_users_token_hash"),
    )
    op.create_table(
        "registrations",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("company", sa.String(length=120), nullable=False),
        sa.Column("contact_name", sa.String(length=120), nullable=False),
        sa.Column("contact_email", sa.String(length=254), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("token_expires_at", TIME, nullable=False),
        sa.Column("connection_id", ID, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint(
            "state <> 'closed_complete' or (connection_id is not null and token_hash is null)",
            name="ck_registrations_complete",
        ),
        sa.CheckConstraint(
            "state in ('open', 'work_in_progress', 'closed_complete', 'closed_incomplete')",
            name="ck_registrations_state",
        ),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_registrations_connection_id"),
        sa.PrimaryKeyConstraint("id", name="pk_registrations"),
        sa.UniqueConstraint("connection_id", name="uq_registrations_connection_id"),
        sa.UniqueConstraint("number", name="uq_registrations_number"),
        sa.UniqueConstraint("token_hash", name="uq_registrations_token_hash"),
    )
    op.create_table(
        "credentials",
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("client_secret_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_credentials_connection_id"),
        sa.PrimaryKeyConstraint("connection_id", name="pk_credentials"),
    )
    op.create_table(
        "access_tokens",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("connection_id", ID, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_access_tokens_connection_id"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_access_tokens"),
    )
    op.create_index("ix_access_tokens_connection_id", "access_tokens", ["connection_id"], unique=False)
    op.create_index("ix_access_tokens_expires_at", "access_tokens", ["expires_at"], unique=False)
    op.create_table(
        "audit_entries",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("action", sa.String(length=80), nullable=False),
        sa.Column("object", sa.String(length=255), nullable=False),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_object", "audit_entries", ["object"], unique=False)
