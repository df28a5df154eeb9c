"""What providers offer us, and what our admins let people order."""

from collections.abc import Callable
from uuid import UUID

import flask
from flask_login import current_user
from werkzeug import Response

from consumer_sim.models import CatalogItem
from consumer_sim.services.catalog import activate_item, deactivate_item, get_item
from consumer_sim.services.item_changes import compare_forms
from consumer_sim.services.item_search import KINDS, SORTS, get_offered, list_offering_providers, search_items
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.listing import read_listing
from webkit.next_step import flash_next
from webkit.order_form import make_order_form
from webkit.pages import Pages

pages = Pages("items", __name__)
_ONE = "/items/<uuid:connection_id>/<uuid:item_id>"
WORDS = {
    "pending_activation": "Waiting for activation", "revised": "New revision waiting", "refused": "Refused by provider",
    "active": "Active", "inactive": "Inactive", "removed": "No longer offered",
}  # fmt: skip
REMOVED = {
    "not_entitled": "It is not offered to us any more.", "retired": "The provider offers it to nobody any more.",
}  # fmt: skip
"""Why an item is no longer offered, by what the provider says."""
CHANGES = {"new": "is asked anew", "gone": "is asked no more", "changed": "is asked differently"}


@pages.page("/items", Permission.CONNECTION_READ)
def list_all() -> str:
    listing = read_listing(SORTS, "state", ("state", "provider"))
    connection_id = listing.id_in("provider")
    with here().database.reading() as session:
        providers = list_offering_providers(session)
        rows, total = search_items(
            session, text=listing.text, kind=listing.filters.get("state"), connection_id=connection_id, **listing.place
        )
    kinds = [(kind, WORDS[kind]) for kind in KINDS]
    return flask.render_template(
        "consumer/items.html",
        listing=listing,
        rows=rows,
        total=total,
        kinds=kinds,
        providers=providers,
        words=WORDS,
        removed=REMOVED,
    )


@pages.page(_ONE, Permission.CONNECTION_READ)
def show(connection_id: UUID, item_id: UUID) -> str:
    with here().database.reading() as session:
        row = get_offered(session, str(connection_id), str(item_id))
    item = row.item
    changes = compare_forms(item.active_form, item.form) if row.is_revised and item.active_form else []
    told = {"words": WORDS, "removed": REMOVED, "change_words": CHANGES, "changes": changes}
    return flask.render_template("consumer/item.html", row=row, order=make_order_form(item.form, {}), **told)


@pages.action(f"{_ONE}/activate", Permission.CATALOG_WRITE)
def activate(connection_id: UUID, item_id: UUID) -> Response:
    item = _decide(connection_id, item_id, lambda session, item: activate_item(session, item, now=here().clock()))
    if item.kind == "inventory":
        products = flask.url_for("products.list_all", provider=item.connection_id)
        flash_next("Products can be changed from now on.", "To the products.", products)
    elif current_user.may(Permission.REQUEST_WRITE):
        order = flask.url_for("catalog.order", connection_id=item.connection_id, item_id=item.id)
        flash_next(f"{item.name} can be ordered from now on.", "Order it.", order)
    else:
        flask.flash(f"{item.name} can be ordered from now on.", "success")
    return _back()


@pages.action(f"{_ONE}/deactivate", Permission.CATALOG_WRITE)
def deactivate(connection_id: UUID, item_id: UUID) -> Response:
    item = _decide(connection_id, item_id, lambda session, item: deactivate_item(session, item, now=here().clock()))
    flask.flash(f"{item.name} cannot be ordered any more. Requests that are under way go on.", "success")
    return _back()


def _decide(connection_id: UUID, item_id: UUID, decide: Callable[..., None]) -> CatalogItem:
    with here().database.transaction() as session:
        item = get_item(session, str(item_id), connection_id=str(connection_id), lock=True)
        decide(session, item)
        return item


def _back() -> Response:
    """To the list as it was: its search and place are in the query of the button's address."""
    return flask.redirect(flask.url_for(".list_all", **flask.request.args.to_dict()), 303)  # type: ignore[arg-type]
