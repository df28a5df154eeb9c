"""What the two pages with an order form have in common: to order an item, and to correct a request."""

from collections.abc import Callable, Mapping
from typing import Any

import flask

from consumer_sim.services.order_answers import check_order
from webkit.order_form import make_order_form
from webkit.site import here as site

Errors = list[dict[str, str]]


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
