"""Which states may a product of the inventory take, and what may a consumer have done with what it has?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from provider.domain.errors import Conflict, FieldError, InvalidFields
from provider.domain.order_tasks import TaskTemplate
from provider.domain.orders import LineAction
from provider.domain.states import LabelledState, StateTable


class ProductState(LabelledState):
    """Activation pending is the new side of a move; Change pending also covers an approved move."""

    INSTALLATION_PENDING = "installation_pending", "Installation pending"
    ACTIVATION_PENDING = "activation_pending", "Activation pending"
    ACTIVE = "active", "Active"
    CHANGE_PENDING = "change_pending", "Change pending"
    SUSPENDED = "suspended", "Suspended"
    INACTIVATION_PENDING = "inactivation_pending", "Inactivation pending"
    INACTIVE = "inactive", "Inactive"


_S = ProductState

PRODUCT_MOVES = StateTable(
    "product",
    _S.INSTALLATION_PENDING,
    {
        # Pending to Inactive: the Add was cancelled, nothing was installed.
        _S.INSTALLATION_PENDING: frozenset({_S.ACTIVATION_PENDING, _S.ACTIVE, _S.INACTIVE}),
        _S.ACTIVATION_PENDING: frozenset({_S.ACTIVE, _S.INACTIVE}),
        _S.ACTIVE: frozenset({_S.CHANGE_PENDING, _S.SUSPENDED, _S.INACTIVATION_PENDING}),
        # Done: Active, Suspended or Inactive. Cancelled: back to Active or Suspended.
        _S.CHANGE_PENDING: frozenset({_S.ACTIVE, _S.SUSPENDED, _S.INACTIVATION_PENDING, _S.INACTIVE}),
        _S.SUSPENDED: frozenset({_S.ACTIVE, _S.CHANGE_PENDING, _S.INACTIVATION_PENDING}),
        _S.INACTIVATION_PENDING: frozenset({_S.ACTIVE, _S.SUSPENDED, _S.INACTIVE}),
        _S.INACTIVE: frozenset(),
    },
)


class ProductAction(LabelledState):
    """What a consumer may have done with a product. Add is how it came."""

    ADD = "add", "Add"
    SUSPEND = "suspend", "Suspend"
    RESUME = "resume", "Resume"
    DISCONNECT = "disconnect", "Disconnect"
    CHANGE = "change", "Change"
    MOVE = "move", "Move"


class OperationState(StrEnum):
    """Scheduled: accepted, and neither performed nor given up."""

    SCHEDULED = "scheduled"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class ActionRule:
    """One action. `own` are the states in which a product may have it done; `below` those of parts that it takes along,
    empty when it takes none; `above` those that the wholes of a part must have, empty when a part cannot go alone.
    `pending` is shown from approval on, `end` at the end; None: the state stays.
    """

    line: LineAction
    own: frozenset[ProductState]
    below: frozenset[ProductState]
    above: frozenset[ProductState]
    pending: ProductState | None = None
    end: ProductState | None = None


_LIVING = frozenset({_S.ACTIVE, _S.SUSPENDED})
_ACTIVE = frozenset({_S.ACTIVE})
_A = ProductAction

ACTION_RULES: Mapping[ProductAction, ActionRule] = MappingProxyType(
    {
        _A.SUSPEND: ActionRule(LineAction.SUSPEND, _ACTIVE, _LIVING, _ACTIVE, end=_S.SUSPENDED),
        _A.RESUME: ActionRule(LineAction.RESUME, frozenset({_S.SUSPENDED}), _LIVING, _ACTIVE, end=_S.ACTIVE),
        _A.DISCONNECT: ActionRule(
            LineAction.DISCONNECT, _LIVING, _LIVING, _LIVING, pending=_S.INACTIVATION_PENDING, end=_S.INACTIVE
        ),
        _A.CHANGE: ActionRule(LineAction.CHANGE, _ACTIVE, frozenset(), _ACTIVE, pending=_S.CHANGE_PENDING),
        # A whole stands in one place: its parts move with it, never alone.
        _A.MOVE: ActionRule(LineAction.CHANGE, _ACTIVE, _LIVING, frozenset(), pending=_S.CHANGE_PENDING),
    }
)


WORK: Mapping[LineAction, tuple[TaskTemplate, ...]] = MappingProxyType(
    {action: (TaskTemplate(str(action), action.capitalize()),) for action in {r.line for r in ACTION_RULES.values()}}
)
"""What has to be done for a line that acts on a product; the templates of its specification say how to deliver one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A product as the rules see it. `busy` is the number of the request that acts on it already; `arriving` that of
    the order that brings it, while that is not over.
    """

    number: str
    state: ProductState
    busy: str | None = None
    arriving: str | None = None


IN_USE = frozenset({_S.ACTIVE, _S.CHANGE_PENDING, _S.SUSPENDED, _S.INACTIVATION_PENDING})
"""From being active until it is gone: what a consumer has, in the sense of who may order what."""


def allowed_actions(state: ProductState) -> tuple[ProductAction, ...]:
    """What may be done with a product in this state, in the order of the enum."""
    return tuple(action for action, rule in ACTION_RULES.items() if state in rule.own)


def check_action(
    action: ProductAction, product: Standing, wholes: Iterable[Standing], parts: Iterable[Standing]
) -> None:
    """Raise Conflict unless the action may be done: `product_busy` names who is first, `action_not_allowed` the state
    and what it allows. `wholes` are what the product is part of, `parts` what the action takes along.
    """
    rule = ACTION_RULES[action]
    _check(action, product, rule.own)
    for part in parts:
        _check(action, part, rule.below, f"part of {product.number}")
    for whole in wholes:
        if whole.state not in rule.above:
            alone = "" if rule.above else "; parts move with the whole only"
            raise _not_allowed(whole, action, f"what {product.number} is part of{alone}")


def check_times(action: ProductAction, starts_at: datetime | None, ends_at: datetime | None, now: datetime) -> None:
    """Raise InvalidFields unless the end comes after the beginning, which is now if none is given or it is past."""
    if ends_at is None:
        return
    if action is not _A.SUSPEND:
        raise InvalidFields([FieldError("/ends_at", "not_allowed", "only a suspension has an end")])
    if ends_at <= max(starts_at or now, now):
        message = "it would be resumed before it is suspended; the end must be later than the beginning, and than now"
        raise InvalidFields([FieldError("/ends_at", "range", message)])


def _check(action: ProductAction, product: Standing, wanted: frozenset[ProductState], what: str = "") -> None:
    facts = {"product": product.number, "state": str(product.state)}
    if product.busy:
        message = f"request {product.busy} acts on {product.number} already; cancel it, or wait until it is done"
        raise Conflict("product_busy", message, number=product.busy, **facts)
    if product.state not in wanted:
        raise _not_allowed(product, action, what)
    if product.arriving:
        message = f"order {product.arriving}, which brings {product.number}, is not finished; wait until it is"
        raise Conflict("action_not_allowed", message, allowed=[], **facts)


def _not_allowed(product: Standing, action: ProductAction, what: str) -> Conflict:
    allowed = allowed_actions(product.state)
    can = f"possible is {' or '.join(one.label for one in allowed)}" if allowed else "nothing can be done with it now"
    aside = f" ({what})" if what else ""
    message = f"{product.number}{aside} is {product.state.label}, so {action.label} is not possible; {can}"
    told = [str(one) for one in allowed]
    return Conflict("action_not_allowed", message, product=product.number, state=str(product.state), allowed=told)
