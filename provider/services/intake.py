"""Requests of consumers: accepted once and for ever, corrected while they are rejected, cancelled while they can be.

`docs/wire.md`, section 4, is what consumers rely on.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.engine import Connection as Link
from sqlalchemy.orm import Session

from bridge.database import insert_into, inserts_into
from bridge.forms import FormErrors, check_answers
from bridge.ids import new_id
from bridge.models import Connection, table_of
from provider.domain.errors import Conflict, DomainError, FieldError, InvalidFields, NotFound
from provider.domain.orders import OrderState
from provider.models.access import Registration
from provider.models.inventory import InventoryOperation
from provider.models.orders import CustomerOrder, OrderLine, ProviderTask, RefusedSubmission
from provider.services.authorised_users import check_requester
from provider.services.cancellations import request_cancellation
from provider.services.cases import add_case, cancel_case, make_case
from provider.services.choice_lookup import check_references
from provider.services.numbers import next_numbers, take_numbers
from provider.services.order_lines import plan_lines, write_lines
from provider.services.order_locks import lock_order_of_task
from provider.services.order_moves import OPENING, change_state, record_opening
from provider.services.orderable import OrderableItem, Prices, get_item_asked_for, read_orderable_item, with_right
from provider.services.provider_tasks import get_task, render_task, show_case_task, task_data

_S = OrderState
_ANSWERS = ("quantity", "characteristics", "parts", "sets", "location", "contacts", "requested_on", "note")

Document = dict[str, Any]

_CONNECTIONS, _TASKS, _ORDERS, _REFUSED, _REGISTRATIONS = (
    table_of(model) for model in (Connection, ProviderTask, CustomerOrder, RefusedSubmission, Registration)
)
# Built once: putting such a statement together costs more than running it.
_LOOK = (
    select(
        _CONNECTIONS.c.id,
        _CONNECTIONS.c.name,
        _CONNECTIONS.c.number_prefix,
        _CONNECTIONS.c.mapping_version,
        _REGISTRATIONS.c.company,
        _TASKS.c.order_id,
        _TASKS.c.acceptance,
        _TASKS.c.fingerprint,
        _REFUSED.c.revision.label("refused_revision"),
    )
    .select_from(_CONNECTIONS)
    .outerjoin(_REGISTRATIONS, _REGISTRATIONS.c.connection_id == _CONNECTIONS.c.id)
    .outerjoin(
        _TASKS, (_TASKS.c.connection_id == _CONNECTIONS.c.id) & (_TASKS.c.external_id == bindparam("external_id"))
    )
    .outerjoin(
        _REFUSED, (_REFUSED.c.connection_id == _CONNECTIONS.c.id) & (_REFUSED.c.external_id == bindparam("external_id"))
    )
    .where(_CONNECTIONS.c.id == bindparam("connection_id"))
)
_LOCK_AND_LOOK = with_right(_LOOK).with_for_update(read=True, of=_CONNECTIONS)  # as `lock_connection` does
_ADD_ORDER = insert(_ORDERS)
_DROP_ORDER = delete(_ORDERS).where(_ORDERS.c.id == bindparam("order_id"))
_ADD_OPERATIONS = insert(table_of(InventoryOperation))
# Of several calls at once one inserts; the others wait until it has committed, and then insert nothing.
_ADD_TASK = inserts_into(_TASKS, lambda insert: insert.on_conflict_do_nothing().returning(_TASKS.c.id))


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was accepted: the id of its order, if it made one, and the answer to it."""

    order_id: str | None
    acceptance: Document


@dataclass(frozen=True, slots=True)
class Plan:
    """What an order is to be made of. `operations` are what its lines do to products that are there already."""

    item_id: str
    item_revision: int
    kind: str
    lines: list[Document]
    operations: Sequence[Document] = ()
    name: str = ""
    """Of the item: what a request that needs no order is about."""


def submit_provider_task(session: Session, connection_id: str, request: Document, *, now: datetime) -> Accepted:
    """Accept a request as `docs/wire.md` 4.1 describes it, in plain JSON.

    The same content again, however often and by whichever call, is the same task. Raises InvalidFields, NotFound (the
    catalog item), and Conflict `already_accepted`, `revision_superseded` or `number_taken`.
    """

    def plan(right: Any) -> Plan:
        found = read_orderable_item(session, request["catalog_item_id"], right)
        item, lines = _check_request(session, connection_id, found, request)
        return Plan(request["catalog_item_id"], request["catalog_item_revision"], item.kind, lines, name=item.name)

    return accept_request(session, connection_id, request, plan, now=now)


def accept_request(
    session: Session, connection_id: str, request: Document, make_plan: Callable[[Any], Plan], *, now: datetime
) -> Accepted:
    """Make a task and its order, once for each id of the consumer's; the plan is asked for where there is none yet, and
    given what was found of the right to order the item.

    Raises what the plan does, InvalidFields, and Conflict `already_accepted`, `revision_superseded` or `number_taken`.
    """
    link = session.connection()
    asked = {"connection_id": connection_id, "external_id": request["id"]}
    asked |= {"identity": request.get("catalog_item_id"), "revision": request.get("catalog_item_revision")}
    consumer = link.execute(_LOCK_AND_LOOK, asked).one()
    if consumer.fingerprint:
        return _accepted(consumer, request)
    _check_not_superseded(consumer.refused_revision, request["revision"])
    _check_number(consumer.number_prefix, request["number"])
    plan = make_plan(consumer)
    if plan.kind == "task":
        return _accept_case(session, consumer, plan, request, now)
    numbers = take_numbers(session, {"order": 1, "order_line": len(plan.lines)})
    order = _open_order(session, consumer, numbers["order"][0], plan.kind, now)
    row = _task_row(connection_id, order.id, plan, request, now)
    task: Any = SimpleNamespace(**row)
    acceptance = render_task(session, consumer.mapping_version, task, order)
    if link.execute(_ADD_TASK[link.dialect.name], row | {"acceptance": acceptance}).first() is None:
        link.execute(_DROP_ORDER, {"order_id": order.id})
        return _of_another_call(session, connection_id, request)
    write_lines(session, order, plan.lines, numbers["order_line"])
    if plan.operations:
        link.execute(_ADD_OPERATIONS, [operation | {"order_id": order.id} for operation in plan.operations])
    actor = f"connection/{connection_id}"
    record_opening(session, task, order, consumer.mapping_version, actor=actor, now=now)
    return Accepted(order.id, acceptance)


def _accept_case(session: Session, consumer: Any, plan: Plan, request: Document, now: datetime) -> Accepted:
    """The same for a request that needs no order."""
    row = _task_row(consumer.id, None, plan, request, now)
    case = make_case(row, company=consumer.company or consumer.name, name=plan.name, now=now)
    acceptance = show_case_task(ProviderTask(**row), case)
    link = session.connection()
    if link.execute(_ADD_TASK[link.dialect.name], row | {"acceptance": acceptance}).first() is None:
        return _of_another_call(session, consumer.id, request)
    add_case(session, session.get_one(ProviderTask, row["id"]), case, actor=f"connection/{consumer.id}", now=now)
    return Accepted(None, acceptance)


def resubmit_provider_task(
    session: Session, connection_id: str, external_id: str, request: Document, *, now: datetime
) -> Document:
    """Correct a rejected request: its order is a draft again, gets new lines, and is submitted. Returns the task.

    The same correction again changes nothing, and an item that was taken away meanwhile is no hindrance. Raises
    NotFound, IllegalMove unless the order is Rejected, InvalidFields, and Conflict `revision_superseded`, or
    `illegal_move` for an action on a product.
    """
    if request.get("id", external_id) != external_id:
        raise InvalidFields([FieldError("/id", "invalid", "this is not the id of the task that the path names")])
    if get_task(session, connection_id, external_id).order_id is None:
        raise Conflict("illegal_move", "no order stands behind this request: say in a comment what is different")
    locked = lock_order_of_task(session, connection_id, external_id)
    task, content = locked.task, _content(request)
    if "action" in task.request:
        raise Conflict("illegal_move", "an action on a product is not corrected; cancel it, and ask anew")
    if (task.revision, _content(task.request)) == (request["revision"], content):
        return task_data(session, task, locked.order)
    if request["revision"] <= task.revision:
        raise _superseded(task.revision)
    known = _find_known(session.connection(), connection_id, external_id)
    _check_not_superseded(known.refused_revision, request["revision"])
    found = _item_of_correction(session, str(task.catalog_item_id), request["catalog_item_revision"])
    item, lines = _check_request(session, connection_id, found, request)
    actor = f"connection/{connection_id}"
    locked.order.version += 1
    for state in (_S.DRAFT, _S.SUBMITTED, _S.NEW):
        change_state(session, locked, state, reason=None, actor=actor, now=now)
    session.execute(delete(OrderLine).where(OrderLine.order_id == locked.order.id))
    write_lines(session, locked.order, lines, next_numbers(session, "order_line", len(lines)))
    task.request, task.revision, task.catalog_item_revision = content, request["revision"], item.revision
    task.requested_by = request["requested_by"]
    session.flush()
    return task_data(session, task, locked.order)


def _item_of_correction(session: Session, identity: str, revision: int) -> tuple[OrderableItem, Prices]:
    try:
        return get_item_asked_for(session, identity, revision)
    except NotFound:
        message = f"there is no revision {revision} of this item any more"
        raise InvalidFields([FieldError("/catalog_item_revision", "not_offered", message)]) from None


def cancel_provider_task(
    session: Session, connection_id: str, external_id: str, *, reason: str, asked_by: str | None = None, now: datetime
) -> Document:
    """Pass a consumer's wish to cancel on. Returns the task. Raises as `request_cancellation` does, and NotFound;
    without an order, as `cancel_case` does.
    """
    if get_task(session, connection_id, external_id).order_id is None:
        return cancel_case(session, connection_id, external_id, reason=reason, person=asked_by, now=now)
    locked = lock_order_of_task(session, connection_id, external_id)
    actor = f"connection/{connection_id}"
    request_cancellation(session, locked, reason=reason, asked_by=asked_by, actor=actor, now=now)
    return task_data(session, locked.task, locked.order)


def remember_refusal(session: Session, connection_id: str, external_id: str, revision: int, error: DomainError) -> None:
    """After a final refusal of the content no late copy of it may be accepted; to be called in its transaction.

    A number that is taken says nothing of the content, and a superseded revision is no news.
    """
    if not _is_about_content(error):
        return
    row = {"connection_id": connection_id, "external_id": external_id, "revision": revision}
    statement = insert_into(session, RefusedSubmission).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=[RefusedSubmission.connection_id, RefusedSubmission.external_id],
        set_={"revision": statement.excluded.revision},
        where=RefusedSubmission.revision < statement.excluded.revision,
    )
    session.execute(statement)


def _is_about_content(error: DomainError) -> bool:
    if isinstance(error, Conflict):
        return error.code in ("product_busy", "action_not_allowed")
    return isinstance(error, InvalidFields) or (
        isinstance(error, NotFound) and error.noun in ("catalog item", "product")
    )


def _content(request: Mapping[str, Any]) -> Document:
    """What is stored of a request: in `resubmit` the number, the item and perhaps the id stand elsewhere."""
    return {name: value for name, value in request.items() if name not in ("id", "number", "catalog_item_id")}


def _fingerprint(request: Mapping[str, Any]) -> str:
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _find_known(link: Link, connection_id: str, external_id: str) -> Any:
    """The consumer, what was accepted under this UUID, and the highest revision that was refused; None if none was."""
    return link.execute(_LOOK, {"connection_id": connection_id, "external_id": external_id}).one()


def _accepted(known: Any, request: Document) -> Accepted:
    """What this very content made. Raises Conflict when the UUID was accepted with another content."""
    if known.fingerprint != _fingerprint(request):
        message = "this id was accepted with other content; while the order is Rejected it can be resubmitted"
        raise Conflict("already_accepted", message)
    return Accepted(known.order_id, known.acceptance)


def _check_not_superseded(refused_revision: int | None, revision: int) -> None:
    if refused_revision is not None and revision <= refused_revision:
        raise _superseded(refused_revision)


def _superseded(revision: int) -> Conflict:
    message = f"revision {revision} of this request came already; correct it with a higher one"
    return Conflict("revision_superseded", message, revision=revision)


def _check_number(prefix: str | None, number: str) -> None:
    if not re.fullmatch(rf"{re.escape(prefix or '')}-PT[0-9]{{7,12}}", number):
        raise InvalidFields([FieldError("/number", "invalid", f"the number must be {prefix}-PT and 7 to 12 digits")])


def _check_request(
    session: Session, connection_id: str, found: tuple[OrderableItem, Prices], request: Document
) -> tuple[OrderableItem, list[Document]]:
    """The item, and the lines that an order of it needs."""
    item, prices = found
    if item.persona_ids:  # only an item that asks for personas costs this statement
        check_requester(session, connection_id, item.persona_ids, request["requested_by"])
    try:
        answers = check_answers(item.form, {name: request[name] for name in _ANSWERS if name in request})
    except FormErrors as errors:
        raise InvalidFields(FieldError(error.pointer, error.code, error.message) for error in errors.errors) from None
    if faults := check_references(session, connection_id, item.form, answers):
        raise InvalidFields(faults)
    return item, plan_lines(item, prices, answers)


def _task_row(connection_id: str, order_id: str | None, plan: Plan, request: Document, now: datetime) -> Document:
    return {
        "id": new_id(),
        "connection_id": connection_id,
        "external_id": request["id"],
        "number": request["number"],
        "catalog_item_id": plan.item_id,
        "catalog_item_revision": plan.item_revision,
        "revision": request["revision"],
        "fingerprint": _fingerprint(request),
        "request": _content(request),
        "order_id": order_id,
        "requested_by": request["requested_by"],
        "opened_at": datetime.fromisoformat(request["opened_at"]),
        "received_at": now,
    }


def _of_another_call(session: Session, connection_id: str, request: Document) -> Accepted:
    """The UUID or the number was taken between our first look and the insert, or the number long ago."""
    known = _find_known(session.connection(), connection_id, request["id"])
    if known.fingerprint:
        return _accepted(known, request)
    next_free = _next_free_number(session, connection_id, request["number"])
    message = f"another request has the number {request['number']}; {next_free} is free"
    raise Conflict("number_taken", message, next_number=next_free)


def _next_free_number(session: Session, connection_id: str, number: str) -> str:
    """One more than the highest of the connection; longer numbers are higher."""
    prefix = number[: number.rindex("-PT") + 3]
    highest: str = session.execute(
        select(ProviderTask.number)
        .where(ProviderTask.connection_id == connection_id, ProviderTask.number.startswith(prefix))
        .order_by(func.length(ProviderTask.number).desc(), ProviderTask.number.desc())
        .limit(1)
    ).scalar_one()
    return f"{prefix}{int(highest.removeprefix(prefix)) + 1:07d}"


def _open_order(session: Session, consumer: Any, number: str, kind: str, now: datetime) -> Any:
    """The order as it stands at the end of its opening; read like a CustomerOrder, which costs far more to make."""
    row = {
        "id": new_id(),
        "number": number,
        "category": kind,
        "connection_id": consumer.id,
        "company": consumer.company or consumer.name,
        "state": OPENING[-1],
        "saved_states": [],
        "version": 1,
        "ponr": False,
        "reason": None,
        "cancellation": None,
        "cancellation_message": None,
        "created_at": now,
        "updated_at": now,
        "row_version": 1,
    }
    session.connection().execute(_ADD_ORDER, row)
    return SimpleNamespace(**row)
