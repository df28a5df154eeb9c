"""What is wrong between us and each provider."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import outbox
from bridge.ailments import Ailment, find_ailments
from bridge.carriers import CallAnswer
from bridge.errors import NothingToReplay
from bridge.flow import Flow, read_flows
from bridge.models import Delivery, OutboxEvent, Stream
from bridge.vocabulary import ConnectionState
from consumer_sim.services.connections import Link, get_link, get_links
from consumer_sim.services.settling import apply_answer

_UNKNOWN_TO_PROVIDER = "registration_token_invalid"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Health:
    """One provider: how far connecting came, how its flow does, and what is wrong, the worst first."""

    link: Link
    flow: Flow | None
    troubles: Sequence[Ailment]

    @property
    def name(self) -> str:
        return self.link.connecting.provider_name or self.link.connecting.provider_url

    @property
    def is_connecting(self) -> bool:
        return self.link.connecting.step != "done"

    @property
    def is_paused_there(self) -> bool:
        """Whether the provider has paused the connection, which is active here."""
        return any(one.kind == "paused_there" for one in self.troubles)

    @property
    def wants_token(self) -> bool:
        """Whether the provider did not take our registration token, so that going on with it leads nowhere."""
        own, is_over = self.link.connecting, self.link.state == ConnectionState.REVOKED
        return own.step == "complete" and not is_over and _UNKNOWN_TO_PROVIDER in (own.problem or "")


_BY: Mapping[str, Callable[[Health], Any]] = {
    "name": lambda row: row.name.lower(),
    "state": lambda row: row.link.state,
    "prefix": lambda row: row.link.connecting.number_prefix or row.link.connecting.requested_prefix,
    "waiting": lambda row: row.flow.waiting if row.flow else 0,
    "last_success": lambda row: (row.flow and row.flow.last_success_at) or _NEVER,
    "trouble": lambda row: (not row.troubles, row.name.lower()),
}
SORTS = tuple(_BY)
ILL, WELL = "ill", "well"


def search_links(
    session: Session, *, text: str, state: str | None, health: str | None, sort: str, descending: bool, offset: int,
    limit: int, now: datetime,
) -> tuple[list[Health], int]:  # fmt: skip
    """One page of the providers, and how many there are. `sort` is one of `SORTS`; `health` is ILL, WELL or empty.

    What the flow says is known of all at once only, so it is sorted here: there are a hundred providers, not more.
    """
    rows = [
        row
        for row in read_health(session, now)
        if text.lower() in f"{row.name} {row.link.connecting.provider_url}".lower()
        and state in (None, "", row.link.state)
        and health in (None, "", ILL if row.troubles else WELL)
    ]
    rows.sort(key=_BY[sort], reverse=descending)
    return rows[offset : offset + limit], len(rows)


def read_health(session: Session, now: datetime) -> list[Health]:
    """Of every provider, oldest first, in two queries."""
    flows = {flow.connection_id: flow for flow in read_flows(session)}
    return [_health(link, flows.get(link.connecting.connection_id or ""), now) for link in get_links(session)]


def get_health(session: Session, link_id: str, now: datetime) -> Health:
    """Of one, by our id or the wire's. Raises NotFound."""
    link = get_link(session, link_id)
    flows = {flow.connection_id: flow for flow in read_flows(session)}
    return _health(link, flows.get(link.connecting.connection_id or ""), now)


def send_again(session: Session, connection_id: str, delivery_id: str, *, now: datetime) -> None:
    """A parked call, in its old place. Raises NothingToReplay, also for a call of another connection."""
    _error_of_ours(session, connection_id, delivery_id)
    outbox.replay(session, delivery_id, now=now)


def give_up(session: Session, connection_id: str, delivery_id: str, *, by: str, now: datetime) -> None:
    """A parked call is made no more: its record shows it as refused, and what waits behind it goes out. Raises as
    `send_again` does.
    """
    said = _error_of_ours(session, connection_id, delivery_id)
    reason = f"Given up by {by}. {said or 'No reason was given.'}"
    delivery = outbox.give_up(session, delivery_id, reason=reason, now=now)
    stream = session.get_one(Stream, delivery.stream_id).stream
    operation = session.get_one(OutboxEvent, delivery.event_id).type
    body, told = json.loads(delivery.text or "{}"), {"code": "given_up", "title": "Given Up", "detail": reason}
    answer = CallAnswer(delivery.id, connection_id, stream, operation, body, accepted=False, status=0, document=told)
    apply_answer(session, answer, now)


def _error_of_ours(session: Session, connection_id: str, delivery_id: str) -> str | None:
    ours = (Delivery.id == delivery_id) & (Delivery.connection_id == connection_id)
    found = session.execute(select(Delivery.error).where(ours)).first()
    if found is None:
        raise NothingToReplay(delivery_id, "unknown")
    said: str | None = found.error
    return said


def _health(link: Link, flow: Flow | None, now: datetime) -> Health:
    own = link.connecting
    troubles: list[Ailment] = []
    if Health(link, flow, ()).wants_token:
        troubles.append(Ailment("token_refused", "the provider does not know this registration token", ""))
    elif own.step != "done" and link.state != ConnectionState.REVOKED:
        fault = f"connecting stopped: {own.problem}" if own.problem else "connecting is not finished"
        troubles.append(Ailment(f"connecting_{own.step}", fault, ""))
    return Health(link, flow, troubles + (find_ailments(flow, now) if flow else []))
