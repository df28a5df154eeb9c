"""What consumers have: found by company, state, location and word, and one product with its history."""

from typing import Any

import flask

from provider.domain.inventory import ProductState
from provider.services.order_search import list_companies
from provider.services.product_search import SORTABLE, list_locations, search_products, show_product_detail
from provider.ui.context import here
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("products", __name__)

STATES = [(str(state), state.label) for state in ProductState]


@pages.page("/products", "product.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "-number", ("company", "state", "location"))
    filters: dict[str, Any] = {**listing.filters}
    with here().database.reading() as session:
        rows, total = search_products(session, text=listing.text, **filters, **listing.place)
        companies, locations = list_companies(session), list_locations(session)
    known = {name: [(one, one) for one in found] for name, found in (("companies", companies), ("places", locations))}
    return flask.render_template(
        "provider/products.html", listing=listing, rows=rows, total=total, states=STATES, **known
    )


@pages.page("/products/<number>", "product.read")
def show(number: str) -> str:
    with here().database.reading() as session:
        product = show_product_detail(session, number)
    return flask.render_template("provider/product.html", product=product)
