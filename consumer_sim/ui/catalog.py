"""What can be ordered, and ordering it. An order has one id from its first letter on: that of its draft and request."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user

from bridge.ids import new_id
from consumer_sim.services.catalog_search import SORTS, get_shelves, search_catalog
from consumer_sim.services.ordering import Sheet, check_order_and_own, keep_draft, open_order, send_order
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here, writer
from consumer_sim.ui.order_form import (
    FIND,
    NOTHING_FOUND,
    ROW_WISHES,
    Errors,
    Searches,
    files_limit,
    find_choices,
    find_errors,
    place_of,
    read_typed,
    tell_checked,
    tell_choices,
    with_refused,
)
from consumer_sim.ui.own_form import is_own, make_own_form, read_own
from webkit.listing import read_listing
from webkit.order_fields import OrderForm
from webkit.order_form import change_rows, make_order_form
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
        offers, total = search_catalog(
            session, text=listing.text, name=current_user.name, **chosen, **listing.place
        )  # fmt: skip
        ask = [] if total else list(site().accounts.whom_to_ask(session, Permission.CATALOG_WRITE))
    categories = [(category, category) for category in shelves.categories]
    return flask.render_template(
        "consumer/catalog.html", listing=listing, shelves=shelves, categories=categories, offers=offers, total=total,
        ask=ask,
    )  # fmt: skip


@pages.form(_ORDER, Permission.REQUEST_WRITE, upload_limit=files_limit)
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
    wish, (answers, refused) = flask.request.form.get("do", ""), _read(sheet)
    if wish.startswith(ROW_WISHES):
        return _more(sheet, change_rows(sheet.form, answers, wish), refused)
    if wish.startswith(FIND):
        return _find(sheet, answers, wish.removeprefix(FIND))
    return _STEPS.get(wish, _look)(sheet, answers, refused)


@pages.action(f"{_ORDER}/choices", Permission.REQUEST_WRITE)
def choose(connection_id: UUID, item_id: UUID) -> ResponseReturnValue:
    """What can be chosen for a field, for the script of the form."""
    sheet = _open(connection_id, item_id, flask.request.args.get("draft", type=UUID) or UUID(new_id()))
    return tell_choices(str(connection_id), str(item_id), _read(sheet)[0])


@pages.action(f"{_ORDER}/check", Permission.REQUEST_WRITE, upload_limit=files_limit)
def check(connection_id: UUID, item_id: UUID) -> ResponseReturnValue:
    """What is wrong so far, for the script of the form; what was typed is kept as a draft."""
    sheet = _open(connection_id, item_id, flask.request.args.get("draft", type=UUID) or UUID(new_id()))
    answers, refused = _read(sheet)
    is_kept = sheet.sent is None and _keep(sheet, answers)
    order, own = _make_forms(sheet, answers, with_refused(refused, _find_errors(sheet, answers)))
    status = "Saved as draft." if is_kept else "This was sent already."
    return tell_checked({**order.errors, **own.errors}, order, status)


def _send(sheet: Sheet, answers: Answers, refused: Errors) -> ResponseReturnValue:
    if refused:
        return _look(sheet, answers, refused)
    waits: list[bool] = []

    def send() -> None:
        with here().database.transaction() as session:
            task = send_order(session, sheet.item, sheet.draft_id, answers, writer(), now=here().clock())
            waits.append(task.approval == "waiting")

    errors = find_errors(send)
    if not errors:
        said = "Thank you. It waits for approval before it is sent." if waits[-1] else "Thank you for your request."
        return _go_to_request(sheet, said, "success")
    _keep(sheet, answers)
    return _show(sheet, answers, errors)


def _save(sheet: Sheet, answers: Answers, refused: Errors) -> ResponseReturnValue:
    if not _keep(sheet, answers):
        return _go_to_request(sheet, "This was sent already.")
    if refused:
        return _show(sheet, answers, refused)
    flask.flash(f"Saved: the order of {sheet.item.name}.", "success")
    return flask.redirect(flask.url_for("drafts.list_all"), 303)


def _more(sheet: Sheet, answers: Answers, refused: Errors) -> ResponseReturnValue:
    """One contact more, as a form that is shown anew always has an empty one; or other rows of a table."""
    _keep(sheet, answers)
    if refused:
        return _show(sheet, answers, refused)
    place = place_of(flask.request.form.get("do", ""))
    return flask.redirect(f"{_url(sheet.item.connection_id, sheet.item.id, sheet.draft_id)}#{place}", 303)


def _find(sheet: Sheet, answers: Answers, pointer: str) -> ResponseReturnValue:
    """What can be chosen for one field, without the script of the form."""
    _keep(sheet, answers)
    found = find_choices(sheet.item.connection_id, sheet.item.id, pointer, answers)
    return _show(sheet, answers, [], {pointer: found})


def _look(sheet: Sheet, answers: Answers, refused: Errors) -> ResponseReturnValue:
    """Somebody pressed Enter, or a file is not taken: say what is still wrong, and send nothing."""
    _keep(sheet, answers)
    return _show(sheet, answers, with_refused(refused, _find_errors(sheet, answers)))


_STEPS = {"send": _send, "save": _save, "more": _more}


def _open(connection_id: UUID, item_id: UUID, draft_id: UUID) -> Sheet:
    with here().database.reading() as session:
        return open_order(session, str(connection_id), str(item_id), str(draft_id), writer())


def _keep(sheet: Sheet, answers: Answers) -> bool:
    with here().database.transaction() as session:
        kept = keep_draft(session, sheet.item, sheet.draft_id, answers, writer(), now=here().clock())
        return kept is not None


def _show(sheet: Sheet, answers: Answers, errors: Errors, searches: Searches = NOTHING_FOUND) -> ResponseReturnValue:
    order, own = _make_forms(sheet, answers, errors)
    order = replace(order, searches=searches)
    page = flask.render_template("consumer/order.html", sheet=sheet, order=order, own=own)
    return page, 422 if errors else 200


def _read(sheet: Sheet) -> tuple[dict[str, Any], Errors]:
    """What was typed, answers to our own questions apart; and which files are not taken."""
    answers, refused = read_typed(sheet.form, sheet.answers)
    return answers | read_own(sheet.own, flask.request.form), refused


def _make_forms(sheet: Sheet, answers: Answers, errors: Errors) -> tuple[OrderForm, OrderForm]:
    """What the provider asks, and what we ask ourselves."""
    theirs = [one for one in errors if not is_own(one)]
    order = make_order_form(sheet.form, answers, theirs, person=writer().name)
    return order, make_own_form(sheet.own, answers, errors)


def _find_errors(sheet: Sheet, answers: Answers) -> Errors:
    with here().database.reading() as session:
        return find_errors(lambda: check_order_and_own(session, sheet.item, sheet.form, answers, now=here().clock()))


def _go_to_request(sheet: Sheet, message: str, category: str = "message") -> ResponseReturnValue:
    flask.flash(message, category)
    url = flask.url_for("requests.show", connection_id=sheet.item.connection_id, task_id=sheet.draft_id)
    return flask.redirect(url, 303)


def _url(connection_id: str, item_id: str, draft_id: str) -> str:
    return flask.url_for("catalog.order", connection_id=connection_id, item_id=item_id, draft=draft_id)
