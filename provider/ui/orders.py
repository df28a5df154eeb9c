"""Orders: the list, and one order with all that people do with it."""

from collections.abc import Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length, ValidationError

from provider.domain.orders import OrderCategory, OrderState
from provider.services import cancellations, comments, orders
from provider.services.order_deliveries import replay_order_deliveries
from provider.services.order_page import read_order_page
from provider.services.order_search import SORTABLE, list_companies, search_orders
from provider.services.task_approvals import read_approvals
from provider.ui.attachments import rows_for_page
from provider.ui.context import actor, here
from provider.ui.moves import APPROVE, CANCEL, DECLINE, may_be_cancelled, order_move, order_moves, task_moves
from provider.ui.scratchpads import EntryForm
from provider.ui.task_approvals import AskForm
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.uploads import FileForm
from webkit.words import in_words

pages = Pages("orders", __name__)

TEXT_MOST = 4000
STATES = [(str(state), state.label) for state in OrderState]
SEEN = {
    "received": "Received", "in_progress": "In progress", "awaiting_info": "Waiting", "rejected": "Rejected",
    "done": "Done", "cancelled": "Cancelled",
}  # fmt: skip
"""What a consumer's pages say of a request, by its stage there; consumer_sim/ui/requests.py has the same words."""
_STAGES = {"work_in_progress": "in_progress", "resolved": "done", "closed": "done"}
_BY_ORDER = {"rejected": "rejected", "assessing_cancellation": "in_progress"}
CATEGORIES = [(str(category), in_words(category)) for category in OrderCategory]


class ReasonForm(Form):
    """Why; asked for by the moves that need a reason, in the words of the move."""

    reason = TextAreaField("Reason", [Length(max=TEXT_MOST)], filters=[strip])

    def __init__(self, missing: str = "Say why.") -> None:
        super().__init__()
        self.missing = missing

    def validate_reason(self, field: TextAreaField) -> None:
        if not field.data:
            raise ValidationError(self.missing)


class PlainForm(Form):
    """A button, and nothing to type."""


class TextForm(Form):
    text = TextAreaField("Text", [DataRequired("Write something."), Length(max=TEXT_MOST)], filters=[strip])


@pages.page("/orders", "order.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "-number", ("state", "company", "category", "comments"))
    filters: dict[str, Any] = {**listing.filters}
    filters["has_new_comment"] = filters.pop("comments", "") == "new"
    with here().database.reading() as session:
        rows, total = search_orders(
            session, text=listing.text, **filters, **listing.place,
        )  # fmt: skip
        companies = list_companies(session)
    known = {"states": STATES, "categories": CATEGORIES, "companies": [(name, name) for name in companies]}
    return flask.render_template("provider/orders.html", listing=listing, rows=rows, total=total, **known)


@pages.page("/orders/<number>", "order.read")
def show(number: str) -> str:
    return _show(number)


@pages.form("/orders/<number>/move/<to>", "order.approve")
def move(number: str, to: str) -> ResponseReturnValue:
    """Any move of the state tables: `to` is approve, decline or a state."""
    wanted = order_move(to) or flask.abort(404)
    form = ReasonForm(wanted.missing) if wanted.asks else PlainForm()
    if form.done(lambda: _do(number, to, form.data.get("reason"))):
        return _back(number)
    return _show(number, to, form), _status(form)


@pages.form("/orders/<number>/cancel", "order.write")
def cancel(number: str) -> ResponseReturnValue:
    """Begin what a consumer's cancellation begins."""
    form = ReasonForm()

    def act(session: Session) -> object:
        return cancellations.cancel_order(session, number, reason=form.reason.data, actor=actor(), now=here().clock())

    if form.done(lambda: _change(act)):
        return _back(number)
    return _show(number, CANCEL.to, form), _status(form)


@pages.form("/orders/<number>/comment", "comment.write")
def comment(number: str) -> ResponseReturnValue:
    """Say something to the consumer."""
    form, name = TextForm(), actor().removeprefix("user/")

    def act(session: Session) -> object:
        return comments.add_reply(session, number, text=form.text.data, author_name=name, now=here().clock())

    if form.done(lambda: _change(act)):
        return _back(number, "conversation")
    return _show(number, "comment", form), _status(form)


@pages.form("/orders/<number>/note", "work_note.write")
def note(number: str) -> ResponseReturnValue:
    """Note something that no consumer reads."""
    form = TextForm()

    def act(session: Session) -> object:
        return comments.add_work_note(session, number, text=form.text.data, author=actor(), now=here().clock())

    if form.done(lambda: _change(act)):
        return _back(number, "notes")
    return _show(number, "note", form), _status(form)


@pages.action("/orders/<number>/replay", "delivery.write")
def replay(number: str) -> ResponseReturnValue:
    """Send everything again that is parked of this order."""
    _change(lambda session: replay_order_deliveries(session, number, actor=actor(), now=here().clock()))
    flask.flash("What was parked is on its way again.", "success")
    return _back(number)


def seen_stage(task: Mapping[str, Any]) -> str:
    """The stage, of `SEEN`, that a consumer shows of what it is told: a `state` and an `order_state`."""
    return _BY_ORDER.get(task["order_state"]) or _STAGES.get(task["state"], task["state"])


def _show(number: str, to: str = "", form: Form | None = None) -> str:
    """The page of an order; `form` is the one that was sent to `to`, with what was typed and what is wrong."""
    with here().database.reading() as session:
        order = read_order_page(session, number)
        approvals = read_approvals(session, order["provider_task"]["number"])
    told: dict[str, Any] = {"moves": order_moves(order), "cancel": CANCEL if may_be_cancelled(order) else None}
    told |= {"seen": SEEN, "seen_stage": seen_stage}
    told |= {"files": rows_for_page(order), "file_form": FileForm(), "file_limits": here().attachment_limits}
    told |= {"entry_form": EntryForm(formdata=None), "approvals": approvals, "ask_form": AskForm(formdata=None)}
    return flask.render_template(
        "provider/order.html", order=order, **told, task_moves=task_moves, to=to, form=form or PlainForm()
    )


def _do(number: str, to: str, reason: str | None) -> object:
    who: dict[str, Any] = {"actor": actor(), "now": here().clock()}
    if to == APPROVE:
        return _change(lambda session: orders.approve_order(session, number, **who))
    if to == DECLINE:
        return _change(lambda session: orders.decline_request(session, number, reason=reason or "", **who))
    if to == OrderState.CANCELLATION_IN_PROGRESS:
        return _change(lambda session: cancellations.approve_cancellation(session, number, message=None, **who))
    return _change(lambda session: orders.move_order(session, number, OrderState(to), reason=reason, **who))


def _change(act: Any) -> object:
    with here().transaction() as session:
        return act(session)


def _back(number: str, anchor: str | None = None) -> ResponseReturnValue:
    return flask.redirect(flask.url_for("orders.show", number=number, _anchor=anchor), 303)


def _status(form: Form) -> int:
    return 422 if form.is_submitted() else 200
