"""The web process of a provider: the exchange for consumers, and the API and the pages for our own people."""

from collections.abc import Callable
from datetime import UTC, datetime

import flask
from sqlalchemy import text

from bridge import failpoints
from bridge.database import Database
from bridge.flow_metrics import install_flow_metrics
from bridge.jobs import Bell, Ringer
from bridge.web import Api, Blueprint, health, install, openapi_config
from provider.api import BLUEPRINTS
from provider.api.context import attach
from provider.api.problems import ERROR_TABLE
from provider.config import ProviderConfig
from provider.context import make_context
from provider.ui import install_pages


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(config: ProviderConfig, *, clock: Callable[[], datetime] = utc_now) -> flask.Flask:
    """The app over a migrated database. `clock` is the only place that time comes from."""
    failpoints.install(config.failpoint)
    app = flask.Flask(__name__, static_folder=None)
    app.config |= openapi_config("Service Exchange provider", "1")
    install(app, service="provider", error_table=ERROR_TABLE)
    context = make_context(config, clock)
    if isinstance(context.database.bell, Bell):
        context.database.bell = Ringer(context.database.bell)
    attach(context, app)
    install_flow_metrics(app, context.database, clock)
    api = Api(app)
    for blueprint in BLUEPRINTS:
        if isinstance(blueprint, Blueprint):
            api.register_blueprint(blueprint)
        else:
            app.register_blueprint(blueprint)
    install_pages(app, context, config)
    app.register_blueprint(health({"database": lambda: _ask(context.database)}))
    return app


def _ask(database: Database) -> None:
    with database.reading() as session:
        session.execute(text("select 1"))
