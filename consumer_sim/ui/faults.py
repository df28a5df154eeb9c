"""Fault switches: let the receiver misbehave, and watch that nothing is lost."""

from collections.abc import Mapping

import flask
from flask.typing import ResponseReturnValue
from werkzeug import Response
from wtforms import FloatField, IntegerField, SelectField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional

from consumer_sim.services.faults import NO_FAULT, Fault, get_fault, set_fault
from consumer_sim.services.receiving import HANDLERS
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.forms import Form
from webkit.pages import Pages
from webkit.words import in_words

pages = Pages("faults", __name__)
_TIMES_MOST = 1_000_000


class SwitchForm(Form):
    """Of one mode; `tells` says what it does, and what people see then."""

    title = ""
    tells = ""
    times = IntegerField(
        "How often",
        [Optional(), NumberRange(1, _TIMES_MOST, f"A number from 1 to {_TIMES_MOST}; empty: until it is turned off.")],
        description="Empty: until it is turned off.",
    )

    def fault(self, mode: str) -> Fault:
        more = {name: field.data for name, field in self._fields.items() if name not in ("csrf_token", "times")}
        return Fault(mode, self.times.data, **more)


class SlowForm(SwitchForm):
    title = "Answer late"
    tells = (
        "Batches are answered after a while. The provider waits, then tries again later; meanwhile other consumers are "
        "served by another lane."
    )
    seconds = FloatField(
        "Seconds", [InputRequired("How long?"), NumberRange(0, 120, "Between 0 and 120 seconds.")], default=3
    )


class ErrorForm(SwitchForm):
    title = "Answer with an error"
    tells = "Batches are refused without a look. The provider keeps them and tries again, less and less often."
    status = IntegerField(
        "HTTP status", [InputRequired("Which one?"), NumberRange(300, 599, "A status from 300 to 599.")], default=500
    )


class OfflineForm(SwitchForm):
    title = "Be offline"
    tells = (
        "As if this instance were down: everything waits at the provider, in order, and arrives when it is turned off."
    )


class LoseAnswerForm(SwitchForm):
    title = "Lose the answer"
    tells = (
        "Batches are applied, but the provider never hears it. It must send them again; the second time they are "
        "recognized and have no effect."
    )


class RejectForm(SwitchForm):
    title = "Reject events of one kind"
    tells = (
        "Events of this kind are refused one by one. After some tries each is parked at the provider for people "
        "to look at; all other records go on."
    )
    type = SelectField(
        "Kind of event",
        choices=[SelectChoice(str(one), in_words(one.removeprefix("exchange.").replace(".", " "))) for one in HANDLERS],
    )


class DuplicateForm(SwitchForm):
    title = "Receive twice"
    tells = (
        "Each batch is received a second time at once, as if a network had doubled it. The provider is told that all "
        "of it came before, and nothing here happens twice."
    )


class ReorderForm(SwitchForm):
    title = "Receive in the wrong order"
    tells = (
        "Batches are read from their end, as if events had overtaken each other. What comes too early is refused as a "
        "gap and sent again, so every record still changes in its order. It counts only batches with several events of "
        "one record."
    )


FORMS: Mapping[str, type[SwitchForm]] = {
    "slow": SlowForm, "error": ErrorForm, "offline": OfflineForm, "lose_answer": LoseAnswerForm, "reject": RejectForm,
    "duplicate": DuplicateForm, "reorder": ReorderForm,
}  # fmt: skip


@pages.form("/faults", Permission.FAULT_WRITE)
def show() -> ResponseReturnValue:
    """All switches; the sent one is turned on."""
    mode = flask.request.form.get("mode", "")
    forms = _forms(mode)
    if mode in forms and forms[mode].done(lambda: _turn(forms[mode].fault(mode))):
        return flask.redirect(flask.url_for(".show"), 303)
    with here().database.reading() as session:
        fault = get_fault(session)
    is_sent = flask.request.method == "POST"
    unknown = is_sent and mode not in forms
    return flask.render_template(
        "consumer/faults.html", forms=forms, fault=fault, unknown=unknown
    ), 422 if is_sent else 200


@pages.action("/faults/off", Permission.FAULT_WRITE)
def turn_off() -> Response:
    _turn(NO_FAULT)
    flask.flash("All is as it should be again.", "success")
    return flask.redirect(flask.url_for(".show"), 303)


def _forms(mode: str) -> dict[str, SwitchForm]:
    """One for each switch; of what was sent only the one it was sent for reads anything."""
    sent = flask.request.form
    return {name: form(prefix=f"{name}-", formdata=sent if name == mode else None) for name, form in FORMS.items()}


def _turn(fault: Fault) -> None:
    with here().database.transaction() as session:
        set_fault(session, fault)
