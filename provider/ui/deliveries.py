"""Deliveries: what was sent or waits to be sent, why it waits, and what people do with what got stuck."""

import json

import flask
from flask.typing import ResponseReturnValue

from provider.services import deliveries
from provider.services.connections import as_id, list_connections
from provider.services.delivery_search import SORTABLE, STATES, search_deliveries, show_delivery_page
from provider.ui.context import actor, here
from provider.ui.orders import PlainForm, ReasonForm
from webkit.forms import Form
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.words import in_words

pages = Pages("deliveries", __name__)

CONNECTIONS_MOST = 200


@pages.page("/deliveries", "delivery.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "-recorded", ("state", "connection"))
    with here().database.reading() as session:
        rows, total = search_deliveries(
            session, text=listing.text, state=listing.filters.get("state", ""),
            connection_id=listing.id_in("connection") or "", **listing.place,
        )  # fmt: skip
        connections = list_connections(session, limit=CONNECTIONS_MOST, after=None).items
    named = [(connection.id, connection.name) for connection in connections]
    known = {"states": [(state, in_words(state)) for state in STATES], "connections": named}
    return flask.render_template("provider/deliveries.html", listing=listing, rows=rows, total=total, **known)


@pages.page("/deliveries/<delivery_id>", "delivery.read")
def show(delivery_id: str) -> str:
    return _show(delivery_id)


@pages.action("/deliveries/<delivery_id>/replay", "delivery.write")
def replay(delivery_id: str) -> ResponseReturnValue:
    """Send a parked delivery again."""
    found = as_id("delivery", delivery_id)
    with here().transaction() as session:
        deliveries.replay_delivery(session, found, actor=actor(), now=here().clock())
    flask.flash("It is on its way again.", "success")
    return flask.redirect(flask.url_for(".show", delivery_id=found), 303)


@pages.form("/deliveries/<delivery_id>/skip", "delivery.write")
def skip(delivery_id: str) -> ResponseReturnValue:
    """Give a parked delivery up, so that those behind it go on."""
    form, made = ReasonForm(), []

    def act() -> None:
        found, reason = as_id("delivery", delivery_id), form.reason.data
        with here().transaction() as session:
            made.append(deliveries.skip_delivery(session, found, reason=reason, actor=actor(), now=here().clock()))

    if form.done(act):
        return flask.redirect(flask.url_for(".show", delivery_id=made[0]["id"]), 303)
    return _show(delivery_id, form), 422 if form.is_submitted() else 200


def _show(delivery_id: str, form: Form | None = None) -> str:
    with here().database.reading() as session:
        delivery = show_delivery_page(session, delivery_id)
    texts = {name: _pretty(delivery[name]) for name in ("data", "before_mapping")}
    return flask.render_template(
        "provider/delivery.html", delivery=delivery, **texts, form=form or PlainForm(), to="skip" if form else ""
    )


def _pretty(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) if data is not None else ""
