"""Requests of consumers: accepted once and for ever, corrected while they are rejected, cancelled while they can be.

`docs/wire.md`, section 4, is what consumers rely on.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.forms import FormErrors, check_answers
from bridge.models import Connection
from provider.domain.errors import Conflict, DomainError, FieldError, InvalidFields, NotFound
from provider.domain.orders import OrderState
from provider.models.access import Registration
from provider.models.catalog import RemoteRecordProducer
from provider.models.orders import CustomerOrder, ProviderTask, RefusedSubmission
from provider.services.entitlements import get_orderable_item
from provider.services.numbers import next_number
from provider.services.order_lines import write_lines
from provider.services.order_locks import LockedOrder, lock_connection, lock_order_of_task
from provider.services.order_moves import change_state, record_state
from provider.services.orders import request_cancellation
from provider.services.provider_tasks import task_data

_S = OrderState
_ANSWERS = ("quantity", "characteristics", "parts", "location", "contacts", "requested_on", "note")

Document = dict[str, Any]


def submit_provider_task(session: Session, connection_id: str, request: Document, *, now: datetime) -> ProviderTask:
    """Accept a request as `docs/wire.md` 4.1 describes it, in plain JSON; the answer to it is `task.acceptance`.

    The same content again, however often and by whichever call, is the same task. Raises InvalidFields, NotFound (the
    catalog item), and Conflict `already_accepted`, `revision_superseded` or `number_taken`.
    """
    connection = lock_connection(session, connection_id)
    if accepted := _find_accepted(session, connection_id, request):
        return accepted
    _check_not_superseded(session, connection_id, request["id"], request["revision"])
    _check_number(connection, request["number"])
    producer, answers = _check_request(session, connection_id, request["catalog_item_id"], request)
    task = _reserve(session, connection_id, request, now)
    if task is None:
        return _of_another_call(session, connection_id, request)
    locked = _open_order(session, connection, producer, task, now)
    actor = f"connection/{connection_id}"
    record_state(session, locked, None, reason=None, actor=actor, now=now)
    for state in (_S.SUBMITTED, _S.NEW):
        change_state(session, locked, state, reason=None, actor=actor, now=now)
    write_lines(session, locked, producer, answers)
    task.acceptance = task_data(session, task, locked.order)
    session.flush()
    return task


def resubmit_provider_task(
    session: Session, connection_id: str, external_id: str, request: Document, *, now: datetime
) -> Document:
    """Correct a rejected request: its order is a draft again, gets new lines, and is submitted. Returns the task.

    The same correction again changes nothing. Raises NotFound, IllegalMove unless the order is Rejected, InvalidFields,
    and Conflict `revision_superseded`.
    """
    if request.get("id", external_id) != external_id:
        raise InvalidFields([FieldError("/id", "invalid", "this is not the id of the task that the path names")])
    locked = lock_order_of_task(session, connection_id, external_id)
    task, content = locked.task, _content(request)
    if (task.revision, _content(task.request)) == (request["revision"], content):
        return task_data(session, task, locked.order)
    if request["revision"] <= task.revision:
        raise _superseded(task.revision)
    _check_not_superseded(session, connection_id, external_id, request["revision"])
    producer, answers = _check_request(session, connection_id, task.catalog_item_id, request)
    actor = f"connection/{connection_id}"
    locked.order.version += 1
    for state in (_S.DRAFT, _S.SUBMITTED, _S.NEW):
        change_state(session, locked, state, reason=None, actor=actor, now=now)
    write_lines(session, locked, producer, answers)
    task.request, task.revision, task.catalog_item_revision = content, request["revision"], producer.revision
    task.requested_by = request["requested_by"]
    session.flush()
    return task_data(session, task, locked.order)


def cancel_provider_task(
    session: Session, connection_id: str, external_id: str, *, reason: str, now: datetime
) -> Document:
    """Pass a consumer's wish to cancel on. Returns the task. Raises as `request_cancellation` does, and NotFound."""
    locked = lock_order_of_task(session, connection_id, external_id)
    actor = f"connection/{connection_id}"
    request_cancellation(session, locked, reason=reason, actor=actor, now=now)
    return task_data(session, locked.task, locked.order)


def remember_refusal(session: Session, connection_id: str, external_id: str, revision: int, error: DomainError) -> None:
    """After a final refusal of the content no late copy of it may be accepted; to be called in its transaction.

    A number that is taken says nothing of the content, and a superseded revision is no news.
    """
    about_content = isinstance(error, InvalidFields) or (isinstance(error, NotFound) and error.noun == "catalog item")
    if not about_content:
        return
    row = {"connection_id": connection_id, "external_id": external_id, "revision": revision}
    statement = insert_into(session, RefusedSubmission).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=[RefusedSubmission.connection_id, RefusedSubmission.external_id],
        set_={"revision": statement.excluded.revision},
        where=RefusedSubmission.revision < statement.excluded.revision,
    )
    session.execute(statement)


def _content(request: Mapping[str, Any]) -> Document:
    """What is stored of a request: in `resubmit` the number, the item and perhaps the id stand elsewhere."""
    return {name: value for name, value in request.items() if name not in ("id", "number", "catalog_item_id")}


def _fingerprint(request: Mapping[str, Any]) -> str:
    text = json.dumps(request, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _find_accepted(session: Session, connection_id: str, request: Document) -> ProviderTask | None:
    """The task that this very content made. Raises Conflict when the UUID was accepted with another content."""
    found = select(ProviderTask).where(
        ProviderTask.connection_id == connection_id, ProviderTask.external_id == request["id"]
    )
    task = session.execute(found).scalar_one_or_none()
    if task is not None and task.fingerprint != _fingerprint(request):
        message = "this id was accepted with other content; while the order is Rejected it can be resubmitted"
        raise Conflict("already_accepted", message)
    return task


def _check_not_superseded(session: Session, connection_id: str, external_id: str, revision: int) -> None:
    refused = session.get(RefusedSubmission, (connection_id, external_id))
    if refused is not None and revision <= refused.revision:
        raise _superseded(refused.revision)


def _superseded(revision: int) -> Conflict:
    message = f"revision {revision} of this request came already; correct it with a higher one"
    return Conflict("revision_superseded", message, revision=revision)


def _check_number(connection: Connection, number: str) -> None:
    if not re.fullmatch(rf"{re.escape(connection.number_prefix or '')}-PT[0-9]{{7,12}}", number):
        message = f"the number must be {connection.number_prefix}-PT and 7 to 12 digits"
        raise InvalidFields([FieldError("/number", "invalid", message)])


def _check_request(
    session: Session, connection_id: str, item_id: str, request: Document
) -> tuple[RemoteRecordProducer, Document]:
    """The item and the answers in their normal form."""
    producer = get_orderable_item(session, connection_id, item_id, request["catalog_item_revision"])
    try:
        given = {name: request[name] for name in _ANSWERS if name in request}
        return producer, check_answers(producer.form, given)
    except FormErrors as errors:
        raise InvalidFields(FieldError(error.pointer, error.code, error.message) for error in errors.errors) from None


def _reserve(session: Session, connection_id: str, request: Document, now: datetime) -> ProviderTask | None:
    """The row of a new task; None when its UUID or its number is taken, perhaps by a call that has just ended.

    Of several calls at once one inserts, the others wait here until it has committed.
    """
    row = {
        "id": str(uuid4()),
        "connection_id": connection_id,
        "external_id": request["id"],
        "number": request["number"],
        "catalog_item_id": request["catalog_item_id"],
        "catalog_item_revision": request["catalog_item_revision"],
        "revision": request["revision"],
        "fingerprint": _fingerprint(request),
        "request": _content(request),
        "requested_by": request["requested_by"],
        "opened_at": datetime.fromisoformat(request["opened_at"]),
        "received_at": now,
    }
    statement = insert_into(session, ProviderTask).values(row).on_conflict_do_nothing().returning(ProviderTask.id)
    if session.execute(statement).first() is None:
        return None
    return session.get_one(ProviderTask, row["id"])


def _of_another_call(session: Session, connection_id: str, request: Document) -> ProviderTask:
    accepted = _find_accepted(session, connection_id, request)
    if accepted is None:
        next_free = _next_free_number(session, connection_id, request["number"])
        message = f"another request has the number {request['number']}; {next_free} is free"
        raise Conflict("number_taken", message, next_number=next_free)
    return accepted


def _next_free_number(session: Session, connection_id: str, number: str) -> str:
    """One more than the highest of the connection; longer numbers are higher."""
    prefix = number[: number.rindex("-PT") + 3]
    highest: str = session.execute(
        select(ProviderTask.number)
        .where(ProviderTask.connection_id == connection_id)
        .order_by(func.length(ProviderTask.number).desc(), ProviderTask.number.desc())
        .limit(1)
    ).scalar_one()
    return f"{prefix}{int(highest.removeprefix(prefix)) + 1:07d}"


def _open_order(
    session: Session, connection: Connection, producer: RemoteRecordProducer, task: ProviderTask, now: datetime
) -> LockedOrder:
    company = session.execute(
        select(Registration.company).where(Registration.connection_id == connection.id)
    ).scalar_one_or_none()
    order = CustomerOrder(
        id=str(uuid4()),
        number=next_number(session, "order"),
        category=producer.kind,
        connection_id=connection.id,
        company=company or connection.name,
        state=_S.DRAFT,
        saved_states=[],
        version=1,
        ponr=False,
        reason=None,
        created_at=now,
        updated_at=now,
    )
    session.add(order)
    session.flush()
    task.order_id = order.id
    return LockedOrder(task, order, [], [])
