"""Contracts with consumers, and choices from live data."""

import sqlalchemy as sa
from alembic import op

from bridge.migrations import DOCUMENT, ID, TIME

revision = "0019"
down_revision = "0018"

_OPEN = sa.text("state in ('draft', 'active')")


def upgrade() -> None:
    _contracts()
    _choices()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("create sequence contract_numbers")


def _contracts() -> None:
    op.create_table(
        "contracts",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("connection_id", ID, nullable=True),
        sa.Column("company", sa.String(length=120), nullable=True),
        sa.Column("account", sa.String(length=120), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("signed_at", TIME, nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("state in ('draft', 'active', 'expired', 'canceled')", name="ck_contracts_state"),
        sa.CheckConstraint(
            "(case when connection_id is null then 0 else 1 end) + (case when company is null then 0 else 1 end)"
            " + (case when account is null then 0 else 1 end) = 1",
            name="ck_contracts_holder",
        ),
        sa.CheckConstraint("ends_on is null or ends_on >= starts_on", name="ck_contracts_term"),
        sa.CheckConstraint("state not in ('active', 'expired') or signed_at is not null", name="ck_contracts_signed"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_contracts_connection_id"),
        sa.PrimaryKeyConstraint("id", name="pk_contracts"),
        sa.UniqueConstraint("number", name="uq_contracts_number"),
    )
    op.create_index("ix_contracts_connection_id", "contracts", ["connection_id"])
    op.create_index("ix_contracts_open", "contracts", ["state", "ends_on"], postgresql_where=_OPEN, sqlite_where=_OPEN)
    op.create_table(
        "contract_lines",
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offering", sa.String(length=120), nullable=True),
        sa.Column("specification", sa.String(length=120), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.CheckConstraint("position >= 1", name="ck_contract_lines_position"),
        sa.CheckConstraint("quantity is null or quantity >= 1", name="ck_contract_lines_quantity"),
        sa.CheckConstraint("(offering is null) <> (specification is null)", name="ck_contract_lines_subject"),
        sa.ForeignKeyConstraint(["contract_id"], ["contracts.id"], name="fk_contract_lines_contract_id"),
        sa.PrimaryKeyConstraint("contract_id", "position", name="pk_contract_lines"),
    )
    op.create_index("ix_contract_lines_offering", "contract_lines", ["offering"])


def _choices() -> None:
    op.create_table(
        "choice_definitions",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("columns", DOCUMENT, nullable=False),
        sa.Column("base_filter", DOCUMENT, nullable=False),
        sa.Column("display_field", sa.String(length=60), nullable=False),
        sa.Column("info_fields", DOCUMENT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "source in ('products', 'locations', 'contracts', 'offerings', 'list')", name="ck_choice_definitions_source"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_choice_definitions"),
        sa.UniqueConstraint("name", name="uq_choice_definitions_name"),
    )
    op.create_table(
        "choice_rows",
        sa.Column("id", ID, nullable=False),
        sa.Column("definition_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("display", sa.String(length=255), nullable=False),
        sa.Column("extra", DOCUMENT, nullable=False),
        sa.Column("connection_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["definition_id"], ["choice_definitions.id"], name="fk_choice_rows_definition_id"),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name="fk_choice_rows_connection_id"),
        sa.PrimaryKeyConstraint("id", name="pk_choice_rows"),
        sa.UniqueConstraint("definition_id", "position", name="uq_choice_rows_definition_id_position"),
    )
    op.create_index("ix_choice_rows_value", "choice_rows", ["definition_id", "value"])
