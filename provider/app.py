"""The web process of a provider: the exchange for consumers and the API for our own people."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

import mappings
from bridge import failpoints
from bridge.database import Database
from bridge.egress import AddressGuard
from bridge.identity import Keyring, ensure_instance
from bridge.jobs import Bell
from bridge.mapping import Expectation, Tables, load_tables
from bridge.models import MappingVersion
from bridge.outbox import Rendering
from bridge.vocabulary import EventType
from bridge.web import Api, Blueprint, health, install, openapi_config
from provider.api import BLUEPRINTS
from provider.api.context import Context
from provider.api.problems import ERROR_TABLE
from provider.config import ProviderConfig
from provider.domain.orders import OrderState
from provider.domain.provider_tasks import ProviderTaskState

EXPECTED_TABLES = {
    str(EventType.PROVIDER_TASK_STATE_CHANGED): Expectation("order_state", set(OrderState), set(ProviderTaskState))
}


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(config: ProviderConfig, *, clock: Callable[[], datetime] = utc_now) -> flask.Flask:
    """The app over a migrated database. `clock` is the only place that time comes from."""
    failpoints.install(config.failpoint)
    app = flask.Flask(__name__, static_folder=None)
    app.config |= openapi_config("Service Exchange provider", "1")
    install(app, service="provider", error_table=ERROR_TABLE)
    context = make_context(config, clock)
    context.install(app)
    api = Api(app)
    for blueprint in BLUEPRINTS:
        register = api.register_blueprint if isinstance(blueprint, Blueprint) else app.register_blueprint
        register(blueprint)
    app.register_blueprint(health({"database": lambda: _ask(context.database)}))
    return app


def make_context(config: ProviderConfig, clock: Callable[[], datetime]) -> Context:
    """What web and worker processes share: the database with its bell, the keys, the identity, the mapping tables."""
    database = Database(config.database_url)
    keyring = Keyring.load(config.data_dir)
    tables = load_tables(Path(mappings.__file__).parent, expected=EXPECTED_TABLES)
    with database.transaction() as session:
        identity = ensure_instance(session, config.instance_name, config.data_dir)
        version = store_tables(session, tables, now=clock())
    database.info["outbox"] = Rendering(identity.source, version, {version: tables})
    if config.redis_url:
        database.bell = Bell(config.redis_url, identity.id)
    return Context(
        database=database,
        keyring=keyring,
        identity=identity,
        guard=AddressGuard(config.egress_allow),
        clock=clock,
    )


def store_tables(session: Session, tables: Tables, *, now: datetime) -> int:
    """The version of these default tables, made if they differ from the newest. `ensure_instance` holds the lock."""
    document = tables.to_json()
    newest = session.execute(
        select(MappingVersion)
        .where(MappingVersion.connection_id.is_(None))
        .order_by(MappingVersion.version.desc())
        .limit(1)
    ).scalar_one_or_none()
    if newest is None or newest.document != document:
        newest = MappingVersion(document=document, created_at=now)
        session.add(newest)
        session.flush()
    return newest.version


def _ask(database: Database) -> None:
    with database.reading() as session:
        session.execute(text("select 1"))
