"""Contracts: what was agreed with whom, written, activated and cancelled."""

from collections.abc import Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from werkzeug import Response
from wtforms import DateField, Field, FieldList, FormField, IntegerField, SelectField, StringField, TextAreaField
from wtforms import Form as Rows
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from provider.domain.contracts import CONTRACT_MOVES, ContractState
from provider.services import contracts
from provider.services.contract_search import SORTABLE, list_holders, list_subjects, search_contracts
from provider.ui.context import actor, here
from webkit.forms import Form, strip
from webkit.listing import read_listing
from webkit.pages import Pages

pages = Pages("contracts", __name__)

Document = dict[str, Any]

STATES = tuple((str(state), state.label) for state in ContractState)
EMPTY_LINES = 3
_HOLDER_WORDS = {"connection_id": "Consumer", "company": "Company", "account": "Account"}


class LineRow(Rows):  # type: ignore[misc]
    """One line; without a subject there is none."""

    subject = SelectField("What for", [Optional()], validate_choice=False)
    quantity = IntegerField("How many", [Optional(), NumberRange(1, 10**9, "At least 1.")])


class TermForm(Form):
    """What can change at any time before the end."""

    name = StringField("Name", [InputRequired("A contract has a name."), Length(max=120)], filters=[strip])
    ends_on = DateField("Last day", [Optional()], description="Empty: without an end.")

    def read(self) -> Document:
        return {"name": self.name.data, "ends_on": self.ends_on.data}


class ContractForm(TermForm):
    """A draft. `holder` names what it is with and which one, as `company:ACME`."""

    holder = SelectField("With whom", [DataRequired("Choose with whom it is.")], validate_choice=False)
    starts_on = DateField("First day", [InputRequired("A contract has a first day.")])
    lines = FieldList(FormField(LineRow), "What it is for")

    def read(self) -> Document:
        kind, _, key = (self.holder.data or "").partition(":")
        lines = [_line(row) for row in self.lines.data if row["subject"]]
        holders = {name: key if name == kind else None for name in contracts.HOLDERS}
        return super().read() | holders | {"starts_on": self.starts_on.data, "lines": lines}

    def find(self, pointer: str) -> Field | None:
        """Whatever it is with is one field here."""
        return self.holder if pointer.strip("/") in contracts.HOLDERS else super().find(pointer)


class CancelForm(Form):
    reason = TextAreaField(
        "Reason", [DataRequired("Say why: whoever reads the contract will ask."), Length(max=500)], filters=[strip]
    )


@pages.page("/contracts", "contract.read")
def list_all() -> str:
    listing = read_listing(SORTABLE, "-number", ("state",))
    filters: Document = {**listing.filters}
    with here().database.reading() as session:
        rows, total = search_contracts(session, text=listing.text, **filters, **listing.place)
    return flask.render_template("provider/contracts.html", listing=listing, rows=rows, total=total, states=STATES)


@pages.page("/contracts/<number>", "contract.read")
def show(number: str) -> str:
    with here().database.reading() as session:
        contract = contracts.show_contract(session, number)
    moves = CONTRACT_MOVES.moves[ContractState(contract["state"])]
    return flask.render_template("provider/contract.html", contract=contract, moves=moves)


@pages.form("/contracts/new", "contract.write")
def create() -> ResponseReturnValue:
    form, made = ContractForm(), []
    _offer(form)

    def write() -> None:
        with here().transaction() as session:
            made.append(contracts.create_contract(session, form.read(), actor(), here().clock()).number)

    if not _wants_lines() and form.done(write):
        flask.flash(f"{made[0]} is a draft. Nothing follows from it before it is activated.", "success")
        return flask.redirect(flask.url_for(".show", number=made[0]), 303)
    return flask.render_template("provider/contract_edit.html", form=form, contract=None), _status(form)


@pages.form("/contracts/<number>/edit", "contract.write")
def edit(number: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        contract = contracts.show_contract(session, number)
    form = TermForm(data=contract) if contract["signed_at"] else ContractForm(data=_shown(contract))
    if isinstance(form, ContractForm):
        _offer(form)

    def write() -> None:
        with here().transaction() as session:
            contracts.edit_contract(session, number, form.read(), actor(), here().clock())

    if not _wants_lines() and form.done(write):
        flask.flash("The contract is saved.", "success")
        return flask.redirect(flask.url_for(".show", number=number), 303)
    return flask.render_template("provider/contract_edit.html", form=form, contract=contract), _status(form)


@pages.action("/contracts/<number>/activate", "contract.write")
def activate(number: str) -> Response:
    with here().transaction() as session:
        contract = contracts.activate_contract(session, number, actor(), here().clock())
        in_force = contract.state == ContractState.ACTIVE
        flask.flash(f"{number} is in force{'' if in_force else f' from {contract.starts_on} on'}.", "success")
    return flask.redirect(flask.url_for(".show", number=number), 303)


@pages.form("/contracts/<number>/cancel", "contract.write")
def cancel(number: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        contract = contracts.show_contract(session, number)
    form = CancelForm()

    def end() -> None:
        with here().transaction() as session:
            contracts.cancel_contract(session, number, form.reason.data, actor(), here().clock())

    if form.done(end):
        flask.flash(f"{number} is cancelled.", "success")
        return flask.redirect(flask.url_for(".show", number=number), 303)
    return flask.render_template("provider/contract_cancel.html", form=form, contract=contract), _status(form)


def _offer(form: ContractForm) -> None:
    """What can be chosen; and a few empty lines behind those that are there."""
    with here().database.reading() as session:
        holders, subjects = list_holders(session), list_subjects(session)
    form.holder.choices = {
        _HOLDER_WORDS[kind]: [(f"{kind}:{value}", label) for value, label in found] for kind, found in holders.items()
    }
    if not form.is_submitted() or _wants_lines():
        for _ in range(EMPTY_LINES):
            form.lines.append_entry()
    choices = [(value, f"{name} ({value.partition(':')[0]})") for value, name in subjects]
    for row in form.lines:
        row.subject.choices = [("", "Nothing"), *choices]


def _shown(contract: Mapping[str, Any]) -> Document:
    kind = next(name for name in contracts.HOLDERS if contract[name])
    lines = [
        {"subject": f"offering:{one['offering']}" if one["offering"] else f"specification:{one['specification']}",
         "quantity": one["quantity"]}
        for one in contract["lines"]
    ]  # fmt: skip
    return {**contract, "holder": f"{kind}:{contract[kind]}", "lines": lines}


def _line(row: Mapping[str, Any]) -> Document:
    kind, _, key = row["subject"].partition(":")
    return {kind: key, "quantity": row["quantity"]} if kind in ("offering", "specification") else {}


def _wants_lines() -> bool:
    """Whether the form was sent for more empty lines alone."""
    return "more" in flask.request.form


def _status(form: Form) -> int:
    return 422 if form.is_submitted() and not _wants_lines() else 200
