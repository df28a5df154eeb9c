"""Items written by hand: made, and given a form question by question."""

from collections.abc import Callable, Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from werkzeug import Response
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from provider.domain import authored_forms as forms
from provider.domain.authored_forms import BESIDES, KINDS, Place
from provider.services import authoring, revisions
from provider.services.choice_definitions import list_definitions
from provider.services.producer_search import show_producer
from provider.ui.context import actor, here
from provider.ui.questions import QuestionForm, SetForm, shown_question
from webkit.forms import Form, strip
from webkit.pages import Pages

pages = Pages("authoring", __name__)

_QUESTIONS = "/producers/<identity>/questions"
_SETS = "/producers/<identity>/sets"
BESIDE_WORDS = {
    "quantity": "Quantity", "location": "Where", "contacts": "Whom to speak to", "requested_on": "Wanted on",
    "note": "Note",
}  # fmt: skip

Document = Mapping[str, Any]


class AuthorForm(Form):
    """What of an item stands beside its questions."""

    name = StringField("Name", [InputRequired("An item has a name."), Length(max=200)], filters=[strip])
    short_description = StringField("Short description", [Length(max=500)], filters=[strip])
    description = TextAreaField("Description", [Length(max=10_000)], filters=[strip])
    category = StringField("Category", [Length(max=120)], filters=[strip])
    help_text = TextAreaField(
        "Help", [Length(max=10_000)], filters=[strip], description="Stands above the form, for whoever fills it in."
    )


@pages.form("/producers/new", "producer.write")
def new() -> ResponseReturnValue:
    form, made = AuthorForm(), []

    def author() -> None:
        facts = {name: form[name].data or "" for name in revisions.EDITABLE if name in form}
        with here().transaction() as session:
            made.append(authoring.author_producer(session, facts, actor(), here().clock()).identity)

    if form.done(author):
        flask.flash("The draft is there. Now say what it asks.", "success")
        return flask.redirect(flask.url_for(".show", identity=made[0]), 303)
    return flask.render_template("provider/producer_new.html", form=form), 422 if form.is_submitted() else 200


@pages.page(_QUESTIONS, "producer.read")
def show(identity: str) -> str:
    """What an item asks, in its order, with what can be done with each question."""
    shown = _open(identity)
    lacking = forms.why_not_published(shown["newest"].form)
    words = {"kinds": _KIND_WORDS, "besides": BESIDE_WORDS, "kind_of": forms.kind_of}
    return flask.render_template("provider/questions.html", lacking=lacking, **words, **shown)


@pages.form(f"{_QUESTIONS}/new", "producer.write")
def add_question(identity: str) -> ResponseReturnValue:
    return _write_question(identity, (flask.request.args.get("set", ""), ""))


@pages.form(f"{_QUESTIONS}/<key>", "producer.write")
def edit_question(identity: str, key: str) -> ResponseReturnValue:
    return _write_question(identity, (flask.request.args.get("set", ""), key))


@pages.action(f"{_QUESTIONS}/<key>/move", "producer.write")
def move_question(identity: str, key: str) -> Response:
    place, by = _place(key), _direction()
    return _change(identity, lambda form: forms.move_question(form, place, by), place[0])


@pages.action(f"{_QUESTIONS}/<key>/remove", "producer.write")
def remove_question(identity: str, key: str) -> Response:
    place = _place(key)
    return _change(identity, lambda form: forms.remove_question(form, place), place[0])


@pages.form(f"{_SETS}/new", "producer.write")
def add_set(identity: str) -> ResponseReturnValue:
    return _write_set(identity, "")


@pages.form(f"{_SETS}/<key>", "producer.write")
def edit_set(identity: str, key: str) -> ResponseReturnValue:
    return _write_set(identity, key)


@pages.action(f"{_SETS}/<key>/move", "producer.write")
def move_set(identity: str, key: str) -> Response:
    by = _direction()
    return _change(identity, lambda form: forms.move_set(form, key, by), key)


@pages.action(f"{_SETS}/<key>/remove", "producer.write")
def remove_set(identity: str, key: str) -> Response:
    return _change(identity, lambda form: forms.remove_set(form, key))


@pages.action("/producers/<identity>/besides", "producer.write")
def choose_besides(identity: str) -> Response:
    chosen = flask.request.form.getlist("besides")
    return _change(identity, lambda form: {**form, "besides": [one for one in BESIDES if one in chosen]})


_KIND_WORDS = {name: words for name, (words, *_) in KINDS.items()}


def _open(identity: str) -> dict[str, Any]:
    with here().database.reading() as session:
        return show_producer(session, identity)


def _write_question(identity: str, place: Place) -> ResponseReturnValue:
    """The page on which one question is written; without a key, a new one of the kind that the address names."""
    shown = _open(identity)
    asked = shown["newest"].form
    found = forms.find_question(asked, place) if place[1] else None
    kind = forms.kind_of(found) if found else flask.request.args.get("kind", "")
    if kind not in KINDS:
        return flask.redirect(flask.url_for(".show", identity=identity), 303)
    others = [one["key"] for one in forms.questions_of(asked, place[0]) if one is not found]
    with here().database.reading() as session:
        definitions = [one.name for one in list_definitions(session, limit=200, after=None).items]
    form = QuestionForm(kind, definitions=definitions, others=others, data=shown_question(found) if found else None)

    def write() -> None:
        variable = form.read(others)
        _change_form(identity, lambda now: forms.put_question(now, place, variable))

    if form.done(write):
        return _back(identity, place[0])
    facts = {"place": place, "kind_words": _KIND_WORDS[kind], "in_set": place[0] and forms.find_set(asked, place[0])}
    page = flask.render_template("provider/question_edit.html", form=form, **facts, **shown)
    return page, 422 if form.is_submitted() else 200


def _write_set(identity: str, key: str) -> ResponseReturnValue:
    shown = _open(identity)
    asked = shown["newest"].form
    found = forms.find_set(asked, key) if key else None
    data = {**found, "many": "many" if found["many"] else ""} if found else None
    form, others = SetForm(data=data), [one["key"] for one in asked.get("sets") or () if one is not found]

    def write() -> None:
        new = form.read(others)
        _change_form(identity, lambda now: forms.put_set(now, key, new))

    if form.done(write):
        return _back(identity, str(form.key.data or key))
    page = flask.render_template("provider/set_edit.html", form=form, key=key, **shown)
    return page, 422 if form.is_submitted() else 200


def _change_form(identity: str, change: Callable[[Document], Document]) -> None:
    with here().transaction() as session:
        authoring.change_form(session, identity, change, actor(), here().clock(), here().attachment_limits)


def _change(identity: str, change: Callable[[Document], Document], set_key: str = "") -> Response:
    _change_form(identity, change)
    return _back(identity, set_key)


def _back(identity: str, set_key: str) -> Response:
    """The list of questions, where the set stands."""
    place = f"set-{set_key}" if set_key else None
    return flask.redirect(flask.url_for(".show", identity=identity, _anchor=place), 303)


def _place(key: str) -> Place:
    return flask.request.args.get("set", ""), key


def _direction() -> int:
    return -1 if flask.request.args.get("to") == "up" else 1
