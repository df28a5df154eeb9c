"""Tickets, and the remote tasks that tie them to records of providers."""

from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug import Response
from wtforms import SelectChoice, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from bridge.field_maps import CHOICE, TICKET
from consumer_sim.services import remote_task_definitions as definitions
from consumer_sim.services import remote_tasks, tickets
from consumer_sim.services.errors import ActionRefused
from consumer_sim.services.remote_task_views import show_ticket
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.seen import SeenForm

pages = Pages("tickets", __name__)
_ONE = "/tickets/<uuid:ticket_id>"
_TASK = f"{_ONE}/remote-tasks/<uuid:remote_task_id>"
STATES = tuple(TICKET.fields["state"].choices.items())


def _choices(name: str) -> list[SelectChoice]:
    return [SelectChoice(*one) for one in TICKET.fields[name].choices.items()]


class TicketForm(SeenForm):
    """The fields of a ticket; an empty one is none, unless the field says otherwise."""

    TOLD = tickets.FIELDS

    short_description = StringField(
        "Short description", [InputRequired("Say in a sentence what it is about."), Length(max=200)], filters=[strip]
    )
    description = TextAreaField("Description", [Length(max=4000)])
    state = SelectField("State", choices=_choices("state"))
    priority = SelectField("Priority", choices=_choices("priority"))
    category = StringField("Category", [Length(max=80)], filters=[strip])
    assigned_to = StringField("Assigned to", [Length(max=120)], filters=[strip])

    def read(self, before: Any = None) -> dict[str, Any]:
        """What people said. A field that was empty, be it null or an empty text, and still is, stays as it was."""
        said = {name: self[name].data for name in tickets.FIELDS}
        kept = {name: getattr(before, name, None) for name in said}
        return {name: value or (kept[name] if not kept[name] else None) for name, value in said.items()}


class EntryForm(Form):
    text = TextAreaField("What to say", [InputRequired("Write something first."), Length(max=10_000)], filters=[strip])
    kind = SelectField(
        "Who reads it",
        choices=[
            SelectChoice("comments", "Also providers that it is tied to: a comment"),
            SelectChoice("work_notes", "Only we: a work note"),
        ],
    )


class StopForm(Form):
    reason = StringField("Why? (the provider reads it)", [Length(max=500)], filters=[strip])


@pages.page("/tickets", Permission.REQUEST_READ)
def list_all() -> str:
    listing = read_listing(tickets.SORTS, "-updated", ("state",))
    with here().database.reading() as session:
        wanted: dict[str, Any] = {"text": listing.text, **listing.filters, **listing.place}
        rows, total = tickets.search_tickets(session, **wanted)
    return flask.render_template("consumer/tickets.html", listing=listing, rows=rows, total=total, states=STATES)


@pages.form("/tickets/new", Permission.REQUEST_WRITE)
def open_one() -> ResponseReturnValue:
    form = TicketForm(data={"state": "new", "priority": "low"})
    made: list[str] = []

    def make() -> None:
        with here().database.transaction() as session:
            who: dict[str, Any] = {"opened_by": current_user.name, "now": here().clock()}
            made.append(tickets.open_ticket(session, form.read(), **who).id)

    if form.done(make):
        return flask.redirect(flask.url_for(".show", ticket_id=made[0]), 303)
    page = flask.render_template("consumer/ticket_edit.html", form=form, ticket=None)
    return page, 422 if form.is_submitted() else 200


@pages.page(_ONE, Permission.REQUEST_READ)
def show(ticket_id: UUID) -> ResponseReturnValue:
    return _show(ticket_id, EntryForm(formdata=None))


@pages.form(f"{_ONE}/edit", Permission.REQUEST_WRITE)
def edit(ticket_id: UUID) -> ResponseReturnValue:
    with here().database.reading() as session:
        ticket = tickets.get_ticket(session, str(ticket_id))
    form = TicketForm(obj=ticket)
    if not form.is_submitted():
        form.look(ticket)

    def change() -> None:
        with here().database.transaction() as session:
            locked = tickets.get_ticket(session, str(ticket_id), lock=True)
            if told := form.changed_meanwhile(locked):
                raise ActionRefused(f"{locked.number} {told}")
            tickets.change_ticket(session, locked, form.read(ticket), now=here().clock())

    if form.done(change):
        return _to(ticket_id)
    page = flask.render_template("consumer/ticket_edit.html", form=form, ticket=ticket)
    return page, 422 if form.is_submitted() else 200


@pages.form(f"{_ONE}/write", Permission.REQUEST_WRITE)
def write(ticket_id: UUID) -> ResponseReturnValue:
    form = EntryForm()

    def say() -> None:
        with here().database.transaction() as session:
            ticket = tickets.get_ticket(session, str(ticket_id), lock=True)
            how: dict[str, Any] = {"work_note": form.kind.data == "work_notes", "now": here().clock()}
            tickets.add_comment(session, ticket, form.text.data or "", current_user.name, **how)

    return _to(ticket_id) if form.done(say) else _show(ticket_id, form)


@pages.action(f"{_ONE}/delete", Permission.REQUEST_WRITE)
def delete(ticket_id: UUID) -> Response:
    with here().database.transaction() as session:
        ticket = tickets.get_ticket(session, str(ticket_id), lock=True)
        tickets.delete_ticket(session, ticket, now=here().clock())
        flask.flash(f"{ticket.number} is deleted. Nothing of a provider's was deleted.", "success")
    return flask.redirect(flask.url_for(".list_all"), 303)


@pages.action(f"{_ONE}/tie/<uuid:connection_id>/<uuid:definition_id>", Permission.REQUEST_WRITE)
def tie(ticket_id: UUID, connection_id: UUID, definition_id: UUID) -> Response:
    with here().database.transaction() as session:
        ticket = tickets.get_ticket(session, str(ticket_id), lock=True)
        definition = definitions.get_definition(session, str(definition_id), connection_id=str(connection_id))
        made = tickets.tie_ticket(session, ticket, definition, opened_by=current_user.name, now=here().clock())
        return _to(ticket_id, f"{made.number} is on its way to the provider.")


@pages.form(f"{_TASK}/disconnect", Permission.REQUEST_WRITE)
def disconnect(ticket_id: UUID, remote_task_id: UUID) -> ResponseReturnValue:
    """Asks first."""
    with here().database.reading() as session:
        named = remote_tasks.get_task(session, str(remote_task_id))
    form = StopForm()

    def stop() -> None:
        with here().database.transaction() as session:
            task, _ = remote_tasks.lock_task(session, str(remote_task_id))
            remote_tasks.disconnect_task(session, task, reason=form.reason.data or "", now=here().clock())

    if form.done(stop):
        return _to(ticket_id, f"{named.number} copies nothing any more, either way.")
    page = flask.render_template("consumer/remote_task_disconnect.html", form=form, task=named, ticket_id=ticket_id)
    return page, 422 if form.is_submitted() else 200


@pages.action(f"{_TASK}/connect", Permission.REQUEST_WRITE)
def connect(ticket_id: UUID, remote_task_id: UUID) -> Response:
    with here().database.transaction() as session:
        task, ticket = remote_tasks.lock_task(session, str(remote_task_id))
        remote_tasks.connect_task(session, task, ticket, now=here().clock())
        return _to(ticket_id, f"{task.number} goes on. What changed meanwhile follows.")


def _to(ticket_id: UUID, done: str = "") -> Response:
    if done:
        flask.flash(done, "success")
    return flask.redirect(flask.url_for("tickets.show", ticket_id=ticket_id), 303)


def _show(ticket_id: UUID, form: EntryForm) -> ResponseReturnValue:
    with here().database.reading() as session:
        shown = show_ticket(session, tickets.get_ticket(session, str(ticket_id)))
    labels = {name: field.choices for name, field in TICKET.fields.items() if field.kind == CHOICE}
    page = flask.render_template("consumer/ticket.html", form=form, labels=labels, **shown)
    return page, 422 if form.is_submitted() else 200
