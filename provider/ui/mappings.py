"""Words of single consumers: how each reads our states, and what the values of its remote tasks mean. Seen by those who
see the exchange, tried and changed by process admins; what everybody has stands in `mappings/`.
"""

from collections.abc import Callable
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug import Response

from bridge.transforms import find_rows_missing
from bridge.web import BODY_LIMIT_BYTES
from provider.domain.errors import NotFound
from provider.services import mapping_overrides, mapping_search, transforms
from provider.services.connections import get_connection
from provider.services.mapping_search import DEFAULT, OWN, SORTABLE
from provider.ui.context import actor, here
from provider.ui.mapping_forms import ValuesForm, make_new_values_form, make_states_form, make_values_form
from webkit.forms import Form
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("mappings", __name__)

Document = dict[str, Any]

WORDS = ((OWN, "Words of its own"), (DEFAULT, "Those of everybody"))
FORM_LIMIT_BYTES = 4 * BODY_LIMIT_BYTES
"""Many rows, and what is too long for one of them is still said beside it."""
TRIED = 100
"""How many of the last events, or remote tasks, a dry run looks at."""


@pages.page("/mappings", "mapping.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "name", ("words",))
    filters: Document = {**listing.filters}
    with here().database.reading() as session:
        rows, total = mapping_search.search_mappings(session, text=listing.text, **filters, **listing.place)
    return flask.render_template("provider/mappings.html", listing=listing, rows=rows, total=total, words=WORDS)


@pages.page("/mappings/<connection_id>", "mapping.read")
def show(connection_id: str) -> str:
    with here().database.reading() as session:
        connection = get_connection(session, connection_id)
        states = mapping_overrides.show_mapping(session, connection.id)
        values = transforms.show_transforms(session, connection.id)
        holes = mapping_search.list_holes(session, connection.id)
        changes = mapping_search.list_mapping_changes(session, connection.id)
    missing = {name: find_rows_missing(table) for name, table in values["transforms"].items()}
    told = {"states": states, "values": values, "holes": holes, "changes": changes, "missing": missing}
    return flask.render_template("provider/mapping.html", connection=connection, **told)


@pages.form("/mappings/<connection_id>/states", "mapping.write", FORM_LIMIT_BYTES)
def edit_states(connection_id: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        connection = get_connection(session, connection_id)
        shown = mapping_overrides.show_mapping(session, connection.id)
    form = make_states_form(shown)

    def change(session: Session) -> None:
        form.must_be_newest(mapping_overrides.show_mapping(session, connection_id))
        mapping_overrides.change_mapping(session, connection_id, form.read(), actor=actor(), now=here().clock())

    tried = _try(form, lambda session: mapping_overrides.try_mapping(session, connection_id, form.read(), limit=TRIED))
    if tried is None and _save(form, connection_id, change):
        return _changed(connection_id, f"{connection.name} reads our states like this from now on.")
    return _show(form, tried, "provider/mapping_states.html", connection=connection, shown=shown)


@pages.form("/mappings/<connection_id>/values", "mapping.write", FORM_LIMIT_BYTES)
def edit_values(connection_id: str) -> ResponseReturnValue:
    """Of one table; its name, which may be any text, stands in the query."""
    shown, name = _read_values(connection_id), flask.request.args.get("name", "")
    if name not in shown["transforms"]:
        raise NotFound("table", name[:80])
    return _edit_values(connection_id, make_values_form(name, shown), shown)


@pages.form("/mappings/<connection_id>/values/new", "mapping.write", FORM_LIMIT_BYTES)
def create_values(connection_id: str) -> ResponseReturnValue:
    shown = _read_values(connection_id)
    with here().database.reading() as session:
        ends = mapping_search.list_ends(session)
    return _edit_values(connection_id, make_new_values_form(shown, ends), shown)


@pages.action("/mappings/<connection_id>/states/reset", "mapping.write")
def reset_states(connection_id: str) -> Response:
    with here().transaction() as session:
        mapping_overrides.reset_mapping(session, connection_id, actor=actor(), now=here().clock())
    return _changed(connection_id, "It reads our states as everybody does.")


@pages.action("/mappings/<connection_id>/values/reset", "mapping.write")
def reset_values(connection_id: str) -> Response:
    name = flask.request.args.get("name", "")
    with here().transaction() as session:
        transforms.reset_transform(session, connection_id, name, actor=actor(), now=here().clock())
    return _changed(connection_id, f"{name} is as everybody has it.")


def _edit_values(connection_id: str, form: ValuesForm, shown: Document) -> ResponseReturnValue:
    with here().database.reading() as session:
        connection = get_connection(session, connection_id)

    def change(session: Session) -> None:
        found = transforms.show_transforms(session, connection_id)
        form.must_be_newest(found)
        document = form.put_into(found)
        transforms.change_transforms(session, connection_id, document, actor=actor(), now=here().clock())

    more = form.wants_rows()
    tried = (
        None
        if more
        else _try(
            form, lambda session: transforms.try_transforms(session, connection_id, form.put_into(shown), limit=TRIED)
        )
    )
    if not more and tried is None and _save(form, connection_id, change):
        return _changed(connection_id, f"{form.table_name()} of {connection.name} is in force.")
    return _show(form, {} if more else tried, "provider/mapping_values.html", connection=connection, shown=shown)


def _read_values(connection_id: str) -> Document:
    with here().database.reading() as session:
        return transforms.show_transforms(session, connection_id)


def _try(form: Form, run: Callable[[Session], Document]) -> Document | None:
    """What a dry run finds, empty when the form is wrong; None unless one was asked for."""
    if "try" not in flask.request.form:
        return None
    found: list[Document] = []

    def dry_run() -> None:
        with here().database.reading() as session:
            found.append(run(session))

    return found[0] if form.done(dry_run) else {}


def _save(form: Form, connection_id: str, change: Callable[[Session], None]) -> bool:
    """Whether the form was sent, and done. Of two people who change the same, the second waits for the first."""

    def save() -> None:
        with here().transaction() as session:
            get_connection(session, connection_id, lock=True)
            change(session)

    return form.done(save)


def _show(form: Form, tried: Document | None, template: str, **shown: Any) -> ResponseReturnValue:
    page = flask.render_template(template, form=form, tried=tried, **shown)
    is_wrong = form.is_submitted() and not tried and "more" not in flask.request.form
    return page, 422 if is_wrong else 200


def _changed(connection_id: str, message: str) -> Response:
    flask.flash(message, "success")
    return flask.redirect(flask.url_for(".show", connection_id=connection_id), 303)
