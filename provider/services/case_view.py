"""A provider task without an order, in the words of the wire."""

from datetime import UTC, datetime
from typing import Any

from provider.domain.cases import Priority, ResolutionCode
from provider.domain.provider_tasks import ProviderTaskState
from provider.models.cases import Case
from provider.models.orders import ProviderTask

Document = dict[str, Any]

_NO_ORDER: Document = {
    "order_number": None,
    "order_state": None,
    "order_state_label": None,
    "order_version": None,
    "ponr": None,
    "cancellation": None,
    "cancellation_message": None,
}


def case_data(task: ProviderTask, case: Case) -> Document:
    """What an event tells of it."""
    return {
        "task_id": task.external_id,
        "number": task.number,
        "state": str(case.state),
        "state_label": ProviderTaskState(case.state).label,
        "reason": case.reason,
        **_about(case),
    }


def case_task_data(task: ProviderTask, case: Case) -> Document:
    """The same as a task among others: what there is of an order is null, and `case` holds the rest."""
    told = case_data(task, case)
    shown = {name: told[name] for name in ("task_id", "number", "state", "state_label", "reason")}
    return shown | _NO_ORDER | {"case": _about(case)}


def resolution_of(case: Case) -> Document | None:
    """The last solution that was proposed."""
    if case.resolution_code is None:
        return None
    code = ResolutionCode(case.resolution_code)
    return {"code": str(code), "label": code.label, "text": case.resolution_text}


def _about(case: Case) -> Document:
    return {
        "opened_by": str(case.opened_by),
        "short_description": case.short_description,
        "description": case.description,
        "priority": str(Priority.of_rank(case.priority)),
        "resolution": resolution_of(case),
        "acknowledged_by": case.acknowledged_by,
        "acknowledged_at": moment(case.acknowledged_at) if case.acknowledged_at else None,
        "opened_at": moment(case.opened_at),
    }


def moment(at: datetime) -> str:
    """A time as the wire writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
