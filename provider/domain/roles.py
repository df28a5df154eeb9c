"""Who may do what? Roles and permissions as data; after a refusal `holders` tells people whom to ask."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Permission(StrEnum):
    """One thing that a role may do, as `noun.verb`."""

    REGISTRATION_WRITE = "registration.write"
    CONNECTION_READ = "connection.read"
    CONNECTION_WRITE = "connection.write"
    CATALOG_READ = "catalog.read"
    CATALOG_WRITE = "catalog.write"
    PRODUCER_READ = "producer.read"
    PRODUCER_WRITE = "producer.write"
    ORDER_READ = "order.read"
    ORDER_APPROVE = "order.approve"
    ORDER_WRITE = "order.write"
    ORDER_TASK_READ = "order_task.read"
    ORDER_TASK_WRITE = "order_task.write"
    CASE_READ = "case.read"
    CASE_WRITE = "case.write"
    COMMENT_WRITE = "comment.write"
    WORK_NOTE_WRITE = "work_note.write"
    PRODUCT_READ = "product.read"
    DELIVERY_READ = "delivery.read"
    DELIVERY_WRITE = "delivery.write"
    USER_WRITE = "user.write"
    MAPPING_READ = "mapping.read"
    MAPPING_WRITE = "mapping.write"
    CONTRACT_READ = "contract.read"
    CONTRACT_WRITE = "contract.write"


class Role(StrEnum):
    """What a person of the provider is."""

    ADMIN = "admin"
    EXCHANGE_ADMIN = "exchange_admin"
    CATALOG_MANAGER = "catalog_manager"
    ORDER_AGENT = "order_agent"
    ORDER_MANAGER = "order_manager"
    FULFILMENT_AGENT = "fulfilment_agent"
    FULFILMENT_MANAGER = "fulfilment_manager"
    FALLOUT_AGENT = "fallout_agent"
    FALLOUT_MANAGER = "fallout_manager"
    PROCESS_ADMIN = "process_admin"
    VIEWER = "viewer"


_P = Permission

_SEE_WORK = frozenset(
    {_P.ORDER_READ, _P.ORDER_TASK_READ, _P.CASE_READ, _P.PRODUCT_READ, _P.CATALOG_READ, _P.CONTRACT_READ}
)
_SEE_EXCHANGE = frozenset({_P.CONNECTION_READ, _P.PRODUCER_READ, _P.DELIVERY_READ, _P.MAPPING_READ})
_TALK = frozenset({_P.COMMENT_WRITE, _P.WORK_NOTE_WRITE})

_ORDER_AGENT = _SEE_WORK | _TALK | {_P.ORDER_WRITE, _P.CASE_WRITE}
_FULFILMENT_AGENT = _SEE_WORK | _TALK | {_P.ORDER_TASK_WRITE, _P.CASE_WRITE}
_FALLOUT_AGENT = _SEE_WORK | {_P.ORDER_TASK_WRITE, _P.WORK_NOTE_WRITE}

ROLES: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.ADMIN: frozenset(Permission),
        # Sees everything of the exchange and runs it; what is sold and how it is fulfilled is decided by others.
        Role.EXCHANGE_ADMIN: _SEE_WORK
        | _SEE_EXCHANGE
        | {_P.REGISTRATION_WRITE, _P.CONNECTION_WRITE, _P.PRODUCER_WRITE, _P.DELIVERY_WRITE, _P.MAPPING_WRITE}
        | {_P.CONTRACT_WRITE},
        Role.CATALOG_MANAGER: frozenset({_P.CATALOG_READ, _P.CATALOG_WRITE, _P.PRODUCER_READ}),
        Role.ORDER_AGENT: _ORDER_AGENT,
        Role.ORDER_MANAGER: _ORDER_AGENT | {_P.ORDER_APPROVE, _P.CONTRACT_WRITE},
        Role.FULFILMENT_AGENT: _FULFILMENT_AGENT,
        # Also revises and cancels orders in fulfilment.
        Role.FULFILMENT_MANAGER: _FULFILMENT_AGENT | {_P.ORDER_APPROVE, _P.ORDER_WRITE},
        Role.FALLOUT_AGENT: _FALLOUT_AGENT,
        # Also asks the consumer, and sees whether an event got through.
        Role.FALLOUT_MANAGER: _FALLOUT_AGENT | {_P.COMMENT_WRITE, _P.DELIVERY_READ},
        Role.PROCESS_ADMIN: _SEE_WORK | {_P.MAPPING_READ, _P.MAPPING_WRITE},
        Role.VIEWER: _SEE_WORK | _SEE_EXCHANGE,
    }
)


def allowed(roles: Iterable[str], permission: Permission) -> bool:
    """Whether any of the roles holds the permission; a name that is no role holds none."""
    held = set(roles)
    return any(permission in permissions for role, permissions in ROLES.items() if role in held)


def holders(permission: Permission) -> tuple[Role, ...]:
    """The roles that hold the permission, in the order of the enum: whom to ask after a refusal."""
    return tuple(role for role in Role if permission in ROLES[role])
