"""What the two pages with an order form have in common: to order an item, and to correct a request."""

from collections.abc import Callable, Mapping
from typing import Any

import flask

from consumer_sim.services.order_answers import check_order
from webkit.order_form import make_order_form
from webkit.site import here as site

Errors = list[dict[str, str]]
ROW_WISHES = ("add ", "remove ")
"""How the buttons of a table begin: `add /sets/people`, `remove /sets/people/1`."""


def place_of(wish: str) -> str:
    """Where on the page one was when a button was pressed that shows it anew."""
    verb, _, pointer = wish.partition(" ")
    steps = pointer.split("/")[1:3]
    return f"set-{'-'.join(steps)}" if f"{verb} " in ROW_WISHES else "contacts"


def find_errors(action: Callable[[], object]) -> Errors:
    """What keeps the action from being done, each with its pointer; nothing once it is done."""
    try:
        action()
    except site().refusals as error:
        refusal = site().refusal_of(error)
        return refusal.errors or [{"pointer": "", "message": refusal.detail or refusal.title}]
    return []


def tell_errors(form: Mapping[str, Any], answers: Mapping[str, Any], status: str) -> flask.Response:
    """For the script of the form: messages by field. What belongs to no field is said when the form is sent."""
    errors = find_errors(lambda: check_order(form, answers))
    return flask.jsonify(errors=make_order_form(form, answers, errors).errors, status=status)
