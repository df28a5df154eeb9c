"""The web process of a consumer: the receiver of events and the API for its people."""

from collections.abc import Callable
from datetime import UTC, datetime

import flask
from sqlalchemy import text

from bridge import failpoints
from bridge.database import Database
from bridge.egress import AddressGuard
from bridge.flow_metrics import install_flow_metrics
from bridge.identity import Keyring, ensure_instance
from bridge.jobs import Bell
from bridge.outbox import Rendering
from bridge.web import Api, health, install, openapi_config
from consumer_sim.api import catalog, connections, drafts, faults, products, receiver, records, requests
from consumer_sim.api.context import Context
from consumer_sim.api.problems import ERROR_TABLE
from consumer_sim.config import ConsumerConfig
from consumer_sim.services.tokens import ClientCredentials

_ROUTES = (receiver, connections, catalog, requests, drafts, products, records, faults)


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(config: ConsumerConfig, *, clock: Callable[[], datetime] = utc_now) -> flask.Flask:
    """The app over a migrated database. `clock` is the only place that time comes from."""
    failpoints.install(config.failpoint)
    app = flask.Flask(__name__, static_folder=None)
    app.config |= openapi_config("Service Exchange consumer", "1")
    install(app, service="consumer", error_table=ERROR_TABLE)
    context = make_context(config, clock)
    context.install(app)
    install_flow_metrics(app, context.database, clock)
    api = Api(app)
    for module in _ROUTES:
        api.register_blueprint(module.blueprint)
    app.register_blueprint(health({"database": lambda: _ask(context.database)}))
    return app


def make_context(config: ConsumerConfig, clock: Callable[[], datetime]) -> Context:
    database = Database(config.database_url)
    keyring = Keyring.load(config.data_dir)
    with database.transaction() as session:
        identity = ensure_instance(session, config.instance_name, config.data_dir)
    database.info["outbox"] = Rendering(identity.source)
    if config.redis_url:
        database.bell = Bell(config.redis_url, identity.id)
    return Context(
        config=config,
        database=database,
        keyring=keyring,
        identity=identity,
        guard=AddressGuard(config.egress_allow),
        tokens=ClientCredentials(keyring),
        clock=clock,
    )


def _ask(database: Database) -> None:
    with database.reading() as session:
        session.execute(text("select 1"))
