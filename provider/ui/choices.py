"""Definitions of live choices, and the lists that our people keep for them."""

from collections.abc import Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField
from werkzeug import Response
from wtforms import SelectChoice, SelectField, StringField, TextAreaField, ValidationError
from wtforms.validators import InputRequired, Length

from bridge.web import BODY_LIMIT_BYTES
from provider.domain.remote_choices import LIST, SOURCES
from provider.services import choice_definitions
from provider.services.choice_definitions import SORTABLE
from provider.ui.context import actor, here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.site import Refusal

pages = Pages("choices", __name__)

Document = dict[str, Any]

SOURCE_CHOICES = tuple((name, source.label) for name, source in SOURCES.items())
FAULTS_MOST = 20


class DefinitionForm(Form):
    """What can change: lists of names with commas between them, filters line by line."""

    description = StringField("Description", [Length(max=500)], filters=[strip], description="For our people.")
    columns = StringField(
        "Columns", [Length(max=1500)], filters=[strip],
        description="Of a list that we keep, beside value, display and consumer: names with commas between them.",
    )  # fmt: skip
    display_field = StringField(
        "What people read", [InputRequired("Name the column that people read."), Length(max=60)], filters=[strip],
        description="A column, such as name; of a list that we keep usually display.",
    )  # fmt: skip
    info_fields = StringField(
        "What is told beside it", [Length(max=1000)], filters=[strip], description="Columns with commas between them."
    )
    base_filter = TextAreaField(
        "Only rows with", [Length(max=5000)], description="One column a line, such as state = active, suspended."
    )

    def validate_base_filter(self, field: TextAreaField) -> None:
        for line in filter(None, map(str.strip, (field.data or "").splitlines())):
            if not all(part.strip() for part in line.partition("=")):
                raise ValidationError(f"“{line[:60]}” is not a column, an equals sign and values.")

    def read(self) -> Document:
        lines = [line.partition("=") for line in (self.base_filter.data or "").splitlines() if line.strip()]
        return {
            "description": self.description.data or "",
            "columns": _names(self.columns.data),
            "display_field": self.display_field.data,
            "info_fields": _names(self.info_fields.data),
            "base_filter": {column.strip(): _names(values) for column, _, values in lines},
        }


class NewDefinitionForm(DefinitionForm):
    name = StringField(
        "Name", [InputRequired("A definition has a name."), Length(max=60)], filters=[strip],
        description="Small letters, digits, - and _, such as my-routers. It stays: forms name it by this.",
    )  # fmt: skip
    source = SelectField("Where its rows are", choices=[SelectChoice(*one) for one in SOURCE_CHOICES])

    def read(self) -> Document:
        return {"name": self.name.data, "source": self.source.data, **super().read()}


class RowsForm(Form):
    """A table as a file or as text; what a file held stands in the text afterwards."""

    file = FileField("File", description="A .csv file of at most 256 kB. Its rows take the place of all there are.")
    text = TextAreaField("Or the table itself", description="The first line names the columns.")

    def read(self) -> list[Document]:
        if self.file.data:
            self.text.data = self.file.data.read(BODY_LIMIT_BYTES + 1).decode(errors="replace")
        return choice_definitions.read_csv(self.text.data or "")

    def place(self, refusal: Refusal) -> None:
        """Pointers lead into the table: `/rows/3/value` is its fifth line."""
        errors = refusal.errors or [{"pointer": "", "message": refusal.detail or refusal.title}]
        self.text.errors = [_in_table(one) for one in errors[:FAULTS_MOST]]


@pages.page("/choices", "producer.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "name", ("source",))
    filters: Document = {**listing.filters}
    with here().database.reading() as session:
        rows, total = choice_definitions.search_definitions(session, text=listing.text, **filters, **listing.place)
    return flask.render_template(
        "provider/choices.html", listing=listing, rows=rows, total=total, sources=SOURCES, choices=SOURCE_CHOICES
    )


@pages.page("/choices/<name>", "producer.read")
def show(name: str) -> str:
    with here().database.reading() as session:
        shown = choice_definitions.show_definition(session, name)
    return flask.render_template("provider/choice.html", source=SOURCES[shown["definition"].source], **shown)


@pages.form("/choices/new", "producer.write")
def create() -> ResponseReturnValue:
    form = NewDefinitionForm(data={"display_field": "display", "source": LIST})

    def make() -> None:
        with here().transaction() as session:
            choice_definitions.create_definition(session, form.read(), actor(), here().clock())

    if form.done(make):
        flask.flash(f"{form.name.data} can be asked for in forms from now on.", "success")
        return flask.redirect(flask.url_for(".show", name=form.name.data), 303)
    return flask.render_template("provider/choice_edit.html", form=form, definition=None, sources=SOURCES), _status(
        form
    )


@pages.form("/choices/<name>/edit", "producer.write")
def edit(name: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        definition = choice_definitions.get_definition(session, name)
    form = DefinitionForm(data=_as_typed(definition))

    def change() -> None:
        with here().transaction() as session:
            choice_definitions.edit_definition(session, name, form.read(), actor(), here().clock())

    if form.done(change):
        flask.flash("Saved. Forms ask for it like this from now on.", "success")
        return flask.redirect(flask.url_for(".show", name=name), 303)
    page = flask.render_template("provider/choice_edit.html", form=form, definition=definition, sources=SOURCES)
    return page, _status(form)


@pages.form("/choices/<name>/rows", "producer.write", 2 * BODY_LIMIT_BYTES)
def upload(name: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        shown = choice_definitions.show_definition(session, name)
    form, counts = RowsForm(), []

    def replace() -> None:
        rows = form.read()
        with here().transaction() as session:
            counts.append(choice_definitions.replace_rows(session, name, rows, actor(), here().clock()))

    if form.done(replace):
        flask.flash(f"{name} has {counts[0]} rows now.", "success")
        return flask.redirect(flask.url_for(".show", name=name), 303)
    return flask.render_template("provider/choice_rows.html", form=form, **shown), _status(form)


@pages.action("/choices/<name>/delete", "producer.write")
def delete(name: str) -> Response:
    with here().transaction() as session:
        choice_definitions.delete_definition(session, name, actor(), here().clock())
    flask.flash(f"{name} is deleted.", "success")
    return flask.redirect(flask.url_for(".list_all"), 303)


def _names(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split(",") if one.strip()]


def _as_typed(definition: Any) -> Document:
    lists = {name: ", ".join(getattr(definition, name)) for name in ("columns", "info_fields")}
    filters: Mapping[str, list[str]] = definition.base_filter
    lines = "\n".join(f"{column} = {', '.join(values)}" for column, values in filters.items())
    told = {"description": definition.description, "display_field": definition.display_field}
    return {**told, **lists, "base_filter": lines}


def _in_table(error: Mapping[str, str]) -> str:
    steps = error.get("pointer", "").split("/")
    message = error["message"][:1].upper() + error["message"][1:]
    if len(steps) < 3 or not steps[2].isdecimal():
        return f"{message}."
    column = f", {steps[3]}" if len(steps) > 3 else ""
    return f"Row {int(steps[2]) + 1}{column}: {message}."


def _status(form: Form) -> int:
    return 422 if form.is_submitted() else 200
