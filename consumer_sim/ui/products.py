"""What we have: found by location, state and word, and one product with all that is known of it."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import flask

from consumer_sim.services.product_search import SORTS, get_choices, get_owned, search_products
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.listing import read_listing
from webkit.order_form import show_answers
from webkit.pages import Pages

pages = Pages("products", __name__)


@pages.page("/products", Permission.PRODUCT_READ)
def list_all() -> str:
    listing = read_listing(SORTS, "location", ("location", "state"))
    chosen: dict[str, Any] = {name: listing.filters.get(name) for name in ("location", "state")}
    with here().database.reading() as session:
        choices = get_choices(session)
        rows, total = search_products(session, text=listing.text, **chosen, **listing.place)
    return flask.render_template("consumer/products.html", listing=listing, choices=choices, rows=rows, total=total)


@pages.page("/products/<uuid:connection_id>/<uuid:product_id>", Permission.PRODUCT_READ)
def show(connection_id: UUID, product_id: UUID) -> str:
    with here().database.reading() as session:
        owned, form = get_owned(session, str(connection_id), str(product_id))
    variables = list(_variables(form)) if form else []
    told = show_answers({"variables": variables, "parts": []}, {"characteristics": owned.product.characteristics})
    return flask.render_template("consumer/product.html", owned=owned, told=told)


def _variables(form: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of all parts: a product is one of them, and the provider does not tell which."""
    yield from form["variables"]
    for part in form["parts"]:
        yield from _variables(part)
