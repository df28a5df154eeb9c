"""What can be ordered, and ordering it. An order has one id from its first letter on: that of its draft and request."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue

from bridge.ids import new_id
from consumer_sim.services.catalog_search import SORTS, get_shelves, search_catalog
from consumer_sim.services.order_answers import check_order
from consumer_sim.services.ordering import Sheet, keep_draft, open_order, send_order
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here, writer
from consumer_sim.ui.order_form import ROW_WISHES, Errors, find_errors, place_of, tell_errors
from webkit.listing import read_listing
from webkit.order_form import change_rows, make_order_form, read_answers
from webkit.pages import Pages
from webkit.site import here as site

pages = Pages("catalog", __name__)
_ORDER = "/catalog/<uuid:connection_id>/<uuid:item_id>/order"
Answers = Mapping[str, Any]


@pages.page("/catalog", Permission.CATALOG_READ)
def list_all() -> str:
    listing = read_listing(SORTS, "name", ("category", "provider"))
    chosen: dict[str, Any] = {"category": listing.filters.get("category"), "connection_id": listing.id_in("provider")}
    with here().database.reading() as session:
        shelves = get_shelves(session)
        offers, total = search_catalog(session, text=listing.text, **chosen, **listing.place)
        ask = [] if total else list(site().accounts.whom_to_ask(session, Permission.CATALOG_WRITE))
    categories = [(category, category) for category in shelves.categories]
    return flask.render_template(
        "consumer/catalog.html", listing=listing, shelves=shelves, categories=categories, offers=offers, total=total,
        ask=ask,
    )  # fmt: skip


@pages.form(_ORDER, Permission.REQUEST_WRITE)
def order(connection_id: UUID, item_id: UUID) -> ResponseReturnValue:
    """The order form. Its address holds the id, so that going back leads to the same order and never to a second."""
    draft_id = flask.request.args.get("draft", type=UUID)
    if draft_id is None:
        return flask.redirect(_url(str(connection_id), str(item_id), new_id()), 303)
    sheet = _open(connection_id, item_id, draft_id)
    if sheet.sent is not None:
        return _go_to_request(sheet, "This was sent already.")
    if flask.request.method == "GET":
        return _show(sheet, sheet.answers, [])
    wish, answers = flask.request.form.get("do", ""), read_answers(sheet.form, flask.request.form, sheet.answers)
    if wish.startswith(ROW_WISHES):
        return _more(sheet, change_rows(sheet.form, answers, wish))
    return _STEPS.get(wish, _look)(sheet, answers)


@pages.action(f"{_ORDER}/check", Permission.REQUEST_WRITE)
def check(connection_id: UUID, item_id: UUID) -> ResponseReturnValue:
    """What is wrong so far, for the script of the form; what was typed is kept as a draft."""
    sheet = _open(connection_id, item_id, flask.request.args.get("draft", type=UUID) or UUID(new_id()))
    answers = read_answers(sheet.form, flask.request.form, sheet.answers)
    is_kept = sheet.sent is None and _keep(sheet, answers)
    return tell_errors(sheet.form, answers, "Saved as draft." if is_kept else "This was sent already.")


def _send(sheet: Sheet, answers: Answers) -> ResponseReturnValue:
    def send() -> None:
        with here().database.transaction() as session:
            send_order(session, sheet.item, sheet.draft_id, answers, writer(), now=here().clock())

    errors = find_errors(send)
    if not errors:
        return _go_to_request(sheet, "Thank you. Your request is on its way.", "success")
    _keep(sheet, answers)
    return _show(sheet, answers, errors)


def _save(sheet: Sheet, answers: Answers) -> ResponseReturnValue:
    if not _keep(sheet, answers):
        return _go_to_request(sheet, "This was sent already.")
    flask.flash(f"Saved: the order of {sheet.item.name}.", "success")
    return flask.redirect(flask.url_for("drafts.list_all"), 303)


def _more(sheet: Sheet, answers: Answers) -> ResponseReturnValue:
    """One contact more, as a form that is shown anew always has an empty one; or other rows of a table."""
    _keep(sheet, answers)
    place = place_of(flask.request.form.get("do", ""))
    return flask.redirect(f"{_url(sheet.item.connection_id, sheet.item.id, sheet.draft_id)}#{place}", 303)


def _look(sheet: Sheet, answers: Answers) -> ResponseReturnValue:
    """Somebody pressed Enter: say what is still wrong, and send nothing."""
    _keep(sheet, answers)
    return _show(sheet, answers, find_errors(lambda: check_order(sheet.form, answers)))


_STEPS = {"send": _send, "save": _save, "more": _more}


def _open(connection_id: UUID, item_id: UUID, draft_id: UUID) -> Sheet:
    with here().database.reading() as session:
        return open_order(session, str(connection_id), str(item_id), str(draft_id), writer())


def _keep(sheet: Sheet, answers: Answers) -> bool:
    with here().database.transaction() as session:
        kept = keep_draft(session, sheet.item, sheet.draft_id, answers, writer(), now=here().clock())
        return kept is not None


def _show(sheet: Sheet, answers: Answers, errors: Errors) -> ResponseReturnValue:
    made = make_order_form(sheet.form, answers, errors, person=writer().name)
    return flask.render_template("consumer/order.html", sheet=sheet, order=made), 422 if errors else 200


def _go_to_request(sheet: Sheet, message: str, category: str = "message") -> ResponseReturnValue:
    flask.flash(message, category)
    url = flask.url_for("requests.show", connection_id=sheet.item.connection_id, task_id=sheet.draft_id)
    return flask.redirect(url, 303)


def _url(connection_id: str, item_id: str, draft_id: str) -> str:
    return flask.url_for("catalog.order", connection_id=connection_id, item_id=item_id, draft=draft_id)
