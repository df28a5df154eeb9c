"""Definitions of remote tasks: which fields of our records and the consumers' follow each other, and for whom."""

from collections.abc import Mapping
from typing import Any

import flask
import wtforms
from flask.typing import ResponseReturnValue
from werkzeug import Response
from wtforms import (
    BooleanField,
    FieldList,
    FormField,
    HiddenField,
    IntegerField,
    RadioField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from bridge.field_maps import CONSUMER_TABLES, INCIDENT, PROVIDER_TABLES, SYNC_WHEN, TICKET, RecordTable
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.criteria import EVERYONE, say_criteria
from provider.services import remote_task_definitions as definitions
from provider.services.criteria import read_names
from provider.services.producer_search import list_possible_consumers
from provider.ui.context import actor, here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("definitions", __name__)

STATES = tuple((str(state), state.label) for state in RemoteRecordProducerState)
_BLANK_LINES = 3
_WHEN = {"insert_or_update": "Always", "insert": "Only at first", "never": "Never, but tell of it"}


def _fields(table: RecordTable) -> list[SelectChoice]:
    named = [SelectChoice(field.name, field.label) for field in table.fields.values()]
    return [SelectChoice("", "nothing"), *named]


def _tables(tables: Mapping[str, RecordTable]) -> list[SelectChoice]:
    return [SelectChoice(one.name, one.label) for one in tables.values()]


class _Line(wtforms.Form):  # type: ignore[misc]
    """One line; without a source it is none."""

    key = HiddenField()
    label = StringField("Label", [Length(max=80)], filters=[strip])
    max_length = IntegerField("At most", [Optional(), NumberRange(1, 10_000)])
    sync_when = SelectField("Written", choices=[SelectChoice(*one) for one in _WHEN.items()])
    active = BooleanField("Crosses")
    virtual = BooleanField("Virtual")

    def read(self) -> dict[str, Any] | None:
        source = self.source.data
        if not source:
            return None
        line = {"source": source, "target": self.target.data or None, "key": self.key.data or None}
        line |= {"label": self.label.data or None, "max_length": self.max_length.data}
        said = {name: value for name, value in line.items() if value is not None}
        return said | {name: self[name].data for name in ("sync_when", "active", "virtual")}


class InboundLine(_Line):
    source = SelectField("Their field", choices=_fields(TICKET))
    target = SelectField("Our field", choices=_fields(INCIDENT))


class OutboundLine(_Line):
    source = SelectField("Our field", choices=_fields(INCIDENT))
    target = SelectField("Their field", choices=_fields(TICKET))


class DefinitionForm(Form):
    name = StringField("Name", [InputRequired("A definition has a name."), Length(max=120)], filters=[strip])
    description = StringField("Description", [Length(max=500)], filters=[strip])
    provider_table = SelectField("Our records", choices=_tables(PROVIDER_TABLES))
    consumer_table = SelectField("Their records", choices=_tables(CONSUMER_TABLES))
    inbound = FieldList(FormField(InboundLine))
    outbound = FieldList(FormField(OutboundLine))

    def read(self) -> dict[str, Any]:
        said = {name: self[name].data or "" for name in ("name", "description", "provider_table", "consumer_table")}
        lines = {side: [entry.form.read() for entry in self[side]] for side in ("inbound", "outbound")}
        return said | {side: [line for line in found if line] for side, found in lines.items()}


class PublishForm(Form):
    criteria = RadioField(
        "Who may use it", [InputRequired("Decide: all consumers, or those that you name.")],
        choices=[
            SelectChoice("all", "All consumers, also those that connect later"),
            SelectChoice("named", "Only these consumers"),
        ],
    )  # fmt: skip
    connection_ids = SelectMultipleField("Consumers", validate_choice=False)

    def validate_connection_ids(self, field: SelectMultipleField) -> None:
        if self.criteria.data == "named" and not field.data:
            raise ValidationError("Tick at least one consumer.")

    def read(self) -> dict[str, Any]:
        return dict(EVERYONE) if self.criteria.data == "all" else {"connection_ids": self.connection_ids.data or []}


@pages.page("/remote-task-definitions", "producer.read")
def list_all() -> str:
    listing = read_listing(definitions.SORTABLE, "name", ("state",))
    with here().database.reading() as session:
        wanted: dict[str, Any] = {"text": listing.text, **listing.filters, **listing.place}
        rows, total = definitions.search_definitions(session, **wanted)
    return flask.render_template("provider/definitions.html", listing=listing, rows=rows, total=total, states=STATES)


@pages.page("/remote-task-definitions/<definition_id>", "producer.read")
def show(definition_id: str) -> str:
    with here().database.reading() as session:
        shown = definitions.show_definition(session, definition_id)
        criteria = shown["published"].criteria if shown["published"] else None
        audience = say_criteria(criteria, read_names(session, [criteria]) if criteria else {})
        return flask.render_template("provider/definition.html", audience=audience, when_written=_WHEN, **shown)


@pages.form("/remote-task-definitions/new", "producer.write")
def draft() -> ResponseReturnValue:
    form = DefinitionForm(data=_shown({"inbound": [_COMMENTS], "outbound": [_COMMENTS]}))
    made: list[str] = []

    def make() -> None:
        with here().transaction() as session:
            body = form.read()
            made.append(definitions.draft_definition(session, body, actor=actor(), now=here().clock()).identity)

    if form.done(make):
        flask.flash("The definition is a draft. Publish it, so that consumers can activate it.", "success")
        return flask.redirect(flask.url_for(".show", definition_id=made[0]), 303)
    page = flask.render_template("provider/definition_edit.html", form=form, newest=None)
    return page, 422 if form.is_submitted() else 200


@pages.form("/remote-task-definitions/<definition_id>/edit", "producer.write")
def edit(definition_id: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        newest = definitions.show_definition(session, definition_id)["newest"]
    form = DefinitionForm(data=_shown({**_content(newest), **newest.lines}))

    def change() -> None:
        with here().transaction() as session:
            definitions.edit_definition(session, definition_id, form.read(), actor=actor(), now=here().clock())

    if form.done(change):
        flask.flash("The draft is saved.", "success")
        return flask.redirect(flask.url_for(".show", definition_id=definition_id), 303)
    page = flask.render_template("provider/definition_edit.html", form=form, newest=newest)
    return page, 422 if form.is_submitted() else 200


@pages.form("/remote-task-definitions/<definition_id>/publish", "producer.write")
def publish(definition_id: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        newest = definitions.show_definition(session, definition_id)["newest"]
        consumers = list_possible_consumers(session)
    form = PublishForm()

    def make_public() -> None:
        with here().transaction() as session:
            definitions.publish_definition(session, definition_id, form.read(), actor=actor(), now=here().clock())

    if form.done(make_public):
        flask.flash(f"“{newest.name}” is published. Consumers can use it once they have activated it.", "success")
        return flask.redirect(flask.url_for(".show", definition_id=definition_id), 303)
    page = flask.render_template("provider/definition_publish.html", form=form, newest=newest, consumers=consumers)
    return page, 422 if form.is_submitted() else 200


def _act(definition_id: str, service: Any, done: str, *, to: str = ".show", **more: Any) -> Response:
    """Do it, say so, and show the definition, or what it became."""
    with here().transaction() as session:
        made = service(session, definition_id, actor=actor(), now=here().clock(), **more)
        identity = made.identity if made is not None else definition_id
    flask.flash(done, "success")
    where: dict[str, Any] = {} if to == ".list_all" else {"definition_id": identity}
    return flask.redirect(flask.url_for(to, **where), 303)


@pages.action("/remote-task-definitions/<definition_id>/checkout", "producer.write")
def checkout(definition_id: str) -> Response:
    done = "The next revision is a draft now. Consumers have the published one until it is published."
    return _act(definition_id, definitions.checkout_definition, done, to=".edit")


@pages.action("/remote-task-definitions/<definition_id>/cancel-draft", "producer.write")
def cancel_draft(definition_id: str) -> Response:
    return _act(definition_id, definitions.cancel_draft, "The draft is gone.")


@pages.action("/remote-task-definitions/<definition_id>/retire", "producer.write")
def retire(definition_id: str) -> Response:
    done = "It is retired. Its remote tasks are disconnected; nothing of them was deleted."
    return _act(definition_id, definitions.retire_definition, done)


@pages.action("/remote-task-definitions/<definition_id>/delete", "producer.write")
def delete(definition_id: str) -> Response:
    return _act(definition_id, definitions.delete_definition, "The definition is deleted.", to=".list_all")


@pages.action("/remote-task-definitions/<definition_id>/revisions/<revision>/archive", "producer.write")
def archive(definition_id: str, revision: str) -> Response:
    done = f"Revision {revision} is archived. Its remote tasks are disconnected."
    return _act(definition_id, definitions.archive_revision, done, revision=revision)


@pages.action("/remote-task-definitions/<definition_id>/revisions/<revision>/copy", "producer.write")
def copy(definition_id: str, revision: str) -> Response:
    return _act(definition_id, definitions.copy_revision, "This is a definition of its own now.", revision=revision)


_COMMENTS = {
    "key": "comments", "label": "Comments", "source": "comments", "target": "comments", "max_length": 10_000,
    "sync_when": SYNC_WHEN[1], "active": True,
}  # fmt: skip


def _content(definition: Any) -> dict[str, Any]:
    return {name: getattr(definition, name) for name in ("name", "description", "provider_table", "consumer_table")}


def _shown(content: dict[str, Any]) -> dict[str, Any]:
    """What the form shows at first: the lines, and some blank ones to write more in."""
    blank = {"sync_when": SYNC_WHEN[1], "active": True}
    more = {side: [*content[side], *([blank] * _BLANK_LINES)] for side in ("inbound", "outbound")}
    return {**content, **more}
