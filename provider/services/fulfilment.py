"""The work of an order as a whole: made when fulfilment begins, held, given back, undone and given up together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.ids import new_id
from provider.domain.inventory import WORK
from provider.domain.order_tasks import (
    DEFAULT_TEMPLATES,
    ORDER_TASK_MOVES,
    OrderTaskState,
    TaskTemplate,
    compensate,
    ready,
)
from provider.domain.orders import LineAction, OrderState
from provider.models.catalog import Specification
from provider.models.orders import OrderLine, OrderTask
from provider.services.catalog import template_value
from provider.services.numbers import next_numbers
from provider.services.order_locks import LockedOrder

_S = OrderTaskState

SETTLED = frozenset({_S.CLOSED_COMPLETE, _S.CANCELLED})
"""Nothing more happens to the task, and nothing waits for it any longer."""

_LEAVING = frozenset({OrderState.CANCELLATION_IN_PROGRESS, OrderState.CANCELLED})


def create_order_tasks(session: Session, locked: LockedOrder) -> None:
    """The tasks of every line that has none yet: to deliver what it adds, from the templates of its specification."""
    have = {order_task.order_line_id for order_task in locked.order_tasks}
    lines = [line for line in locked.lines if line.id not in have and line.state not in _LEAVING]
    templates = _templates(session, {line.specification_id for line in lines})
    work = {line.id: WORK.get(LineAction(line.action), templates[line.specification_id]) for line in lines}
    made = [_order_task(line, template, work[line.id]) for line in lines for template in work[line.id]]
    _add(session, locked, made)


def plan_compensation(order_tasks: Iterable[OrderTask]) -> list[tuple[OrderTask, TaskTemplate]]:
    """What would undo the work of one line, the first to be done first: each task with what undoes it."""
    tasks = {order_task.key: order_task for order_task in order_tasks if order_task.compensates_id is None}
    done = {key for key, order_task in tasks.items() if is_done(order_task)}
    return [(tasks[undo.key], undo) for undo in compensate(_as_templates(tasks), done)]


def create_compensation(session: Session, locked: LockedOrder, lines: Iterable[OrderLine]) -> None:
    """Tasks that undo what was done for these lines, in the reverse order."""
    tasks = by_line(locked.order_tasks)
    made = [undoing for line in lines for undoing in _compensation(plan_compensation(tasks[line.id]))]
    _add(session, locked, made)


def _add(session: Session, locked: LockedOrder, made: list[OrderTask]) -> None:
    if not made:
        return
    for order_task, number in zip(made, next_numbers(session, "order_task", len(made)), strict=True):
        order_task.number = number
    session.add_all(made)
    locked.order_tasks.extend(made)


def hold_order_tasks(locked: LockedOrder) -> None:
    """Hold what is unfinished; what was held already keeps the state it will have again."""
    for order_task in open_tasks(locked.order_tasks):
        if order_task.previous_state is None:
            order_task.previous_state = order_task.state
            order_task.state = _S.ON_HOLD


def release_order_tasks(locked: LockedOrder) -> None:
    """Give back what was held with the order, but for the work on lines that are being cancelled."""
    leaving = {line.id for line in locked.lines if line.state in _LEAVING}
    for order_task in locked.order_tasks:
        is_wanted = order_task.order_line_id not in leaving or order_task.compensates_id is not None
        if order_task.previous_state is not None and is_wanted:
            order_task.state, order_task.previous_state = order_task.previous_state, None


def cancel_order_tasks(locked: LockedOrder, lines: Iterable[OrderLine]) -> None:
    ended = {line.id for line in lines}
    for order_task in open_tasks(order_task for order_task in locked.order_tasks if order_task.order_line_id in ended):
        order_task.state = ORDER_TASK_MOVES.move(_S(order_task.state), _S.CANCELLED)
        order_task.previous_state = None


def open_tasks(order_tasks: Iterable[OrderTask]) -> list[OrderTask]:
    return [order_task for order_task in order_tasks if order_task.state not in SETTLED]


def is_done(order_task: OrderTask) -> bool:
    """Whether there is something to undo: the work was closed, or resolved and only not closed yet."""
    return order_task.state == _S.CLOSED_COMPLETE or _S.RESOLVED in (order_task.state, order_task.previous_state)


def open_successors(order_tasks: Iterable[OrderTask]) -> None:
    """Open what waited only for tasks that are settled now. The tasks must be those of one line."""
    tasks = {order_task.key: order_task for order_task in order_tasks}
    may_open = ready_keys(tasks)
    for key, order_task in tasks.items():
        if order_task.state == _S.DRAFT and key in may_open:
            order_task.state = ORDER_TASK_MOVES.move(_S.DRAFT, _S.OPEN)


def ready_keys(tasks: Mapping[str, OrderTask]) -> set[str]:
    """The keys of the unsettled tasks of one line that wait for nothing."""
    settled = {key for key, order_task in tasks.items() if order_task.state in SETTLED}
    return set(ready(_as_templates(tasks), settled))


def is_fulfilled(order_tasks: Iterable[OrderTask]) -> bool:
    """Whether the tasks of a line say that it is delivered: all are settled, and not all of them by giving up."""
    states = {order_task.state for order_task in order_tasks}
    return states <= SETTLED and _S.CLOSED_COMPLETE in states


def by_line(order_tasks: Iterable[OrderTask]) -> dict[str, list[OrderTask]]:
    grouped: dict[str, list[OrderTask]] = defaultdict(list)
    for order_task in order_tasks:
        grouped[order_task.order_line_id].append(order_task)
    return grouped


def _as_templates(tasks: Mapping[str, OrderTask]) -> list[TaskTemplate]:
    return [TaskTemplate(key, task.name, tuple(task.depends_on)) for key, task in tasks.items()]


def _templates(session: Session, specification_ids: set[str]) -> dict[str, tuple[TaskTemplate, ...]]:
    rows = session.execute(
        select(Specification.id, Specification.task_templates).where(Specification.id.in_(specification_ids))
    )
    return {row.id: tuple(template_value(entry) for entry in row.task_templates) or DEFAULT_TEMPLATES for row in rows}


def _order_task(line: OrderLine, template: TaskTemplate, templates: tuple[TaskTemplate, ...]) -> OrderTask:
    return OrderTask(
        id=new_id(),
        order_id=line.order_id,
        order_line_id=line.id,
        key=template.key,
        name=template.name,
        state=_S.OPEN if template.key in ready(templates, set()) else _S.DRAFT,
        depends_on=list(template.depends_on),
        point_of_no_return=template.point_of_no_return,
    )


def _compensation(plan: list[tuple[OrderTask, TaskTemplate]]) -> Iterator[OrderTask]:
    """Named by the numbers of what they undo: keys of templates may be as long as a key can be."""
    keys = {done.key: f"undo:{done.number}" for done, _ in plan}
    for done, undo in plan:
        yield OrderTask(
            id=new_id(),
            order_id=done.order_id,
            order_line_id=done.order_line_id,
            key=keys[done.key],
            name=undo.name,
            state=_S.DRAFT if undo.depends_on else _S.OPEN,
            depends_on=[keys[key] for key in undo.depends_on],
            point_of_no_return=False,
            compensates_id=done.id,
        )
