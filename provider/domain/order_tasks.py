"""Which work does an order line need, in which order, and which states may each piece of work take?"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from provider.domain.errors import FieldError, InvalidFields
from provider.domain.states import LabelledState, StateTable


class OrderTaskState(LabelledState):
    """Draft: waits for other tasks."""

    DRAFT = "draft", "Draft"
    OPEN = "open", "Open"
    IN_PROGRESS = "in_progress", "In progress"
    ON_HOLD = "on_hold", "On hold"
    SCHEDULED = "scheduled", "Scheduled"
    AWAITING_INFORMATION = "awaiting_information", "Awaiting information"
    RESOLVED = "resolved", "Resolved"
    CLOSED_COMPLETE = "closed_complete", "Closed complete"
    CANCELLED = "cancelled", "Cancelled"


_S = OrderTaskState

# A revision or cancellation of the order holds every unfinished task; a declined one gives its saved state back, so
# On hold leads to each of them.
ORDER_TASK_MOVES = StateTable(
    "order task",
    _S.DRAFT,
    {
        _S.DRAFT: frozenset({_S.OPEN, _S.ON_HOLD, _S.CANCELLED}),
        _S.OPEN: frozenset({_S.IN_PROGRESS, _S.ON_HOLD, _S.SCHEDULED, _S.AWAITING_INFORMATION, _S.CANCELLED}),
        _S.IN_PROGRESS: frozenset(
            {_S.ON_HOLD, _S.SCHEDULED, _S.AWAITING_INFORMATION, _S.RESOLVED, _S.CLOSED_COMPLETE, _S.CANCELLED}
        ),
        _S.ON_HOLD: frozenset(
            {_S.DRAFT, _S.OPEN, _S.IN_PROGRESS, _S.SCHEDULED, _S.AWAITING_INFORMATION, _S.RESOLVED, _S.CANCELLED}
        ),
        _S.SCHEDULED: frozenset({_S.OPEN, _S.IN_PROGRESS, _S.ON_HOLD, _S.CANCELLED}),
        _S.AWAITING_INFORMATION: frozenset({_S.OPEN, _S.IN_PROGRESS, _S.ON_HOLD, _S.CANCELLED}),
        _S.RESOLVED: frozenset({_S.IN_PROGRESS, _S.ON_HOLD, _S.CLOSED_COMPLETE, _S.CANCELLED}),
        _S.CLOSED_COMPLETE: frozenset(),
        _S.CANCELLED: frozenset(),
    },
)


@dataclass(frozen=True)
class TaskTemplate:
    """A piece of work that a specification asks for. When it closes past `point_of_no_return`, cancelling is over."""

    key: str
    name: str
    depends_on: tuple[str, ...] = ()
    point_of_no_return: bool = False


DEFAULT_TEMPLATES = (TaskTemplate("deliver", "Deliver"),)


def check_templates(templates: Sequence[TaskTemplate]) -> None:
    """Raise InvalidFields, pointing into `templates`, for a repeated key, an unknown dependency or a cycle."""
    errors = [*_repeated_keys(templates), *_unknown_dependencies(templates)]
    if not errors:
        errors.extend(_cycle(templates))
    if errors:
        raise InvalidFields(errors)


def ready(templates: Sequence[TaskTemplate], done: AbstractSet[str]) -> tuple[str, ...]:
    """The keys of the tasks that may be open when those in `done` are complete, in the order of the templates."""
    return tuple(template.key for template in templates if template.key not in done and done >= {*template.depends_on})


def _repeated_keys(templates: Sequence[TaskTemplate]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, template in enumerate(templates):
        if template.key in seen:
            yield FieldError(f"/{index}/key", "duplicate", f"another task is named {template.key} already")
        seen.add(template.key)


def _unknown_dependencies(templates: Sequence[TaskTemplate]) -> Iterator[FieldError]:
    known = {template.key for template in templates}
    for index, template in enumerate(templates):
        for place, key in enumerate(template.depends_on):
            if key not in known:
                message = f"there is no task {key}; there are {', '.join(sorted(known))}"
                yield FieldError(f"/{index}/depends_on/{place}", "unknown", message)


def _cycle(templates: Sequence[TaskTemplate]) -> Iterator[FieldError]:
    try:
        TopologicalSorter({template.key: template.depends_on for template in templates}).prepare()
    except CycleError as error:
        waiting: list[str] = error.args[1]
        index = next(place for place, template in enumerate(templates) if template.key in waiting)
        yield FieldError(f"/{index}/depends_on", "cycle", f"these tasks wait for each other: {', '.join(waiting[1:])}")
