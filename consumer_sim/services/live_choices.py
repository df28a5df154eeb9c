"""What can be chosen in a form, asked of the provider while people fill it in, and kept for as long as it says.

No transaction is open while it is asked. A provider that is slow or away costs a notice: what it told before can be
chosen, and what is sent is checked by it anew.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bridge.database import Database, insert_into
from bridge.egress import SendFailed
from bridge.models import Connection
from bridge.references import answers_beside, depended_on, find_reference, find_variable
from bridge.vocabulary import ConnectionState
from consumer_sim.models_choices import ChoiceAnswer
from consumer_sim.services import fields
from consumer_sim.services.calling import Caller
from consumer_sim.services.catalog import get_item
from consumer_sim.services.errors import NotFound, ProviderRefused
from consumer_sim.services.forms import list_of

Document = dict[str, Any]

SEARCH_LIMIT = 100
DEADLINE_S = 2.0
"""People wait for it."""
AGE_LIMIT_S = 3600
"""Of freshness, whatever the provider says."""
_KEPT = timedelta(days=1)
_SHOWN_MOST = 50
_REFUSED = {"not_offered", "changed"}
_ITEM: fields.Rules = {"value": fields.text(255), "display": fields.text(255), "info": fields.text(2000, least=0)}
_ANSWER: fields.Rules = {
    "items": list_of(lambda one: "is no choice" if not isinstance(one, dict) or fields.faults(one, _ITEM) else None),
    "more": fields.boolean,
    "max_age_s": fields.number_from(0),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One search for one variable of a revision of an item; `depends_on` is the answer that it depends on."""

    connection_id: str
    item_id: str
    revision: int
    pointer: str
    depends_on: str = ""
    search: str = ""

    @property
    def scope(self) -> str:
        parts = [self.item_id, self.revision, self.pointer, self.depends_on]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be chosen, `{"value", "display", "info"}` each; `notice` says to people what they should know of it."""

    items: Sequence[Document]
    notice: str = ""


@dataclass
class Chooser:
    """For any thread."""

    database: Database
    caller: Caller
    clock: Callable[[], datetime]

    def find(
        self, connection_id: str, item_id: str, pointer: str, answers: Mapping[str, Any], search: str = "",
        *, depends_on: str | None = None,
    ) -> Choices:  # fmt: skip
        """What can be chosen for the variable at `pointer` of the form that is filled in, beside what was answered so
        far; `depends_on` tells the answer that it depends on apart. Raises NotFound.
        """
        with self.database.reading() as session:
            item = get_item(session, item_id, connection_id=connection_id)
        is_older = item.active_form is not None and item.active_revision is not None
        form, revision = (item.active_form, item.active_revision) if is_older else (item.form, item.revision)
        variable = find_reference(form or {}, pointer)
        if variable is None:
            raise NotFound("choice", pointer[:80])
        if not depends_on:
            depends_on = depended_on(variable, answers_beside(answers, pointer))
        if depends_on == "":
            return Choices([], f"Answer {_label_above(form or {}, variable, pointer)} first.")
        text = " ".join(search.split())[:SEARCH_LIMIT]
        return self.ask(Asked(connection_id, item_id, int(revision or 0), pointer, depends_on or "", text))

    def ask(self, asked: Asked) -> Choices:
        """As the provider said within the time for which it stands by it, else as it says now, else as it said last."""
        now = self.clock()
        with self.database.reading() as session:
            kept = session.get(ChoiceAnswer, (asked.connection_id, asked.scope, asked.search))
            connection = session.get(Connection, asked.connection_id)
            if kept is not None and kept.asked_at <= now < kept.fresh_until:
                return _choices(kept.items, kept.more)
            if connection is None:
                raise NotFound("connection", asked.connection_id)
        try:
            told = self._call(connection, asked)
        except (SendFailed, ProviderRefused) as failed:
            return self._remember(asked, failed)
        with self.database.transaction() as session:
            _keep(session, asked, told, now)
        return _choices(told["items"], told["more"])

    def _call(self, connection: Connection, asked: Asked) -> Document:
        """Raises SendFailed, ProviderRefused."""
        if connection.state != ConnectionState.ACTIVE:
            raise ProviderRefused(0, None, f"the connection is {connection.state}")
        query = {
            "revision": asked.revision, "variable": asked.pointer, "search": asked.search,
            "depends_on": asked.depends_on, "limit": _SHOWN_MOST,
        }  # fmt: skip
        path = f"/catalog-items/{asked.item_id}/choices?{urlencode(query)}"
        told = self.caller.call(connection, "GET", path, deadline_s=DEADLINE_S)
        if fields.faults(told, _ANSWER):
            raise ProviderRefused(200, None, "its answer is not one that can be read")
        return told

    def _remember(self, asked: Asked, failed: SendFailed | ProviderRefused) -> Choices:
        """What it told of the same variable before, whatever was searched for then."""
        same = (ChoiceAnswer.connection_id == asked.connection_id, ChoiceAnswer.scope == asked.scope)
        with self.database.reading() as session:
            rows = session.scalars(select(ChoiceAnswer).where(*same).order_by(ChoiceAnswer.asked_at.desc())).all()
        why = "does not answer" if isinstance(failed, SendFailed) else f"cannot say what there is ({failed.detail})"
        if not rows:
            return Choices([], f"The provider {why}, so nothing can be chosen now. What you filled in is kept.")
        known = {one["value"]: one for row in reversed(rows) for one in row.items}
        found = [one for one in known.values() if _fits(one, asked.search)]
        found.sort(key=lambda one: (one["display"].lower(), one["value"]))
        at = rows[0].asked_at.strftime("%H:%M")
        return Choices(found[:_SHOWN_MOST], f"The provider {why}. These are as of {at} UTC, and are checked when sent.")


def forget_refused(session: Session, connection_id: str, refusal: Mapping[str, Any]) -> None:
    """After a request was refused for what was chosen: what is kept is wrong, so ask anew."""
    errors = refusal.get("errors")
    codes = {one.get("code") for one in errors if isinstance(one, dict)} if isinstance(errors, list) else set()
    if codes & _REFUSED:
        session.execute(delete(ChoiceAnswer).where(ChoiceAnswer.connection_id == connection_id))


def _keep(session: Session, asked: Asked, told: Document, now: datetime) -> None:
    session.execute(delete(ChoiceAnswer).where(ChoiceAnswer.asked_at < now - _KEPT))
    items = [{name: one[name] for name in _ITEM} for one in told["items"]]
    values = {
        "items": items, "more": told["more"], "asked_at": now,
        "fresh_until": now + timedelta(seconds=min(told["max_age_s"], AGE_LIMIT_S)),
    }  # fmt: skip
    keys = {"connection_id": asked.connection_id, "scope": asked.scope, "search": asked.search}
    statement = insert_into(session, ChoiceAnswer).values(keys | values)
    session.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=values))


def _choices(items: Sequence[Document], more: bool) -> Choices:
    if not items:
        return Choices([], "Nothing fits.")
    return Choices(items, "There are more: search to find them." if more else "")


def _fits(one: Document, search: str) -> bool:
    return any(search.lower() in one[name].lower() for name in _ITEM)


def _label_above(form: Mapping[str, Any], variable: Mapping[str, Any], pointer: str) -> str:
    """What people call the variable that one depends on."""
    key = variable["choice"]["depends_on"]["variable"]
    above = find_variable(form, f"{pointer.rpartition('/')[0]}/{key}")
    return f"“{above['label']}”" if above else f"“{key}”"
