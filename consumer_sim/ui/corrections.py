"""Correcting a request that came back: the order form again, with what was sent and what the provider found wrong."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue

from consumer_sim.services import requests
from consumer_sim.services.correcting import Correction, keep_correction, open_correction, send_correction
from consumer_sim.services.order_answers import check_order
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
    read_typed,
    tell_checked,
    tell_choices,
    with_refused,
)
from webkit.order_form import change_rows, make_order_form
from webkit.pages import Pages

pages = Pages("corrections", __name__)
_ONE = "/requests/<uuid:connection_id>/<uuid:task_id>/correct"
_TOO_LATE = "It was sent already, or cannot be corrected any more."
Answers = Mapping[str, Any]


@pages.form(_ONE, Permission.REQUEST_WRITE, upload_limit=files_limit)
def correct(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    correction = _open(connection_id, task_id)
    if flask.request.method == "GET":
        return _begin(correction)
    wish, (answers, refused) = flask.request.form.get("do", ""), _read(correction)
    if wish.startswith(ROW_WISHES):
        return _more(correction, change_rows(correction.form, answers, wish), refused)
    if wish.startswith(FIND):
        return _find(correction, answers, wish.removeprefix(FIND))
    return _STEPS.get(wish, _look)(correction, answers, refused)


@pages.action(f"{_ONE}/choices", Permission.REQUEST_WRITE)
def choose(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """What can be chosen for a field, for the script of the form."""
    correction = _open(connection_id, task_id)
    return tell_choices(str(connection_id), str(correction.task.catalog_item_id), _read(correction)[0])


@pages.action(f"{_ONE}/check", Permission.REQUEST_WRITE, upload_limit=files_limit)
def check(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """What is wrong so far, for the script of the form; what was typed is kept as a draft."""
    correction = _open(connection_id, task_id)
    answers, refused = _read(correction)
    status = "Saved as draft." if _keep(correction, answers) else _TOO_LATE
    order = make_order_form(correction.form, answers, with_refused(refused, _find_errors(correction, answers)))
    return tell_checked(order.errors, order, status)


def _begin(correction: Correction) -> ResponseReturnValue:
    """What keeps it from being corrected is said before anybody types."""
    with here().database.reading() as session:
        obstacles = find_errors(lambda: requests.get_correction_form(session, correction.task))
    if obstacles:
        flask.flash(obstacles[0]["message"], "warning")
        return _to_request(correction)
    return _show(correction, correction.answers, correction.errors), 200


def _send(correction: Correction, answers: Answers, refused: Errors) -> ResponseReturnValue:
    if refused:
        return _look(correction, answers, refused)

    def send() -> None:
        with here().database.transaction() as session:
            send_correction(session, *_key(correction), answers, writer(), _draft_id(), now=here().clock())

    errors = find_errors(send)
    if not errors:
        flask.flash("The correction is on its way.", "success")
        return _to_request(correction)
    _keep(correction, answers)
    return _show(correction, answers, errors), 422


def _save(correction: Correction, answers: Answers, refused: Errors) -> ResponseReturnValue:
    if not _keep(correction, answers):
        flask.flash(_TOO_LATE, "warning")
        return _to_request(correction)
    flask.flash(f"Saved: the correction of {correction.task.number}.", "success")
    return flask.redirect(flask.url_for("drafts.list_all"), 303)


def _more(correction: Correction, answers: Answers, refused: Errors) -> ResponseReturnValue:
    """One contact more, as a form that is shown anew always has an empty one; or other rows of a table."""
    _keep(correction, answers)
    return _show(correction, answers, refused), 422 if refused else 200


def _find(correction: Correction, answers: Answers, pointer: str) -> ResponseReturnValue:
    """What can be chosen for one field, without the script of the form."""
    _keep(correction, answers)
    task = correction.task
    found = find_choices(task.connection_id, str(task.catalog_item_id), pointer, answers)
    return _show(correction, answers, [], {pointer: found}), 200


def _look(correction: Correction, answers: Answers, refused: Errors) -> ResponseReturnValue:
    """Somebody pressed Enter, or a file is not taken: say what is still wrong, and send nothing."""
    _keep(correction, answers)
    errors = with_refused(refused, _find_errors(correction, answers))
    return _show(correction, answers, errors), 422 if errors else 200


_STEPS = {"send": _send, "save": _save, "more": _more}


def _read(correction: Correction) -> tuple[dict[str, Any], Errors]:
    return read_typed(correction.form, correction.answers)


def _find_errors(correction: Correction, answers: Answers) -> Errors:
    return find_errors(lambda: check_order(correction.form, answers, today=here().clock().date()))


def _open(connection_id: UUID, task_id: UUID) -> Correction:
    with here().database.reading() as session:
        return open_correction(session, str(connection_id), str(task_id), writer(), _draft_id())


def _keep(correction: Correction, answers: Answers) -> bool:
    with here().database.transaction() as session:
        kept = keep_correction(session, *_key(correction), answers, writer(), _draft_id(), now=here().clock())
        return kept is not None


def _show(correction: Correction, answers: Answers, errors: Errors, searches: Searches = NOTHING_FOUND) -> str:
    made = replace(make_order_form(correction.form, answers, errors), searches=searches)
    return flask.render_template(
        "consumer/request_correct.html", found=correction.found, order=made, draft_id=_draft_id()
    )


def _draft_id() -> str | None:
    """Of the draft that the address names: one's own needs no name."""
    named = flask.request.args.get("draft", type=UUID)
    return str(named) if named else None


def _key(correction: Correction) -> tuple[str, str]:
    return correction.task.connection_id, correction.task.id


def _to_request(correction: Correction) -> ResponseReturnValue:
    connection_id, task_id = _key(correction)
    return flask.redirect(flask.url_for("requests.show", connection_id=connection_id, task_id=task_id), 303)
