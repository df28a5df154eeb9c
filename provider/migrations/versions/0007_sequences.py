"""Numbers by sequences on PostgreSQL: submits of many consumers at once do not wait for each other's commit."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_KINDS = ("registration", "order", "order_line", "order_task", "product")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return  # SQLite has one writer at a time: the counters of before cost nobody anything
    for kind in _KINDS:
        last = connection.scalar(sa.text("select value from counters where name = :kind"), {"kind": kind})
        connection.execute(sa.text(f"create sequence {kind}_numbers start with {(last or 0) + 1}"))
    connection.execute(sa.text("delete from counters"))
