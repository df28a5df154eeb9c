"""The pages of the provider: for Exchange admins, order managers and agents. They call services, never the API.

`PAGES` lists every subject; the shared parts (sign-in, layout, lists, forms) are in `webkit`.
"""

import flask

from provider.config import ProviderConfig
from provider.context import Context
from provider.ui import (
    attachments,
    authoring,
    authorised_users,
    bulk,
    cases,
    catalog,
    choices,
    connections,
    contracts,
    definitions,
    deliveries,
    entitlements,
    flow,
    incidents,
    mappings,
    order_tasks,
    orders,
    personas,
    producers,
    products,
    registrations,
    scratchpads,
    start,
    task_approvals,
    users,
)
from provider.ui.site import make_site
from webkit.site import install

PAGES = (
    start.pages,
    orders.pages,
    attachments.pages,
    order_tasks.pages,
    cases.pages,
    scratchpads.pages,
    task_approvals.pages,
    products.pages,
    deliveries.pages,
    connections.pages,
    registrations.pages,
    catalog.pages,
    authoring.pages,
    bulk.pages,
    producers.pages,
    personas.pages,
    authorised_users.pages,
    entitlements.pages,
    contracts.pages,
    choices.pages,
    incidents.pages,
    definitions.pages,
    mappings.pages,
    flow.pages,
    users.pages,
)


def install_pages(app: flask.Flask, context: Context, config: ProviderConfig) -> None:
    install(app, make_site(context, config))
    app.config["SXG_PUBLIC_URL"] = config.public_url
    app.register_blueprint(flask.Blueprint("provider", __name__, template_folder="templates"))
    for pages in PAGES:
        app.register_blueprint(pages)
