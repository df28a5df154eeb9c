"""What we have: found by location, state and word; one product with all that is known of it, and what can be done."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from wtforms import DateTimeLocalField, TextAreaField
from wtforms.validators import Length, Optional

from bridge.ids import new_id
from consumer_sim.models import Product
from consumer_sim.services import product_actions
from consumer_sim.services.errors import ActionRefused, ItemNotOrderable
from consumer_sim.services.product_search import SORTS, get_choices, get_owned, search_products
from consumer_sim.services.products import get_history
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from consumer_sim.ui.order_form import Errors, find_errors
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.order_fields import OrderForm
from webkit.order_form import make_order_form, read_answers
from webkit.pages import Pages
from webkit.shown_answers import show_answers

pages = Pages("products", __name__)
_ONE = "/products/<uuid:connection_id>/<uuid:product_id>"
_EMPTY: dict[str, Any] = {"variables": [], "parts": []}
_MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


class ActionForm(Form):
    """When, and why. What is to be changed, and where to, are fields of an order form beside it."""

    starts_at = DateTimeLocalField("Not before", [Optional()], format=_MOMENTS, description="As UTC. Empty: at once.")
    ends_at = DateTimeLocalField(
        "Until", [Optional()], format=_MOMENTS, description="As UTC. Empty: until you resume it."
    )
    note = TextAreaField("Note", [Length(max=10_000, message="At most 10,000 characters.")], filters=[strip])


@pages.page("/products", Permission.PRODUCT_READ)
def list_all() -> str:
    listing = read_listing(SORTS, "location", ("location", "state", "provider"))
    chosen: dict[str, Any] = {name: listing.filters.get(name) for name in ("location", "state")}
    with here().database.reading() as session:
        choices = get_choices(session)
        rows, total = search_products(
            session, text=listing.text, connection_id=listing.id_in("provider"), **chosen, **listing.place
        )
    return flask.render_template("consumer/products.html", listing=listing, choices=choices, rows=rows, total=total)


@pages.page(_ONE, Permission.PRODUCT_READ)
def show(connection_id: UUID, product_id: UUID) -> str:
    with here().database.reading() as session:
        owned, form = get_owned(session, str(connection_id), str(product_id))
        product = owned.product
        known: dict[str, Any] = {
            "tree": product_actions.read_tree(session, product), "history": get_history(session, product),
            "acting": product_actions.find_acting(session, product),
            "allowed": product_actions.list_allowed(session, product),
            "obstacle": _find_obstacle(session, product, owned.provider),
        }  # fmt: skip
    variables = list(_variables(form)) if form else []
    told = show_answers({"variables": variables, "parts": []}, {"characteristics": product.characteristics})
    names = {one["key"]: one["label"] for one in variables}
    return flask.render_template(
        "consumer/product.html", owned=owned, told=told, names=names, labels=product_actions.LABELS, **known
    )


@pages.form(f"{_ONE}/<action>", Permission.REQUEST_WRITE)
def act(connection_id: UUID, product_id: UUID, action: str) -> ResponseReturnValue:
    """Asks when, and what else the action needs. Its address holds the request's id: sent twice is asked for once."""
    if action not in product_actions.ACTIONS:
        flask.abort(404)
    request_id = flask.request.args.get("request", type=UUID)
    if request_id is None:
        return flask.redirect(flask.url_for(".act", **(flask.request.view_args or {}), request=new_id()), 303)
    try:
        product, form, tree = _open(connection_id, product_id, action)
    except ActionRefused as refusal:
        flask.flash(str(refusal), "warning")
        return flask.redirect(flask.url_for(".show", connection_id=connection_id, product_id=product_id), 303)
    except ItemNotOrderable:  # why is said at the product
        return flask.redirect(flask.url_for(".show", connection_id=connection_id, product_id=product_id), 303)
    when, answers = ActionForm(), _read(form, flask.request.form)
    errors = _send(product, action, when, answers, request_id) if when.validate_on_submit() else []
    if when.is_submitted() and not errors and not any(field.errors for field in when):
        return flask.redirect(flask.url_for("requests.show", connection_id=connection_id, task_id=request_id), 303)
    made = _make(product, form, answers if when.is_submitted() else None, errors)
    page = flask.render_template(
        "consumer/product_action.html", product=product, tree=tree, action=action,
        label=product_actions.LABELS[action], form=when, order=made,
    )  # fmt: skip
    return page, 422 if when.is_submitted() else 200


def _open(connection_id: UUID, product_id: UUID, action: str) -> tuple[Product, dict[str, Any], product_actions.Tree]:
    """Raises what keeps it from being done, before anybody types."""
    with here().database.reading() as session:
        product = product_actions.get_own(session, str(connection_id), str(product_id))
        request_id = flask.request.args.get("request", type=UUID)
        if not product_actions.was_asked(session, str(connection_id), str(request_id)):
            product_actions.get_manage_inventory(session, product.connection_id)
            product_actions.check_allowed(session, product, action)
        form = product_actions.get_change_form(session, product) if action == "change" else _EMPTY
        return product, form, product_actions.read_tree(session, product)


def _send(product: Product, action: str, when: ActionForm, answers: Mapping[str, Any], request_id: UUID) -> Errors:
    """Ask for it. What is wrong stands beside its field in `when`, or is returned for the fields of the order form."""
    wanted = {**answers, "starts_at": when.starts_at.data, "ends_at": when.ends_at.data, "note": when.note.data}

    def send() -> None:
        with here().database.transaction() as session:
            product_actions.request_action(
                session, product.connection_id, product.id, action, wanted, {"name": current_user.name},
                now=here().clock(), request_id=str(request_id),
            )  # fmt: skip

    errors = find_errors(send)
    for error in errors:
        if (field := when.find(error["pointer"])) is not None:
            field.errors = [*field.errors, error["message"]]
    return [error for error in errors if when.find(error["pointer"]) is None]


def _read(form: Mapping[str, Any], sent: MultiDict[str, str]) -> dict[str, Any]:
    answers = read_answers(form, sent)
    return {name: answers.get(name) for name in ("characteristics", "location")}


def _make(product: Product, form: Mapping[str, Any], answers: Mapping[str, Any] | None, errors: Errors) -> OrderForm:
    """What it has now, until something else was typed."""
    now = {"characteristics": product.characteristics, "location": product.location}
    return make_order_form(form, answers or now, errors)


def _find_obstacle(session: Session, product: Product, provider: str) -> str | None:
    """Why nothing can be asked for, whatever its state."""
    item = product_actions.find_manage_inventory(session, product.connection_id)
    if item is None or item.state == "removed":
        return f"{provider or 'The provider'} does not let you change products here yet."
    if item.state != "active":
        return f"Products can be changed once an admin here activates {item.name} at the items."
    return None


def _variables(form: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of all parts: what came before the provider told which part a product is has labels, too."""
    yield from form["variables"]
    for part in form["parts"]:
        yield from _variables(part)
