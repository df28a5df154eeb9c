"""What the two pages with an order form have in common: to order an item, and to correct a request."""

from collections.abc import Callable, Mapping
from typing import Any

import flask

from consumer_sim.services.order_answers import check_order
from consumer_sim.ui.context import here
from webkit.order_fields import Search
from webkit.order_form import make_order_form
from webkit.pairs import show_pair, write_pair
from webkit.site import here as site

Errors = list[dict[str, str]]
Searches = Mapping[str, Search]
NOTHING_FOUND: Searches = {}
FIND = "find "
"""How the button begins that looks for what can be chosen: `find /characteristics/router`."""
ROW_WISHES = ("add ", "remove ")
"""How the buttons of a table begin: `add /sets/people`, `remove /sets/people/1`."""


def place_of(wish: str) -> str:
    """Where on the page one was when a button was pressed that shows it anew."""
    verb, _, pointer = wish.partition(" ")
    steps = pointer.split("/")[1:3]
    return f"set-{'-'.join(steps)}" if f"{verb} " in ROW_WISHES else "contacts"


def find_choices(connection_id: str, item_id: str, pointer: str, answers: Mapping[str, Any]) -> Search:
    """What the provider lets people choose for a field, by what was typed into the search beside it."""
    text = flask.request.form.get(f"search {pointer}", flask.request.form.get("search", ""))
    found = here().chooser.find(connection_id, item_id, pointer, answers, text)
    told = [(write_pair({name: one[name] for name in ("value", "display")}), _in_words(one)) for one in found.items]
    return Search(text, tuple(told), found.notice)


def tell_choices(connection_id: str, item_id: str, answers: Mapping[str, Any]) -> flask.Response:
    """The same for the script of the form."""
    found = find_choices(connection_id, item_id, flask.request.form.get("variable", ""), answers)
    return flask.jsonify(options=found.options, notice=found.notice)


def _in_words(one: Mapping[str, str]) -> str:
    return f"{show_pair(one)} · {one['info']}" if one["info"] else show_pair(one)


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
    errors = find_errors(lambda: check_order(form, answers, today=here().clock().date()))
    return flask.jsonify(errors=make_order_form(form, answers, errors).errors, status=status)
