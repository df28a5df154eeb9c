"""Orders that are still being written: go on, or throw away."""

from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user

from consumer_sim.services.drafts import delete_draft, get_draft
from consumer_sim.services.request_search import search_drafts
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("drafts", __name__)


@pages.page("/drafts", Permission.REQUEST_WRITE)
def list_all() -> str:
    listing = read_listing(("item", "changed"), "-changed")
    with here().database.reading() as session:
        drafts, total = search_drafts(session, author=current_user.name, text=listing.text, **listing.place)
    return flask.render_template("consumer/drafts.html", listing=listing, drafts=drafts, total=total)


@pages.action("/drafts/<uuid:draft_id>/discard", Permission.REQUEST_WRITE)
def discard(draft_id: UUID) -> ResponseReturnValue:
    with here().database.transaction() as session:
        delete_draft(session, get_draft(session, str(draft_id), lock=True))
    flask.flash("Discarded.")
    return flask.redirect(flask.url_for("drafts.list_all"), 303)
