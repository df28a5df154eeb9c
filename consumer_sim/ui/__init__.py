"""The pages of the consumer: for requesters, and for the admin who connects and activates. They call services.

`PAGES` lists every subject; the shared parts (sign-in, layout, lists, forms) are in `webkit`.
"""

import flask

from consumer_sim.context import Context
from consumer_sim.ui import (
    approvals,
    attachments,
    authorised_users,
    cases,
    catalog,
    connections,
    corrections,
    drafts,
    faults,
    flow,
    groups,
    item_settings,
    items,
    products,
    remote_definitions,
    requests,
    start,
    task_approvals,
    tickets,
    users,
)
from consumer_sim.ui.site import make_site
from webkit.site import install

PAGES = (
    start.pages, catalog.pages, drafts.pages, requests.pages, cases.pages, attachments.pages, corrections.pages,
    products.pages, items.pages, connections.pages, flow.pages, faults.pages, users.pages,
    approvals.pages, item_settings.pages, authorised_users.pages, groups.pages,
    tickets.pages, remote_definitions.pages, task_approvals.pages,
)  # fmt: skip


def install_pages(app: flask.Flask, context: Context) -> None:
    install(app, make_site(context))
    app.register_blueprint(flask.Blueprint("consumer", __name__, template_folder="templates"))
    for pages in PAGES:
        app.register_blueprint(pages)
