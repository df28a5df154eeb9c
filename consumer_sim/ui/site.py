"""The consumer as its pages show it: its name, its people, its navigation."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.egress import SendFailed
from bridge.errors import AttachmentRefused, NothingToReplay, RefusedAddress
from bridge.forms import FormErrors
from bridge.web import problem_of
from consumer_sim.context import Context
from consumer_sim.models import User
from consumer_sim.services.errors import ConsumerError
from consumer_sim.services.users import Permission, find_user, holders, permissions_of
from consumer_sim.ui.advice import ADVICE
from webkit.accounts import Account, name_holders
from webkit.site import Entry, Site

NAVIGATION = (
    Entry("Start", "start.show"),
    Entry("Catalog", "catalog.list_all", Permission.CATALOG_READ),
    Entry("Requests", "requests.list_all", Permission.REQUEST_READ),
    Entry("Approvals", "approvals.list_all", Permission.REQUEST_APPROVE),
    Entry("My products", "products.list_all", Permission.PRODUCT_READ),
    Entry("From your provider", "cases.list_all", Permission.REQUEST_READ, "Service"),
    Entry("Asked by providers", "task_approvals.list_all", Permission.REQUEST_APPROVE, "Service"),
    Entry("Tickets", "tickets.list_all", Permission.REQUEST_READ, "Service"),
    Entry("Items", "items.list_all", Permission.CONNECTION_READ, "Administration"),
    Entry("Connections", "connections.list_all", Permission.CONNECTION_READ, "Administration"),
    Entry("Flow", "flow.show", Permission.CONNECTION_READ, "Administration"),
    Entry("Fault switches", "faults.show", Permission.FAULT_WRITE, "Administration"),
    Entry("Users", "users.list_all", Permission.USER_WRITE, "Administration"),
    Entry("Groups", "groups.list_all", Permission.USER_WRITE, "Administration"),
)
REFUSALS = (AttachmentRefused, ConsumerError, FormErrors, NothingToReplay, RefusedAddress, SendFailed)


class UserAccounts:
    """The consumer's people, for whom the pages are."""

    def find(self, session: Session, account_id: str) -> Account | None:
        user = session.get(User, account_id)
        return _account(user) if user is not None and user.active else None

    def find_by_name(self, session: Session, name: str) -> tuple[Account, str | None] | None:
        user = find_user(session, name)
        return (_account(user), user.password_hash) if user is not None and user.active else None

    def whom_to_ask(self, session: Session, permission: str) -> Iterable[str]:
        """The people who hold the permission, with their roles; the roles alone when nobody has one."""
        roles = set(holders(permission))
        users = session.scalars(select(User).where(User.active.is_(True)).order_by(User.name))
        return name_holders(((user.name, user.roles) for user in users), roles)


def make_site(context: Context) -> Site:
    config = context.config
    return Site(
        name=config.display_name,
        side="consumer",
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
    return Account(user.id, user.name, tuple(user.roles), permissions_of(user.roles))
