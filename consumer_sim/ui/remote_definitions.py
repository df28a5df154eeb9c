"""What providers let us tie to their records, and what our admins decide of each."""

from typing import Any
from uuid import UUID

import flask
import wtforms
from flask.typing import ResponseReturnValue
from werkzeug import Response
from wtforms import Field, FieldList, FormField, HiddenField, SelectChoice, SelectField, StringField
from wtforms.validators import Length

from bridge.field_maps import INBOUND, JOURNAL, OUTBOUND, TICKET
from consumer_sim.services import remote_task_definitions as definitions
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.forms import Form, strip
from webkit.pages import Pages

pages = Pages("remote_definitions", __name__)
_ONE = "/remote-task-definitions/<uuid:connection_id>/<uuid:definition_id>"
_FIELDS = [SelectChoice(field.name, field.label) for field in TICKET.fields.values()]
_WHEN = [
    SelectChoice("insert_or_update", "Always"),
    SelectChoice("insert", "Only at first"),
    SelectChoice("never", "Never"),
]
WORDS = {
    "pending_activation": "Waiting for activation", "active": "Active", "inactive": "Inactive",
    "removed": "No longer offered",
}  # fmt: skip
_TRIGGER = [
    SelectChoice("", "(none: only by hand)"),
    *(SelectChoice(name, field.label) for name, field in TICKET.fields.items() if field.kind != JOURNAL),
]


class _Inbound(wtforms.Form):  # type: ignore[misc]
    key = HiddenField()
    source = SelectField("Our field", choices=_FIELDS)


class _Outbound(wtforms.Form):  # type: ignore[misc]
    key = HiddenField()
    label = StringField("Label", [Length(max=80)], filters=[strip])
    target = SelectField("Our field", choices=[SelectChoice("", "kept with the remote task"), *_FIELDS])
    sync_when = SelectField("Written", choices=_WHEN)


class DecisionForm(Form):
    """What our people may say of a definition: all of it is about our side."""

    inbound = FieldList(FormField(_Inbound))
    outbound = FieldList(FormField(_Outbound))
    trigger_field = SelectField("Tie by itself every ticket whose", choices=_TRIGGER)
    trigger_value = StringField("is", [Length(max=200)], filters=[strip])

    def read(self, definition: Any) -> dict[str, Any]:
        """Only what differs from what the provider says."""
        told = {side: {line["key"]: line for line in definition.lines[side]} for side in (INBOUND, OUTBOUND)}
        said: dict[str, Any] = {side: {} for side in told}
        for side, names in definitions.DECIDES.items():
            for entry in self[side]:
                line = told[side].get(entry.form.key.data)
                if line is not None:
                    values = {name: entry.form[name].data for name in names}
                    said[side][line["key"]] = {n: v for n, v in values.items() if v and v != line[n]}
        said = {side: {key: values for key, values in lines.items() if values} for side, lines in said.items()}
        return said | {"trigger": self._trigger(definition.trigger)}

    def find(self, pointer: str) -> Field | None:
        """A trigger is one document, and two fields here."""
        return self.trigger_value if pointer.startswith("/trigger/") else super().find(pointer)

    def _trigger(self, before: Any) -> dict[str, Any]:
        """One that asks for several fields, which this form cannot show, stays while what is shown of it stays."""
        field, value = self.trigger_field.data, self.trigger_value.data or None
        if next(iter(before.items()), ("", None)) == (field, value):
            return dict(before)
        return {field: value} if field else {}


@pages.page("/remote-task-definitions", Permission.CONNECTION_READ)
def list_all() -> str:
    with here().database.reading() as session:
        rows = definitions.list_named(session)
    return flask.render_template("consumer/remote_definitions.html", rows=rows, words=WORDS)


@pages.form(f"{_ONE}/activate", Permission.CATALOG_WRITE)
def activate(connection_id: UUID, definition_id: UUID) -> ResponseReturnValue:
    with here().database.reading() as session:
        definition = definitions.get_definition(session, str(definition_id), connection_id=str(connection_id))
    form = DecisionForm(data=_shown(definition))

    def decide() -> None:
        with here().database.transaction() as session:
            named: dict[str, Any] = {"connection_id": str(connection_id), "lock": True}
            locked = definitions.get_definition(session, str(definition_id), **named)
            definitions.decide_definition(session, locked, form.read(locked), now=here().clock())

    if form.done(decide):
        flask.flash(f"“{definition.name}” is active. Tickets can be tied by it.", "success")
        return flask.redirect(flask.url_for(".list_all"), 303)
    page = flask.render_template("consumer/remote_definition.html", form=form, definition=definition)
    return page, 422 if form.is_submitted() else 200


@pages.action(f"{_ONE}/deactivate", Permission.CATALOG_WRITE)
def deactivate(connection_id: UUID, definition_id: UUID) -> Response:
    with here().database.transaction() as session:
        found = definitions.get_definition(session, str(definition_id), connection_id=str(connection_id), lock=True)
        definitions.deactivate_definition(session, found, now=here().clock())
        flask.flash(f"No ticket is tied by “{found.name}” any more. Remote tasks that are there go on.", "success")
    return flask.redirect(flask.url_for(".list_all"), 303)


def _shown(definition: Any) -> dict[str, Any]:
    """The lines as they were decided, and the trigger."""
    lines = definitions.effective_lines(definition.lines, definition.overrides)
    active = {side: [line for line in lines[side] if line["active"]] for side in lines}
    field, value = next(iter(definition.trigger.items()), ("", ""))
    return {**active, "trigger_field": field, "trigger_value": value}
