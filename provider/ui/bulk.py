"""Many at once: entries of the catalog that are to be sold over the exchange, and items that are to be published."""

from collections.abc import Callable
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from wtforms import RadioField, SelectChoice, SelectMultipleField, ValidationError
from wtforms.validators import InputRequired

from provider.domain.criteria import EVERYONE
from provider.services import bulk_publishing
from provider.services.bulk_publishing import BULK_LIMIT, Outcome
from provider.services.producer_search import list_possible_consumers
from provider.ui.context import actor, here
from webkit.forms import Form
from webkit.pages import Pages

pages = Pages("bulk", __name__)

AS_IT_IS, ALL, NAMED = "as_it_is", "all", "named"
_SEPARATOR = "/"


class ChoiceForm(Form):
    """Which of those that are shown."""

    chosen = SelectMultipleField("Which", validate_choice=False)

    def validate_chosen(self, field: SelectMultipleField) -> None:
        if not 1 <= len(field.data or []) <= BULK_LIMIT:
            raise ValidationError(f"Tick 1 to {BULK_LIMIT}.")


class PublishForm(ChoiceForm):
    """And to whom they go."""

    criteria = RadioField(
        "Who may order them",
        [InputRequired("Decide who may order them.")],
        choices=[
            SelectChoice(AS_IT_IS, "Of each, those who may already; what was never published is left out"),
            SelectChoice(ALL, "All consumers, also those that connect later"),
            SelectChoice(NAMED, "Only these consumers"),
        ],
    )
    consumers = SelectMultipleField("Consumers", validate_choice=False)

    def validate_consumers(self, field: SelectMultipleField) -> None:
        if self.criteria.data == NAMED and not field.data:
            raise ValidationError("Tick at least one consumer.")

    def read(self) -> dict[str, Any] | None:
        if self.criteria.data == AS_IT_IS:
            return None
        return dict(EVERYONE) if self.criteria.data == ALL else {"connection_ids": self.consumers.data}


@pages.form("/producers/publish", "producer.write")
def publish() -> ResponseReturnValue:
    form = PublishForm()

    def do(session: Any) -> list[Outcome]:
        now = here().clock()
        return bulk_publishing.publish_producers(session, form.chosen.data, form.read(), actor(), now)

    outcomes = _done(form, do)
    with here().database.reading() as session:
        drafts, consumers = bulk_publishing.list_drafts(session), list_possible_consumers(session)
    facts = {"drafts": drafts, "consumers": consumers, "outcomes": outcomes, "most": BULK_LIMIT}
    return flask.render_template("provider/bulk_publish.html", form=form, **facts), _status(form, outcomes)


@pages.form("/catalog/sell", "catalog.write")
def sell() -> ResponseReturnValue:
    form = ChoiceForm()

    def do(session: Any) -> list[Outcome]:
        entries = [(kind, id_) for kind, _, id_ in (one.partition(_SEPARATOR) for one in form.chosen.data)]
        return bulk_publishing.sell_entries(session, entries, actor(), here().clock())

    outcomes = _done(form, do)
    with here().database.reading() as session:
        entries = bulk_publishing.list_sellable(session)
    facts = {"entries": entries, "outcomes": outcomes, "most": BULK_LIMIT}
    return flask.render_template("provider/bulk_sell.html", form=form, **facts), _status(form, outcomes)


def _done(form: Form, action: Callable[[Any], list[Outcome]]) -> list[Outcome]:
    """What became of each; nothing when the form was not sent, or is wrong as a whole."""
    found: list[Outcome] = []

    def do() -> None:
        with here().transaction() as session:
            found.extend(action(session))

    form.done(do)
    return found


def _status(form: Form, outcomes: list[Outcome]) -> int:
    return 422 if form.is_submitted() and not outcomes else 200
