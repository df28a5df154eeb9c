"""Which work does an order line need, in which order, and which states may each piece of work take?"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from provider.domain.errors import FieldError, InvalidFields
from provider.domain.orders import OrderState
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


NAME_LIMIT = 200


def may_be_worked(order: OrderState, line: OrderState, *, compensates: bool) -> bool:
    """Whether tasks move at all: those that fulfil a line, and those that compensate what was done for it."""
    line_leaves = line is OrderState.CANCELLATION_IN_PROGRESS
    if compensates:
        return line_leaves and order in (OrderState.IN_PROGRESS, OrderState.CANCELLATION_IN_PROGRESS)
    return order is OrderState.IN_PROGRESS and not line_leaves


def compensate(templates: Sequence[TaskTemplate], done: AbstractSet[str]) -> tuple[TaskTemplate, ...]:
    """What undoes the tasks in `done`, each under the key of the one it undoes, the first to be worked first.

    What was built on something is undone before that, also where a task between the two was never done.
    """
    known = {template.key: template for template in templates}
    waits: dict[str, set[str]] = {template.key: set() for template in reversed(templates) if template.key in done}
    for key in waits:
        for foundation in _foundations(known, key, done):
            waits[foundation].add(key)
    order = TopologicalSorter(waits).static_order()
    return tuple(TaskTemplate(key, f"Undo: {known[key].name}"[:NAME_LIMIT], tuple(sorted(waits[key]))) for key in order)


def _foundations(known: Mapping[str, TaskTemplate], key: str, done: AbstractSet[str]) -> set[str]:
    """The nearest tasks of `done` that this one was built on."""
    found: set[str] = set()
    for below in known[key].depends_on:
        found |= {below} if below in done else _foundations(known, below, done)
    return found


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
