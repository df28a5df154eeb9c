"""HTTP endpoints: load with a schema, one service call, dump. No query, no rule."""

import flask

from provider.api import catalog, connections, exchange, producers, registrations, token

BLUEPRINTS: tuple[flask.Blueprint, ...] = (
    registrations.blueprint,
    connections.blueprint,
    catalog.blueprint,
    producers.blueprint,
    token.blueprint,
    exchange.blueprint,
)
"""Everything the app serves, but for health and metrics."""
