"""Incidents, and the remote tasks that tie them to records of consumers."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug import Response
from wtforms import SelectChoice, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from bridge.field_maps import CHOICE, INCIDENT
from provider.domain.errors import Conflict
from provider.services import incidents, remote_task_care
from provider.services.remote_task_events import task_of_incident
from provider.ui.context import actor, here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.seen import SeenForm

pages = Pages("incidents", __name__)

STATES = tuple(INCIDENT.fields["state"].choices.items())
STATUSES = (("connected", "Connected"), ("disconnected", "Disconnected"), ("error", "Error"))


def _choices(name: str) -> list[SelectChoice]:
    return [SelectChoice(*one) for one in INCIDENT.fields[name].choices.items()]


class IncidentForm(SeenForm):
    """The fields of an incident; an empty one is none, unless the field says otherwise."""

    TOLD = incidents.FIELDS

    short_description = StringField(
        "Short description", [InputRequired("Say in a sentence what it is about."), Length(max=200)], filters=[strip]
    )
    description = TextAreaField("Description", [Length(max=4000)])
    state = SelectField("State", choices=_choices("state"))
    priority = SelectField("Priority", choices=_choices("priority"))
    category = StringField("Category", [Length(max=80)], filters=[strip])
    assigned_to = StringField("Assigned to", [Length(max=120)], filters=[strip])
    resolution = TextAreaField("Resolution", [Length(max=4000)])

    def read(self, before: Any = None) -> dict[str, Any]:
        """What people said. A field that was empty, be it null or an empty text, and still is, stays as it was."""
        said = {name: self[name].data for name in incidents.FIELDS}
        kept = {name: getattr(before, name, None) for name in said}
        return {name: value or (kept[name] if not kept[name] else None) for name, value in said.items()}


class EntryForm(Form):
    text = TextAreaField("What to say", [InputRequired("Write something first."), Length(max=10_000)], filters=[strip])
    kind = SelectField(
        "Who reads it",
        choices=[SelectChoice("comments", "Both sides: a comment"), SelectChoice("work_notes", "Only we: a work note")],
    )


class StopForm(Form):
    reason = StringField("Why? (the consumer reads it)", [Length(max=500)], filters=[strip])


@pages.page("/incidents", "case.read")
def list_all() -> str:
    listing = read_listing(incidents.SORTABLE, "-updated", ("state",))
    with here().database.reading() as session:
        wanted: dict[str, Any] = {"text": listing.text, **listing.filters, **listing.place}
        rows, total = incidents.search_incidents(session, **wanted)
    choices = {"states": STATES, "priorities": INCIDENT.fields["priority"].choices}
    return flask.render_template("provider/incidents.html", listing=listing, rows=rows, total=total, **choices)


@pages.form("/incidents/new", "case.write")
def open_one() -> ResponseReturnValue:
    form = IncidentForm(data={"state": "new", "priority": "4"})
    made: list[str] = []

    def make() -> None:
        with here().transaction() as session:
            made.append(
                incidents.open_incident(session, form.read(), actor=current_user.name, now=here().clock()).number
            )

    if form.done(make):
        return flask.redirect(flask.url_for(".show", number=made[0]), 303)
    page = flask.render_template("provider/incident_edit.html", form=form, incident=None)
    return page, 422 if form.is_submitted() else 200


@pages.page("/incidents/<number>", "case.read")
def show(number: str) -> ResponseReturnValue:
    return _show(number, EntryForm(formdata=None))


@pages.form("/incidents/<number>/edit", "case.write")
def edit(number: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        incident = incidents.get_incident(session, number)
    form = IncidentForm(obj=incident)
    if not form.is_submitted():
        form.look(incident)

    def change() -> None:
        with here().transaction() as session:
            if told := form.changed_meanwhile(incidents.get_incident(session, number, lock=True)):
                raise Conflict("changed_meanwhile", f"{number} {told}")
            said = form.read(incident)
            incidents.change_incident(session, number, said, actor=actor(), now=here().clock())

    if form.done(change):
        return flask.redirect(flask.url_for(".show", number=number), 303)
    page = flask.render_template("provider/incident_edit.html", form=form, incident=incident)
    return page, 422 if form.is_submitted() else 200


@pages.form("/incidents/<number>/write", "case.write")
def write(number: str) -> ResponseReturnValue:
    form = EntryForm()

    def say() -> None:
        said: dict[str, Any] = {"text": form.text.data or "", "author_name": current_user.name, "now": here().clock()}
        with here().transaction() as session:
            if form.kind.data == "work_notes":
                incidents.add_work_note(session, incidents.get_incident(session, number, lock=True), **said)
            else:
                incidents.add_comment(session, number, **said)

    if form.done(say):
        return flask.redirect(flask.url_for(".show", number=number), 303)
    return _show(number, form)


@pages.action("/incidents/<number>/delete", "case.write")
def delete(number: str) -> Response:
    with here().transaction() as session:
        incidents.delete_incident(session, number, actor=actor(), now=here().clock())
    flask.flash(f"{number} is deleted. Nothing of a consumer's was deleted.", "success")
    return flask.redirect(flask.url_for(".list_all"), 303)


@pages.page("/remote-tasks", "case.read")
def list_tasks() -> str:
    listing = read_listing(remote_task_care.SORTABLE, "-updated", ("status", "trouble"))
    wanted: dict[str, Any] = {"status": listing.filters.get("status", ""), "trouble": "trouble" in listing.filters}
    with here().database.reading() as session:
        rows, total = remote_task_care.search_tasks(session, text=listing.text, **wanted, **listing.place)
    return flask.render_template(
        "provider/remote_tasks.html", listing=listing, rows=rows, total=total, statuses=STATUSES
    )


@pages.page("/remote-tasks/<task_number>", "case.read")
def show_task(task_number: str) -> str:
    with here().database.reading() as session:
        shown = remote_task_care.show_task(session, task_number)
    return flask.render_template("provider/remote_task.html", form=StopForm(formdata=None), **shown)


@pages.form("/remote-tasks/<task_number>/disconnect", "case.write")
def disconnect(task_number: str) -> ResponseReturnValue:
    form = StopForm()

    def stop() -> None:
        who: dict[str, Any] = {"actor": actor(), "now": here().clock()}
        with here().transaction() as session:
            remote_task_care.disconnect_task(session, task_number, reason=form.reason.data or "", **who)

    if form.done(stop):
        return _to_task(task_number, "Nothing is copied any more, either way.")
    with here().database.reading() as session:
        shown = remote_task_care.show_task(session, task_number)
    page = flask.render_template("provider/remote_task.html", form=form, **shown)
    return page, 422 if form.is_submitted() else 200


@pages.action("/remote-tasks/<task_number>/connect", "case.write")
def connect(task_number: str) -> Response:
    with here().transaction() as session:
        remote_task_care.connect_task(session, task_number, actor=actor(), now=here().clock())
    return _to_task(task_number, "Our side lets it go on. What changed meanwhile follows.")


@pages.action("/remote-tasks/<task_number>/replay", "case.write")
def replay(task_number: str) -> Response:
    with here().transaction() as session:
        remote_task_care.replay_task(session, task_number, actor=actor(), now=here().clock())
    return _to_task(task_number, "What waited was tried again.")


def _to_task(task_number: str, done: str) -> Response:
    flask.flash(done, "success")
    return flask.redirect(flask.url_for(".show_task", task_number=task_number), 303)


def _show(number: str, form: EntryForm) -> ResponseReturnValue:
    with here().database.reading() as session:
        incident = incidents.get_incident(session, number)
        task = task_of_incident(session, incident, lock=False)
        entries = incidents.list_entries(session, incident)
    labels = {name: field.choices for name, field in INCIDENT.fields.items() if field.kind == CHOICE}
    shown = {"incident": incident, "task": task, "entries": entries, "labels": labels}
    page = flask.render_template("provider/incident.html", form=form, **shown)
    return page, 422 if form.is_submitted() else 200
