"""The provider as its pages show it: its name, its people, its navigation."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.egress import SendFailed
from bridge.errors import NothingToReplay, RefusedAddress, RefusedDocument
from bridge.forms import FormErrors
from bridge.mapping import MappingError, MappingErrors, MappingHole
from bridge.web import problem_of
from provider.config import ProviderConfig
from provider.context import Context
from provider.domain.errors import DomainError
from provider.domain.roles import Permission, allowed, holders
from provider.models.access import User
from provider.ui.advice import ADVICE
from webkit.accounts import Account, name_holders
from webkit.site import Entry, Site

NAVIGATION = (
    Entry("Start", "start.show"),
    Entry("Orders", "orders.list_all", "order.read"),
    Entry("Tasks", "order_tasks.list_all", "order_task.read"),
    Entry("Products", "products.list_all", "product.read", "Service"),
    Entry("Cases", "cases.list_all", "case.read", "Service"),
    Entry("Approvals", "task_approvals.list_all", "case.read", "Service"),
    Entry("Incidents", "incidents.list_all", "case.read", "Service"),
    Entry("Catalog", "catalog.list_all", "catalog.read", "Selling"),
    Entry("Producers", "producers.list_all", "producer.read", "Selling"),
    Entry("Contracts", "contracts.list_all", "contract.read", "Selling"),
    Entry("Personas", "personas.list_all", "producer.read", "Selling"),
    Entry("Authorised users", "authorised_users.list_all", "connection.read", "Selling"),
    Entry("Connections", "connections.list_all", "connection.read", "Administration"),
    Entry("Deliveries", "deliveries.list_all", "delivery.read", "Administration"),
    Entry("Mappings", "mappings.list_all", "mapping.read", "Administration"),
    Entry("Flow", "flow.show", "connection.read", "Administration"),
    Entry("Users", "users.list_all", "user.write", "Administration"),
)
REFUSALS = (
    DomainError, FormErrors, MappingError, MappingErrors, MappingHole, NothingToReplay, RefusedAddress,
    RefusedDocument, SendFailed,
)  # fmt: skip


class UserAccounts:
    """The provider's users, for whom the pages are."""

    def find(self, session: Session, account_id: str) -> Account | None:
        user = session.get(User, account_id)
        return _account(user) if user is not None and user.active else None

    def find_by_name(self, session: Session, name: str) -> tuple[Account, str | None] | None:
        found = session.scalars(select(User).where(User.name == name, User.active.is_(True))).first()
        return (_account(found), found.password_hash) if found is not None else None

    def whom_to_ask(self, session: Session, permission: str) -> Iterable[str]:
        """The users who hold the permission, with their roles; the roles alone when nobody has one."""
        roles = {str(role) for role in holders(Permission(permission))}
        users = session.scalars(select(User).where(User.active.is_(True)).order_by(User.name))
        return name_holders(((user.name, user.roles) for user in users), roles)


def make_site(context: Context, config: ProviderConfig) -> Site:
    return Site(
        name=config.display_name,
        side="provider",
        database=context.database,
        accounts=UserAccounts(),
        navigation=NAVIGATION,
        refusals=REFUSALS,
        refusal_of=problem_of,
        advice=ADVICE,
        clock=context.clock,
        secret_key=context.keyring.derive("pages"),
        instance_id=context.identity.id,
        is_https=config.public_url.startswith("https:"),
    )


def _account(user: User) -> Account:
    permissions = frozenset(str(permission) for permission in Permission if allowed(user.roles, permission))
    return Account(user.id, user.name, tuple(user.roles), permissions)
