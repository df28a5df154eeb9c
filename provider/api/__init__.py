"""HTTP endpoints: load with a schema, one service call, dump. No query, no rule."""

import flask

from provider.api import (
    attachments,
    catalog,
    connection_care,
    connections,
    deliveries,
    entitlements,
    exchange,
    issues,
    mappings,
    order_tasks,
    orders,
    producers,
    products,
    provider_tasks,
    records,
    registrations,
    task_attachments,
    token,
)

BLUEPRINTS: tuple[flask.Blueprint, ...] = (
    registrations.blueprint,
    connections.blueprint,
    mappings.blueprint,
    catalog.blueprint,
    producers.blueprint,
    entitlements.blueprint,
    token.blueprint,
    exchange.blueprint,
    connection_care.blueprint,
    issues.blueprint,
    provider_tasks.blueprint,
    task_attachments.blueprint,
    orders.blueprint,
    attachments.blueprint,
    order_tasks.blueprint,
    products.blueprint,
    deliveries.blueprint,
    records.blueprint,
)
"""Everything the app serves, but for health and metrics."""
