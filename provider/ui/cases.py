"""Provider tasks without an order: the list, opening one towards a consumer, one with all that people do with it."""

from collections.abc import Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from wtforms import SelectChoice, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from provider.domain.cases import Priority, ResolutionCode, Side
from provider.domain.provider_tasks import ProviderTaskState
from provider.services import cases, comments
from provider.services.case_search import (
    FREE,
    MINE,
    OTHERS,
    SORTABLE,
    UNSETTLED,
    count_cases,
    list_consumers,
    search_cases,
    show_case,
)
from provider.services.connections import as_id
from provider.services.task_approvals import read_approvals
from provider.ui.attachments import rows_for_page
from provider.ui.context import actor, here
from provider.ui.moves import ASK, CLOSE_CASE, WITHDRAW
from provider.ui.orders import PlainForm, ReasonForm, TextForm
from provider.ui.scratchpads import EntryForm
from provider.ui.task_approvals import AskForm
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages
from webkit.shown_answers import show_answers
from webkit.uploads import FileForm

pages = Pages("cases", __name__)

ALL = "all"
WHOSE = {MINE: "Mine", FREE: "To take", OTHERS: "Of others", UNSETTLED: "Unfinished", ALL: "All"}
STATES = [(str(state), state.label) for state in ProviderTaskState]
WAITS = [(str(Side.PROVIDER), "Us"), (str(Side.CONSUMER), "The consumer")]
OPENERS = [(str(Side.CONSUMER), "The consumer"), (str(Side.PROVIDER), "Us")]
_ASKING: Mapping[str, Any] = {
    ASK.to: cases.ask_consumer, CLOSE_CASE.to: cases.close_unanswered, WITHDRAW.to: cases.withdraw_case,
}  # fmt: skip
_ARGUMENT = {ASK.to: "question"}


class NewCaseForm(Form):
    connection_id = SelectField(
        "Which consumer", [DataRequired("Choose whom it is for.")], validate_choice=False, filters=[strip]
    )
    short_description = StringField(
        "What it is about", [DataRequired("Say it in a few words."), Length(max=200)], filters=[strip]
    )
    description = TextAreaField("More of it", [Length(max=10_000)], filters=[strip])
    priority = SelectField(
        "How urgent", choices=[SelectChoice(str(one), one.label) for one in Priority], default=str(Priority.MODERATE)
    )


class SolutionForm(Form):
    code = SelectField("What it is", choices=[SelectChoice(str(code), code.label) for code in ResolutionCode])
    text = TextAreaField(
        "What was done", [DataRequired("Say how it is solved."), Length(max=4000)], filters=[strip],
        description="The consumer reads this, and accepts or rejects it.",
    )  # fmt: skip


@pages.page("/cases", "case.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "-since", ("whose", "state", "waits", "opened_by"))
    chosen = _whose(listing.filters)
    filters: dict[str, Any] = {name: listing.filters.get(name, "") for name in ("state", "waits", "opened_by")}
    with here().database.reading() as session:
        rows, total = search_cases(session, actor=actor(), whose=chosen, text=listing.text, **filters, **listing.place)
        counts = count_cases(session, actor())
    shown: dict[str, Any] = {"whose": WHOSE, "chosen": chosen or ALL, "counts": counts}
    shown |= {"states": STATES, "waits": WAITS, "openers": OPENERS}
    return flask.render_template("provider/cases.html", listing=listing, rows=rows, total=total, **shown)


@pages.form("/cases/new", "case.write")
def open_one() -> ResponseReturnValue:
    """Tell a consumer of something on our own."""
    form, made = NewCaseForm(), []
    with here().database.reading() as session:
        consumers = list_consumers(session)
    form.connection_id.choices = [SelectChoice("", "Choose a consumer"), *(SelectChoice(*one) for one in consumers)]
    if form.done(lambda: made.append(_open(form))):
        return flask.redirect(flask.url_for(".show", number=made[0]), 303)
    page = flask.render_template("provider/case_new.html", form=form, consumers=consumers)
    return page, 422 if form.is_submitted() else 200


@pages.page("/cases/<number>", "case.read")
def show(number: str) -> str:
    return _show(number)


@pages.action("/cases/<number>/take", "case.write")
def take(number: str) -> ResponseReturnValue:
    """Make it mine."""
    return _act(number, cases.take_case)


@pages.action("/cases/<number>/give-back", "case.write")
def give_back(number: str) -> ResponseReturnValue:
    """Make it nobody's."""
    return _act(number, cases.give_back_case)


@pages.action("/cases/<number>/resume", "case.write")
def resume(number: str) -> ResponseReturnValue:
    """Go on without an answer."""
    return _act(number, cases.resume_case)


@pages.form("/cases/<number>/move/<to>", "case.write")
def move(number: str, to: str) -> ResponseReturnValue:
    """Ask, close or take back: each with words that the consumer reads."""
    act = _ASKING.get(to) or flask.abort(404)
    form = ReasonForm()
    if form.done(lambda: _do(number, act, **{_ARGUMENT.get(to, "reason"): form.reason.data})):
        return _back(number)
    return _show(number, to, form), _status(form)


@pages.form("/cases/<number>/solution", "case.write")
def propose(number: str) -> ResponseReturnValue:
    """Propose a solution, which the consumer accepts or rejects."""
    form = SolutionForm()
    if form.done(lambda: _do(number, cases.propose_solution, code=form.code.data, text=form.text.data)):
        return _back(number)
    return _show(number, "solution", form), _status(form)


@pages.form("/cases/<number>/comment", "comment.write")
def comment(number: str) -> ResponseReturnValue:
    """Say something to the consumer."""
    form, name = TextForm(), actor().removeprefix("user/")

    def act(session: Session) -> object:
        cases.lock_case(session, number)
        return comments.add_reply(session, number, text=form.text.data, author_name=name, now=here().clock())

    if form.done(lambda: _change(act)):
        return _back(number, "conversation")
    return _show(number, "comment", form), _status(form)


@pages.form("/cases/<number>/note", "work_note.write")
def note(number: str) -> ResponseReturnValue:
    """Note something that no consumer reads."""
    form = TextForm()

    def act(session: Session) -> object:
        cases.lock_case(session, number)
        return comments.add_work_note(session, number, text=form.text.data, author=actor(), now=here().clock())

    if form.done(lambda: _change(act)):
        return _back(number, "notes")
    return _show(number, "note", form), _status(form)


def _show(number: str, to: str = "", form: Form | None = None) -> str:
    """The page of a case; `form` is the one that was sent to `to`, with what was typed and what is wrong."""
    with here().database.reading() as session:
        case = show_case(session, number)
        approvals = read_approvals(session, number)
    files = rows_for_page(case)
    told: dict[str, Any] = {"files": files, "file_form": FileForm()}
    told["answered_files"] = {(one["sha256"], one["name"]): one for one in files if not one["ours"]}
    told |= {"file_limits": here().attachment_limits, "asked": show_answers(case["form"], case["request"])}
    told["solution"] = form if to == "solution" else SolutionForm(formdata=None)
    told |= {"entry_form": EntryForm(formdata=None), "approvals": approvals, "ask_form": AskForm(formdata=None)}
    moves = {"ask": ASK, "close": CLOSE_CASE, "withdraw": WITHDRAW}
    return flask.render_template("provider/case.html", case=case, **moves, **told, to=to, form=form or PlainForm())


def _open(form: NewCaseForm) -> str:
    said: dict[str, Any] = {name: form[name].data or "" for name in ("short_description", "description", "priority")}
    with here().transaction() as session:
        connection_id = as_id("connection", form.connection_id.data)
        return cases.open_case(session, connection_id, **said, actor=actor(), now=here().clock()).task.number


def _act(number: str, act: Any) -> ResponseReturnValue:
    _do(number, act)
    return _back(number)


def _do(number: str, act: Any, **said: Any) -> object:
    return _change(lambda session: act(session, number, **said, actor=actor(), now=here().clock()))


def _change(act: Any) -> object:
    with here().transaction() as session:
        return act(session)


def _back(number: str, anchor: str | None = None) -> ResponseReturnValue:
    return flask.redirect(flask.url_for(".show", number=number, _anchor=anchor), 303)


def _status(form: Form) -> int:
    return 422 if form.is_submitted() else 200


def _whose(filters: Mapping[str, str]) -> str:
    """Without a choice what is unsettled; all if something else is looked for, which may be over."""
    chosen = filters.get("whose", "")
    if chosen not in WHOSE:
        chosen = ALL if filters.get("state") else UNSETTLED
    return "" if chosen == ALL else chosen
