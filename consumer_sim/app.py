"""The web process of a consumer: the receiver of events, and the API and the pages for its people."""

from collections.abc import Callable
from datetime import UTC, datetime

import flask
from sqlalchemy import text

from bridge import failpoints
from bridge.database import Database
from bridge.flow_metrics import install_flow_metrics
from bridge.jobs import Bell, Ringer
from bridge.web import Api, health, install, openapi_config
from consumer_sim.api import (
    approvals,
    attachments,
    cases,
    catalog,
    choices,
    connections,
    drafts,
    faults,
    issues,
    personas,
    products,
    receiver,
    records,
    requests,
    task_approvals,
    tickets,
)
from consumer_sim.api.context import attach
from consumer_sim.api.problems import ERROR_TABLE
from consumer_sim.config import ConsumerConfig
from consumer_sim.context import make_context
from consumer_sim.ui import install_pages

_ROUTES = (
    receiver,
    connections,
    issues,
    catalog,
    choices,
    requests,
    cases,
    attachments,
    drafts,
    products,
    records,
    faults,
    personas,
    tickets,
    approvals,
    task_approvals,
)


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(config: ConsumerConfig, *, clock: Callable[[], datetime] = utc_now) -> flask.Flask:
    """The app over a migrated database. `clock` is the only place that time comes from."""
    failpoints.install(config.failpoint)
    app = flask.Flask(__name__, static_folder=None)
    app.config |= openapi_config("Service Exchange consumer", "1")
    install(app, service="consumer", error_table=ERROR_TABLE)
    context = make_context(config, clock)
    if isinstance(context.database.bell, Bell):
        context.database.bell = Ringer(context.database.bell)
    attach(context, app)
    install_flow_metrics(app, context.database, clock)
    api = Api(app)
    for module in _ROUTES:
        api.register_blueprint(module.blueprint)
    install_pages(app, context)
    app.register_blueprint(health({"database": lambda: _ask(context.database)}))
    return app


def _ask(database: Database) -> None:
    with database.reading() as session:
        session.execute(text("select 1"))
