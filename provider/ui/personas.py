"""Personas: make them, and choose which of them an item asks for."""

import flask
from flask.typing import ResponseReturnValue
from werkzeug import Response
from wtforms import SelectMultipleField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from provider.services import persona_items, personas
from provider.services.personas import SORTABLE, search_personas
from provider.services.producers import list_revisions
from provider.ui.context import actor, here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("personas", __name__)


class PersonaForm(Form):
    name = StringField("Name", [DataRequired("A persona has a name."), Length(max=120)], filters=[strip])
    description = TextAreaField("Who that is", [Length(max=2000)], filters=[strip])


class ChoiceForm(Form):
    persona_ids = SelectMultipleField(
        "Whoever orders it holds one of", widget=ListWidget(prefix_label=False), option_widget=CheckboxInput(),
        validate_choice=False,
    )  # fmt: skip


@pages.page("/personas", "producer.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "name")
    with here().database.reading() as session:
        rows, total = search_personas(session, text=listing.text, **listing.place)
    return flask.render_template("provider/personas.html", listing=listing, rows=rows, total=total)


@pages.form("/personas/new", "producer.write")
def create() -> ResponseReturnValue:
    form = PersonaForm()

    def make() -> None:
        with here().transaction() as session:
            personas.create_persona(session, **_read(form), actor=actor(), now=here().clock())

    if form.done(make):
        flask.flash(f"{form.name.data} is a persona now. Let the drafts of items ask for it.", "success")
        return _to_all()
    page = flask.render_template("provider/persona_edit.html", form=form, persona=None)
    return page, 422 if form.is_submitted() else 200


@pages.form("/personas/<persona_id>", "producer.write")
def edit(persona_id: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        persona = personas.get_persona(session, persona_id)
    form = PersonaForm(obj=persona)

    def change() -> None:
        with here().transaction() as session:
            persona_items.edit_persona(session, persona_id, **_read(form), actor=actor(), now=here().clock())

    if form.done(change):
        flask.flash("Saved. Consumers that know it are told.", "success")
        return _to_all()
    page = flask.render_template("provider/persona_edit.html", form=form, persona=persona)
    return page, 422 if form.is_submitted() else 200


@pages.action("/personas/<persona_id>/delete", "producer.write")
def delete(persona_id: str) -> Response:
    with here().transaction() as session:
        personas.delete_persona(session, persona_id, actor=actor(), now=here().clock())
    flask.flash("The persona is deleted.", "success")
    return _to_all()


@pages.form("/producers/<identity>/personas", "producer.write")
def choose(identity: str) -> ResponseReturnValue:
    """Which personas the draft asks for; of a published item a draft is made."""
    with here().database.reading() as session:
        newest, choices = list_revisions(session, identity)[-1], personas.list_choices(session)
    form = ChoiceForm(data={"persona_ids": newest.persona_ids})
    form.persona_ids.choices = choices

    def change() -> None:
        with here().transaction() as session:
            wanted = list(form.persona_ids.data or ())
            persona_items.choose_personas(session, identity, wanted, actor(), here().clock())

    if form.done(change):
        flask.flash("The draft is saved. Consumers hear of it once it is published.", "success")
        return flask.redirect(flask.url_for("producers.show", identity=identity), 303)
    page = flask.render_template("provider/producer_personas.html", form=form, newest=newest)
    return page, 422 if form.is_submitted() else 200


def _read(form: PersonaForm) -> dict[str, str]:
    return {"name": form.name.data or "", "description": form.description.data or ""}


def _to_all() -> Response:
    return flask.redirect(flask.url_for("personas.list_all"), 303)
