"""Remote record producers: review what consumers will see, decide who they are, publish, revise, retire."""

from collections.abc import Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug import Response
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from bridge.forms import FormErrors, check_answers
from provider.domain.catalog import RemoteRecordProducerState
from provider.models.catalog import RemoteRecordProducer
from provider.services import producers, revisions
from provider.services.entitlement_explanations import explain_entitlement, preview_entitlements
from provider.services.producer_search import (
    NOBODY,
    NOT_ALL,
    SORTABLE,
    list_conditions,
    list_possible_consumers,
    search_producers,
    show_producer,
)
from provider.services.selling import list_unsold
from provider.ui.audience import NAMED, AudienceForm, answers_of
from provider.ui.context import actor, here
from provider.ui.gains import losers_of, mark_of, say_gains
from webkit.forms import Form
from webkit.listing import read_listing
from webkit.next_step import flash_next
from webkit.order_form import change_rows, make_order_form, read_answers
from webkit.pages import Pages

pages = Pages("producers", __name__)

_S = RemoteRecordProducerState
STATES = tuple((str(state), state.label) for state in _S)
UNSOLD_MOST = 5
REACHES = ((NOBODY, "Nobody"), (NOT_ALL, "Not activated by all"))
KINDS = (("product", "Product"), ("service", "Service"), ("task", "Written by hand"), ("inventory", "Inventory"))


class EditForm(Form):
    """What of a generated item people may say otherwise. The questions come from the catalog."""

    name = StringField("Name", [InputRequired("An item has a name."), Length(max=200)])
    short_description = StringField("Short description", [Length(max=500)])
    description = TextAreaField("Description", [Length(max=10_000)])
    category = StringField("Category", [Length(max=120)])
    help_text = TextAreaField(
        "Help", [Length(max=10_000)], description="Stands above the form, for whoever fills it in."
    )
    compatibility = StringField(
        "Oldest exchange version", [InputRequired("Say which version a consumer has to speak."), Length(max=20)],
        description="Leave it as it is unless you know better: consumers that speak an older version of the exchange "
        "cannot activate the item.",
    )  # fmt: skip

    def read(self) -> dict[str, str]:
        return {name: (self[name].data or "").strip() for name in revisions.EDITABLE}


@pages.page("/producers", "producer.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "name", ("state", "kind", "reach"))
    wanted: dict[str, Any] = {"sort": listing.sort, "descending": listing.descending, **listing.filters}
    with here().database.reading() as session:
        rows, total = search_producers(session, text=listing.text, offset=listing.offset, limit=listing.limit, **wanted)
        unsold = list_unsold(session, limit=UNSOLD_MOST) if not rows else ()
    choices = {"states": STATES, "kinds": KINDS, "reaches": REACHES, "unsold": unsold}
    return flask.render_template("provider/producers.html", listing=listing, rows=rows, total=total, **choices)


@pages.page("/producers/<identity>", "producer.read")
def show(identity: str) -> str:
    consumer = flask.request.args.get("consumer", "")
    with here().database.reading() as session:
        shown, consumers = show_producer(session, identity), list_possible_consumers(session)
        explained = explain_entitlement(session, consumer, identity) if consumer else None
    return flask.render_template("provider/producer.html", consumers=consumers, explained=explained, **shown)


@pages.form("/producers/<identity>/form", "producer.read")
def try_form(identity: str) -> ResponseReturnValue:
    """The order form as consumers will have it; what is filled in is checked as an order's would be, and forgotten."""
    with here().database.reading() as session:
        item = show_producer(session, identity)["newest"]
    wish, is_sent = flask.request.form.get("do", ""), flask.request.method == "POST"
    answers = change_rows(item.form, read_answers(item.form, flask.request.form), wish) if is_sent else {}
    is_tried = is_sent and not wish
    errors = _faults(item.form, answers) if is_tried else []
    order = make_order_form(item.form, answers, errors)
    page = flask.render_template("provider/producer_form.html", item=item, order=order, is_tried=is_tried)
    return page, 422 if errors else 200


@pages.form("/producers/<identity>/publish", "producer.write")
def publish(identity: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        shown, consumers = show_producer(session, identity), list_possible_consumers(session)
        conditions = list_conditions(session)
    form = AudienceForm(data=answers_of(shown["published"]))
    would: list[Any] = []
    is_decided = form.done(lambda: would.extend(_preview(identity, form))) and _is_decided(would)
    if is_decided and form.done(lambda: _publish(identity, form)):
        _tell_next(shown["newest"], say_gains(would, later=form.criteria.data != NAMED))
        return flask.redirect(flask.url_for(".show", identity=identity), 303)
    shown |= {"consumers": consumers, "conditions": conditions, "changes": would, "losers": losers_of(would)}
    page = flask.render_template("provider/producer_publish.html", form=form, mark=mark_of(would), **shown)
    return page, 422 if form.errors else 200


@pages.action("/producers/<identity>/retire", "producer.write")
def retire(identity: str) -> Response:
    with here().transaction() as session:
        retired = producers.retire_producer(session, identity, actor(), here().clock())
        flask.flash(f"{retired.name} is retired.", "success")
    return flask.redirect(flask.url_for(".show", identity=identity), 303)


@pages.action("/producers/<identity>/checkout", "producer.write")
def checkout(identity: str) -> Response:
    with here().transaction() as session:
        draft = revisions.checkout_producer(session, identity, actor(), here().clock())
        flask.flash(
            f"Revision {draft.revision} is a draft now. Consumers have the published one until it is published."
        )
    return flask.redirect(flask.url_for(".edit", identity=identity), 303)


@pages.form("/producers/<identity>/edit", "producer.write")
def edit(identity: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        shown = show_producer(session, identity)
    form = EditForm(obj=shown["newest"])

    def change() -> None:
        with here().transaction() as session:
            revisions.edit_producer(session, identity, form.read(), actor(), here().clock())

    if form.done(change):
        flask.flash("The draft is saved.", "success")
        return flask.redirect(flask.url_for(".show", identity=identity), 303)
    page = flask.render_template("provider/producer_edit.html", form=form, **shown)
    return page, 422 if form.is_submitted() else 200


@pages.action("/producers/<identity>/cancel-draft", "producer.write")
def cancel_draft(identity: str) -> Response:
    with here().transaction() as session:
        left = revisions.cancel_draft(session, identity, actor(), here().clock())
        flask.flash(f"The draft is gone; revision {left.revision} is the newest again.", "success")
    return flask.redirect(flask.url_for(".show", identity=identity), 303)


@pages.action("/producers/<identity>/revisions/<revision>/archive", "producer.write")
def archive(identity: str, revision: str) -> Response:
    with here().transaction() as session:
        archived = revisions.archive_revision(session, identity, revision, actor(), here().clock())
        flask.flash(f"Revision {archived.revision} is archived. Nobody can order it any more.", "success")
    return flask.redirect(flask.url_for(".show", identity=identity), 303)


@pages.action("/producers/<identity>/revisions/<revision>/copy", "producer.write")
def copy(identity: str, revision: str) -> Response:
    with here().transaction() as session:
        made = revisions.copy_revision(session, identity, revision, actor(), here().clock())
        flask.flash(f"This is a copy, {made.name}: an item of its own, as a draft.", "success")
        return flask.redirect(flask.url_for(".show", identity=made.identity), 303)


@pages.action("/producers/<identity>/delete", "producer.write")
def delete(identity: str) -> Response:
    with here().transaction() as session:
        revisions.delete_producer(session, identity, actor(), here().clock())
    flask.flash("The item is deleted with all its revisions.", "success")
    return flask.redirect(flask.url_for(".list_all"), 303)


def _faults(form: Mapping[str, Any], answers: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a request with these answers would be refused for."""
    try:
        check_answers(form, answers)
    except FormErrors as refused:
        return [{"pointer": one.pointer, "message": one.message} for one in refused.errors]
    return []


def _is_decided(would: list[Any]) -> bool:
    """Whether it is to be done: more than a look, and for those who would lose it somebody has said yes."""
    return "preview" not in flask.request.form and flask.request.form.get("confirmed", "") == mark_of(would)


def _tell_next(item: RemoteRecordProducer, gains: str) -> None:
    """What was done, and, of what is new, where one sees what consumers make of it."""
    done = f"{item.name} is published. {gains}" if item.state == _S.DRAFT else f"Saved. {gains}"
    if item.state == _S.DRAFT and current_user.may("connection.read"):
        flash_next(done, "Look at the consumers, or invite one.", flask.url_for("connections.list_all"))
    else:
        flask.flash(done, "success")


def _publish(identity: str, form: AudienceForm) -> None:
    with here().transaction() as session:
        producers.publish_producer(session, identity, form.read(), actor(), here().clock())


def _preview(identity: str, form: AudienceForm) -> list[dict[str, Any]]:
    with here().database.reading() as session:
        return preview_entitlements(session, here().clock(), identity, form.read())
