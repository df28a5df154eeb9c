"""Transactions on SQLite or PostgreSQL: one at a time per thread, decided at the edge, and a ring of the bell after
commit.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, Executable, Float, Row, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from bridge.errors import DatabaseBusy

WRITE_WAIT_S = 5.0
READ_LIMIT_S = 5.0
_PG_OPTIONS = (
    "-c lock_timeout=3000 -c statement_timeout=10000 -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
)


class _OneTransaction(Session):
    """A session that ends with its transaction, so that its connection is found once: the search costs half a query."""

    _link: Connection | None = None

    def connection(self, *args: Any, **options: Any) -> Connection:
        # Within a savepoint SQLAlchemy must be asked: it sends the SAVEPOINT when the connection is first wanted.
        if self._link is None or self._link.closed or self.in_nested_transaction() or args or options:
            self._link = super().connection(*args, **options)
        return self._link


class Database:
    """One database of one instance.

    `bell` is called after each commit with the ids of the connections for which something became due; it must not
    raise. `info` is what `session.info` starts with: what `record_event` needs to know of this instance.
    """

    def __init__(
        self, url: str, *, bell: Callable[[Iterable[str]], None] | None = None, info: dict[str, Any] | None = None
    ):
        self.url = make_url(url)
        self.engine = _make_engine(url)
        self.bell = bell
        self.info = info if info is not None else {}
        self._writer = self.engine.execution_options(sxg_begin="BEGIN IMMEDIATE")
        self._single = self.engine.execution_options(sxg_begin="")
        path = self.url.database
        sqlite = self.engine.dialect.name == "sqlite"
        self._gate = WriteGate(f"{path}.lock", WRITE_WAIT_S) if sqlite and path else None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A write transaction: returning commits, raising rolls back. Raises DatabaseBusy where repeating may help."""
        session = _OneTransaction(self._writer, info=dict(self.info), expire_on_commit=False)
        with _busy_errors(), self._gate or nullcontext(), session, session.begin():
            yield session
        due = session.info.get("due")
        if due and self.bell:
            self.bell(sorted(due))

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A read-only look, bounded in time; it neither waits for writers nor makes them wait."""
        with _busy_errors(), _OneTransaction(self.engine, info=dict(self.info), expire_on_commit=False) as session:
            raw = _interrupt_after(session, READ_LIMIT_S) if self._gate else None
            if raw is None:
                session.connection(execution_options={"postgresql_readonly": True})
            try:
                yield session
            finally:  # not when the session ends: the pool may have closed an overflow connection by then
                if raw is not None:
                    raw.set_progress_handler(None, 0)

    def look_up(self, statement: Executable, parameters: Mapping[str, Any]) -> Row[Any] | None:
        """The first row of one read by key. Without a transaction around it, it costs half as much."""
        with _busy_errors(), self._single.connect() as connection:
            return connection.execute(statement, parameters).first()

    def close(self) -> None:
        self.engine.dispose()


def insert_into(session: Session, target: Any) -> postgresql.Insert | sqlite.Insert:
    """An insert that knows `on_conflict`, which the two databases spell alike and SQLAlchemy builds apart."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(target)
    return sqlite.insert(target)


def inserts_into(target: Any, build: Callable[[Any], Executable]) -> Mapping[str, Executable]:
    """The statement that `build` makes of such an insert, by the name of the dialect: made once, it is run often."""
    return {"postgresql": build(postgresql.insert(target)), "sqlite": build(sqlite.insert(target))}


class WriteGate:
    """Lets one SQLite write transaction of all processes and threads through at a time.

    SQLite's own busy handler polls with growing sleeps, so under load a writer can starve for hundreds of milliseconds.
    A lock in this process comes first, so that at most one thread of each process polls the file lock. The descriptor
    is opened for each transaction: threads that share one would not exclude each other, and a forked child would
    inherit its parent's lock.
    """

    def __init__(self, path: str, wait_s: float) -> None:
        self._path = path
        self._wait_s = wait_s
        self._threads = threading.Lock()
        self._owner: int | None = None
        self._descriptor = -1

    def __enter__(self) -> None:
        if self._owner == threading.get_ident():
            raise RuntimeError("this thread has a write transaction open already")
        deadline = time.monotonic() + self._wait_s
        if not self._threads.acquire(timeout=self._wait_s):
            raise DatabaseBusy("another thread has kept the database for too long")
        try:
            self._descriptor = self._lock_file(deadline)
        except BaseException:
            self._threads.release()
            raise
        self._owner = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self._owner = None
        os.close(self._descriptor)
        self._threads.release()

    def _lock_file(self, deadline: float) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        pause_s = 0.0002
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise DatabaseBusy("another process has kept the database for too long") from None
                time.sleep(pause_s)
                pause_s = min(pause_s * 1.5, 0.004)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC on both databases; a naive one is a programming error."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class database_now_s(FunctionElement[float]):
    """The database's own clock in Unix seconds: the only clock that all workers share, so leases are measured by it."""

    type = Float()
    inherit_cache = True


@compiles(database_now_s, "sqlite")
def _sqlite_now(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now_s, "postgresql")
def _postgresql_now(*_: Any, **__: Any) -> str:
    return "extract(epoch from clock_timestamp())::float8"


def _make_engine(url: str) -> Engine:
    if make_url(url).get_backend_name() == "postgresql":
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=10,
            pool_timeout=3,
            connect_args={"options": _PG_OPTIONS},
        )
    engine = create_engine(
        url,
        hide_parameters=True,  # an error would tell them to the log: what requesters answered, and secrets among it
        pool_size=10,
        max_overflow=10,
        pool_timeout=3,
        pool_use_lifo=True,  # the last writer's connection is the only one whose cache is still good
        connect_args={"timeout": WRITE_WAIT_S},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver starts no transaction of its own: _begin_sqlite says which kind
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY", "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}")
    # 16 MB of WAL instead of 4: beside a long history a batch touches hundreds of scattered pages, and every checkpoint
    # reads and writes each of them once more.
    connection.execute("PRAGMA wal_autocheckpoint=4000")


def _begin_sqlite(connection: Any) -> None:
    begin = connection.get_execution_options().get("sxg_begin", "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)


def _interrupt_after(session: Session, limit_s: float) -> Any:
    """The driver's connection, which gives up whatever it does once the time is over."""
    raw: Any = session.connection().connection.driver_connection
    deadline = time.monotonic() + limit_s
    raw.set_progress_handler(lambda: time.monotonic() > deadline, 50_000)
    return raw


@contextmanager
def _busy_errors() -> Iterator[None]:
    """Turns the faults of the database itself into DatabaseBusy; a violated constraint stays what it is."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        raise DatabaseBusy(_first_line(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseBusy(_first_line(error)) from error
        raise


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", error)).splitlines()[0][:200] if str(error) else type(error).__name__
