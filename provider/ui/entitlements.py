"""Removals of so many entitlements at once that a person has to look first."""

import flask
from werkzeug import Response

from provider.services.held_removals import decide_removal, list_held_removals
from provider.ui.context import actor, here
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("entitlements", __name__)


@pages.page("/removals", "producer.read")
def list_removals() -> str:
    listing = read_listing(("since",), "since")
    with here().database.reading() as session:
        rows, total = list_held_removals(session, offset=listing.offset, limit=listing.limit)
    return flask.render_template("provider/removals.html", listing=listing, rows=rows, total=total)


@pages.action("/removals/<removal_id>/confirm", "producer.write")
def confirm(removal_id: str) -> Response:
    return _decide(removal_id, confirm=True)


@pages.action("/removals/<removal_id>/keep", "producer.write")
def keep(removal_id: str) -> Response:
    return _decide(removal_id, confirm=False)


def _decide(removal_id: str, *, confirm: bool) -> Response:
    with here().transaction() as session:
        decide_removal(session, removal_id, confirm=confirm, actor=actor(), now=here().clock())
    text = (
        "They lose the item, as the criteria say." if confirm else "They keep the item until its criteria are changed."
    )
    flask.flash(text, "success")
    return flask.redirect(flask.url_for(".list_removals"), 303)
