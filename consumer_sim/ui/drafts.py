"""Orders and corrections that are still being written: go on, or throw away."""

from uuid import UUID

import flask
from flask.typing import ResponseReturnValue

from consumer_sim.services.draft_search import SORTS, FoundDraft, search_drafts
from consumer_sim.services.drafts import delete_draft, get_draft
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here, writer
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("drafts", __name__)


@pages.page("/drafts", Permission.REQUEST_WRITE)
def list_all() -> str:
    listing, who = read_listing(SORTS, "-changed", ("whose",)), writer()
    own = listing.filters.get("whose") == "mine"
    with here().database.reading() as session:
        rows, total = search_drafts(session, who, text=listing.text, own=own, **listing.place)
    return flask.render_template(
        "consumer/drafts.html", listing=listing, rows=rows, total=total, sees_all=who.sees_all, way_to=_way_to
    )


@pages.action("/drafts/<uuid:draft_id>/discard", Permission.REQUEST_WRITE)
def discard(draft_id: UUID) -> ResponseReturnValue:
    with here().database.transaction() as session:
        delete_draft(session, get_draft(session, str(draft_id), writer(), lock=True))
    flask.flash("Discarded.")
    return flask.redirect(flask.url_for("drafts.list_all"), 303)


def _way_to(row: FoundDraft) -> str:
    """The address of the form that the draft goes on in."""
    draft = row.draft
    if draft.task_id is not None:
        place = {"connection_id": draft.connection_id, "task_id": draft.task_id}
        return flask.url_for("corrections.correct", **place, draft=draft.id)  # type: ignore[arg-type]
    place = {"connection_id": draft.connection_id, "item_id": draft.catalog_item_id}
    return flask.url_for("catalog.order", **place, draft=draft.id)  # type: ignore[arg-type]
