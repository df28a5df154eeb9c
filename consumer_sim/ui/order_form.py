"""What the two pages with an order form have in common: to order an item, and to correct a request."""

from collections.abc import Callable, Mapping
from typing import Any

import flask
from flask_login import current_user
from werkzeug.datastructures import FileStorage

from bridge.answered_files import ATTACHMENT, narrow_limits
from bridge.attachments import clean_name
from bridge.downloads import upload_limit
from bridge.errors import AttachmentRefused
from bridge.references import answers_beside, find_variable
from consumer_sim.services.answered_files import keep_chosen
from consumer_sim.ui.context import here
from webkit.order_fields import OrderForm, Search
from webkit.order_form import read_answers
from webkit.pairs import show_pair, write_pair
from webkit.site import here as site

Errors = list[dict[str, str]]
Searches = Mapping[str, Search]
NOTHING_FOUND: Searches = {}
FIND = "find "
"""How the button begins that looks for what can be chosen: `find /characteristics/router`."""
ROW_WISHES = ("add ", "remove ")
"""How the buttons of a table begin: `add /sets/people`, `remove /sets/people/1`."""


def files_limit() -> int:
    """How long a form may be that is sent with its files: several of them, if nothing sent them before."""
    return 4 * upload_limit(here().config.attachments)


def read_typed(form: Mapping[str, Any], kept: Mapping[str, Any]) -> tuple[dict[str, Any], Errors]:
    """What was typed and chosen on this page, and which of the files are not taken, each by its pointer."""
    answers = read_answers(form, flask.request.form, kept)
    refused: Errors = []
    for pointer, chosen in flask.request.files.items():
        variable = find_variable(form, pointer)
        beside = answers_beside(answers, pointer)
        if chosen.filename and variable and variable["type"] == ATTACHMENT and isinstance(beside, dict):
            try:
                beside[variable["key"]] = _keep(variable, chosen)
            except AttachmentRefused as refusal:
                refused.append({"pointer": pointer, "message": refusal.message})
    return answers, refused


def with_refused(refused: Errors, found: Errors) -> Errors:
    """What is wrong: of a file that was not taken only that, not that it is missing."""
    pointers = {one["pointer"] for one in refused}
    return refused + [one for one in found if one["pointer"] not in pointers]


def tell_checked(errors: Mapping[str, Any], order: OrderForm, status: str) -> flask.Response:
    """For the script of the form: messages by field, and which files are kept of what was chosen."""
    files = {one.name: one.value for one in order.all_fields() if one.control == "file"}
    return flask.jsonify(errors=errors, files=files, status=status)


def _keep(variable: Mapping[str, Any], chosen: FileStorage) -> dict[str, Any]:
    """Raises AttachmentRefused."""
    context, name = here(), clean_name(chosen.filename or "file")
    kept = context.files.keep(chosen.stream, name, narrow_limits(context.config.attachments, variable))
    said: dict[str, Any] = {"name": name, "media_type": chosen.mimetype, "chosen_by": current_user.name}
    with context.database.transaction() as session:
        return keep_chosen(session, kept, **said, now=context.clock())


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
