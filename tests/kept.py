"""What tests keep from one app to the next, because each would make it anew and as before.

An app of a test lives for a moment: most of its time it would compile templates and statements that the app of the
test before it had compiled. One that runs for a day does so once.
"""

import gc
from typing import Any

import flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

_statements: dict[Any, Any] = {}


class _CompiledTemplates(BytecodeCache):
    def __init__(self) -> None:
        self._codes: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._codes:
            bucket.bytecode_from_string(self._codes[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key] = bucket.bytecode_to_string()


def keep_compiled() -> None:
    """Templates and statements, for all apps and databases of this process."""
    flask.Flask.jinja_options = {"bytecode_cache": _CompiledTemplates()}
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        # SQLAlchemy asks whether a statement was compiled for this dialect: that of another engine is the same.
        dialect.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[assignment,method-assign]
        dialect.__hash__ = lambda one: hash(type(one))  # type: ignore[assignment,method-assign]
    event.listen(Engine, "engine_connect", _share_statements)


def rest_collector() -> None:
    """What is loaded by now stays to the end: to look through it again and again is a sixth of the time of a test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _share_statements(connection: Connection) -> None:
    connection.execution_options(compiled_cache=_statements)
