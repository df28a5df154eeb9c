"""How records are shown to this instance's people: rows as plain documents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.flow import read_flow
from bridge.flow_recent import read_directions
from bridge.models import Rotation
from consumer_sim.models import CatalogItem, Comment, Product, ProductStep, ProviderTask, TaskState
from consumer_sim.models_cases import Case
from consumer_sim.models_personas import Approval
from consumer_sim.services import (
    attachments,
    cases,
    comments,
    connections,
    product_actions,
    products,
    records,
    requests,
    tasks,
)
from consumer_sim.services.connections import Link

Document = dict[str, Any]


def link_documents(session: Session, links: Sequence[Link]) -> list[Document]:
    """With the number of our calls that are still on their way."""
    waiting = connections.count_waiting(session, [link.connection.id for link in links if link.connection])
    return [_link(link) | {"waiting": waiting.get(link.connecting.connection_id or "", 0)} for link in links]


def _link(link: Link) -> Document:
    own, connection = link.connecting, link.connection
    return {
        "id": own.id,
        "connection_id": own.connection_id,
        "state": link.state,
        "state_reason": connection.state_reason if connection else None,
        "step": own.step,
        "problem": own.problem,
        "provider": {
            "url": own.provider_url,
            "new_url": connection.new_url if connection else None,
            "new_url_problem": connection.new_url_problem if connection else None,
            "name": own.provider_name,
            "instance_id": connection.peer_instance_id if connection else None,
        },
        "number_prefix": own.number_prefix or own.requested_prefix,
        "settings": {"auto_activate": own.auto_activate},
        "last_test": {"event_id": own.test_event_id, "at": requests.moment(own.tested_at)} if own.tested_at else None,
        "created_at": requests.moment(own.created_at),
    }


def directions_document(session: Session, link: Link, now: datetime) -> Document:
    """How each direction does, as heartbeats tell; nothing before the connection is made."""
    if link.connection is None:
        return {"directions": None}
    found = read_directions(session, read_flow(session, link.connection.id), now)
    return {"directions": {name: {key: _told(value) for key, value in one.items()} for name, one in found.items()}}


def rotation_document(rotation: Rotation) -> Document:
    names = ("secret", "state", "started_at", "proven_at", "former_until", "problem")
    return {name: _told(getattr(rotation, name)) for name in names}


def _told(value: Any) -> Any:
    return requests.moment(value) if isinstance(value, datetime) else value


def item_document(item: CatalogItem) -> Document:
    told = (
        "connection_id",
        "revision",
        "name",
        "short_description",
        "description",
        "help_text",
        "category",
        "kind",
        "orderable",
        "state",
        "active_revision",
        "compatibility",
    )
    return {
        "id": item.id,
        **{name: getattr(item, name) for name in told},
        "form": item.form,
        "prices": item.prices,
        "personas": item.personas,
        "removed_reason": item.removed_reason,
        "activation": {"sent": item.activation, "problem": item.activation_problem},
        "updated_at": requests.moment(item.updated_at),
    }


def product_document(product: Product) -> Document:
    return {
        "id": product.id,
        "connection_id": product.connection_id,
        **records.product_record(product),
        "updated_at": requests.moment(product.updated_at),
    }


def product_detail(session: Session, product: Product) -> Document:
    """With its history, our request that acts on it, and what may be asked for."""
    acting = product_actions.find_acting(session, product)
    return {
        **product_document(product),
        "allowed_actions": product_actions.list_allowed(session, product),
        "acting": acting and {"id": acting.id, "number": acting.number, "action": acting.action},
        "history": [_product_step(step, number) for step, number in products.get_history(session, product)],
    }


def _product_step(step: ProductStep, number: str | None) -> Document:
    told = {name: getattr(step, name) for name in ("sequence", "state", "state_label", "changed_by")}
    return {**told, "request_number": number, "at": requests.moment(step.at)}


def task_documents(session: Session, found: Sequence[ProviderTask]) -> list[Document]:
    parked: dict[tuple[str, str], str] = {}
    for connection_id in {task.connection_id for task in found}:
        streams = [requests.stream_of(task) for task in found if task.connection_id == connection_id]
        errors = tasks.find_parked(session, connection_id, streams)
        parked |= {(connection_id, stream): error for stream, error in errors.items()}
    known = cases.find_cases(session, found)
    return [
        _task(task, parked.get((task.connection_id, requests.stream_of(task))))
        | {"case": _case(known.get((task.connection_id, task.id)))}
        for task in found
    ]


def task_detail(session: Session, task: ProviderTask) -> Document:
    """With the timeline and what both sides said."""
    said = comments.get_comments(session, task.connection_id, [task.id])[task.id]
    return {
        **task_documents(session, [task])[0],
        "request": task.request,
        "own": task.own_answers or {},
        "approval": _approval(session, task),
        "timeline": [_step(step) for step in tasks.get_timeline(session, task)],
        "comments": [comment_document(comment) for comment in said],
        "attachments": [
            attachments.attachment_document(one)
            for one in attachments.get_attachments(session, task.connection_id, task.id)
        ],
    }


def entry_document(entry: Document) -> Document:
    """An entry of a scratchpad, of `scratchpads.show_entries`."""
    return {name: _told(value) for name, value in entry.items()}


def _case(found: Case | None) -> Document | None:
    """What stands there instead of an order; None where there is one, or nothing is known yet."""
    if found is None:
        return None
    named = ("opened_by", "short_description", "description", "priority", "acknowledged_by", "acknowledgement")
    resolution = {name: getattr(found, f"resolution_{name}") for name in ("code", "label", "text")}
    return {
        **{name: getattr(found, name) for name in named},
        "acknowledged_at": _told(found.acknowledged_at),
        "resolution": resolution if found.resolution_code else None,
        "answer": {"answer": found.answer, "sent": found.answer_sent, "problem": found.answer_problem},
    }


def _approval(session: Session, task: ProviderTask) -> Document | None:
    """By our own people, before it was sent; None where nobody was asked."""
    row = session.get(Approval, (task.connection_id, task.id)) if task.approval else None
    if row is None:
        return None
    decided_at = requests.moment(row.decided_at) if row.decided_at else None
    told: Document = {"state": task.approval, "asked_at": requests.moment(row.asked_at), "decided_at": decided_at}
    correction = (row.correction or {}).get("request")
    return {**told, "decided_by": row.decided_by, "reason": row.reason, "correction": correction}


def comment_document(comment: Comment) -> Document:
    return {**records.comment_record(comment), "own": comment.own, "sent": comment.sent, "problem": comment.problem}


def _task(task: ProviderTask, parked: str | None) -> Document:
    refusal = task.refusal or {}
    return {
        "id": task.id,
        "connection_id": task.connection_id,
        **records.task_record(task),
        "revision": task.revision,
        "catalog_item_id": task.catalog_item_id,
        "action": task.action,
        "product_id": task.product_id,
        "delivery": {
            "state": "awaiting_approval" if requests.is_held_back(task) else task.submission,
            "resubmission": task.resubmission,
            "code": refusal.get("code"),
            "detail": refusal.get("detail"),
            "errors": refusal.get("errors") or [],
        },
        "cancellation": {
            "state": task.cancellation,
            "reason": task.cancellation_reason,
            "told": task.cancellation_told,
            "message": task.cancellation_message,
        },
        "problem": parked,
        "placeholder": task.placeholder,
        "opened_at": requests.moment(task.opened_at),
        "updated_at": requests.moment(task.updated_at),
    }


def _step(step: TaskState) -> Document:
    told = ("sequence", "state", "state_label", "order_state", "order_state_label", "reason", "cancellation")
    return {
        **{name: getattr(step, name) for name in told},
        "at": requests.moment(step.at),
        "received_at": requests.moment(step.received_at),
    }
