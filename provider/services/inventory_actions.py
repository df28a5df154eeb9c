"""What consumers ask to be done with what they have: accepted once and for ever, like any other request, and the first
of two that want the same product wins.

`docs/wire.md`, section 4.3, is what consumers rely on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.forms import FormErrors, check_answers
from bridge.ids import new_id
from provider.domain.catalog import RemoteRecordProducerState, build_form
from provider.domain.errors import FieldError, InvalidFields, NotFound
from provider.domain.inventory import (
    ACTION_RULES,
    OperationState,
    ProductAction,
    ProductState,
    Standing,
    check_action,
    check_times,
)
from provider.domain.orders import OrderState
from provider.models.catalog import Entitlement, RemoteRecordProducer, Specification
from provider.models.inventory import InventoryOperation, Product
from provider.models.orders import CustomerOrder, ProviderTask
from provider.services.catalog import load_specification
from provider.services.choice_lookup import check_references
from provider.services.intake import Accepted, Plan, accept_request
from provider.services.order_locks import lock_connection

Document = dict[str, Any]
_A = ProductAction
_MEMBERS = {_A.CHANGE: "characteristics", _A.MOVE: "location"}
"""What only one of the actions has, and it must."""
_OVER = (OrderState.COMPLETED, OrderState.CANCELLED)


def request_action(
    session: Session, connection_id: str, product_id: str, request: Document, *, now: datetime
) -> Accepted:
    """Accept what is to be done with a product, in plain JSON. The parts that the action takes along are locked with
    it, so of two calls the second sees what the first one made.

    Raises NotFound (the product, or Manage Inventory), InvalidFields, and Conflict `product_busy`, `action_not_allowed`
    or as `accept_request` does.
    """
    lock_connection(session, connection_id)
    product = _find(session, connection_id, product_id)
    tree = Tree(session, lock_products(session, product.order_id))
    request = request | {"product_id": product_id}
    return accept_request(
        session, connection_id, request, lambda _: _plan(session, product, tree, request, now), now=now
    )


def lock_products(session: Session, order_id: str) -> list[Product]:
    """All products that an order brought, among which are the wholes and the parts of each."""
    query = select(Product).where(Product.order_id == order_id).order_by(Product.id).with_for_update()
    return list(session.execute(query.execution_options(populate_existing=True)).scalars())


class Tree:
    """Products of one order, with what acts on them now."""

    def __init__(self, session: Session, products: Sequence[Product]) -> None:
        self.by_id = {product.id: product for product in products}
        self._busy = _find_busy(session, list(self.by_id))
        self._arriving = _find_arriving(session, products[0].order_id)

    def wholes_of(self, product: Product) -> Iterator[Product]:
        """From the nearest to the outermost."""
        while product.parent_id:
            product = self.by_id[product.parent_id]
            yield product

    def parts_of(self, product: Product) -> Iterator[Product]:
        """All that lies below, parents first; what is gone is left out with all below it."""
        for part in self.by_id.values():
            if part.parent_id == product.id and part.state != ProductState.INACTIVE:
                yield part
                yield from self.parts_of(part)

    def standing(self, product: Product) -> Standing:
        state = ProductState(product.state)
        return Standing(product.number, state, self._busy.get(product.id), self._arriving)

    def is_busy(self, product: Product) -> bool:
        return product.id in self._busy


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An action as it was asked for; what is past is as good as now."""

    action: ProductAction
    starts_at: datetime | None
    ends_at: datetime | None
    characteristics: Mapping[str, Any] | None
    location: Document | None


def _plan(session: Session, product: Product, tree: Tree, request: Document, now: datetime) -> Plan:
    item_id, item_revision = _find_manage_inventory(session, product.connection_id)
    wanted = _read(request, now)
    parts = list(tree.parts_of(product)) if ACTION_RULES[wanted.action].below else []
    wholes = [tree.standing(whole) for whole in tree.wholes_of(product)]
    check_action(wanted.action, tree.standing(product), wholes, [tree.standing(part) for part in parts])
    specification = session.get_one(Specification, product.specification_id)
    lines = list(_lines(session, wanted, [product, *parts], request))
    operations = [_operation(wanted, one, line) for one, line in zip([product, *parts], lines, strict=True)]
    return Plan(item_id, item_revision, specification.kind, lines, operations)


def _read(request: Document, now: datetime) -> _Wanted:
    action = ProductAction(request["action"])
    starts_at, ends_at = (_time(request.get(name)) for name in ("starts_at", "ends_at"))
    check_times(action, starts_at, ends_at, now)
    errors = []
    for owner, name in _MEMBERS.items():
        if owner is action and not request.get(name):
            errors.append(FieldError(f"/{name}", "required", f"{action.label} needs it"))
        elif owner is not action and request.get(name) is not None:
            errors.append(FieldError(f"/{name}", "not_allowed", f"{action.label} does not take it"))
    if errors:
        raise InvalidFields(errors)
    is_future = starts_at is not None and starts_at > now
    return _Wanted(
        action, starts_at if is_future else None, ends_at, request.get("characteristics"), request.get("location")
    )


def _lines(session: Session, wanted: _Wanted, products: Sequence[Product], request: Document) -> Iterator[Document]:
    """One for each product, the one that was named first."""
    line_ids = {product.id: new_id() for product in products}
    for product in products:
        yield {
            "id": line_ids[product.id],
            "parent_line_id": line_ids.get(product.parent_id or ""),
            "product_offering_id": None,
            "name": product.name,
            "specification_id": product.specification_id,
            "part_key": product.part[-1] if product.part else None,
            "action": ACTION_RULES[wanted.action].line,
            "quantity": 1,
            "saved_states": [],
            "ponr": False,
            "characteristics": _characteristics(session, wanted, product),
            "location": _location(wanted, product),
            "contacts": request.get("contacts") or [],
            "requested_on": None,
            "prices": None,
        }


def _operation(wanted: _Wanted, product: Product, line: Document) -> Document:
    return {
        "order_line_id": line["id"],
        "product_id": product.id,
        "action": str(wanted.action),
        "state": str(OperationState.SCHEDULED),
        "previous": {
            "state": str(product.state),
            "characteristics": product.characteristics,
            "location": product.location,
        },
        "starts_at": wanted.starts_at,
        "ends_at": wanted.ends_at,
    }


def _characteristics(session: Session, wanted: _Wanted, product: Product) -> Document:
    """What the product will have: what it has, and the new answers. Only what its specification lets people choose can
    be changed.
    """
    if wanted.characteristics is None:
        return product.characteristics
    form = build_form(load_specification(session, product.specification_id)) | {"parts": []}
    answers = {"characteristics": {**product.characteristics, **wanted.characteristics}}
    try:
        checked: Document = check_answers(form, answers)["characteristics"]
    except FormErrors as errors:
        raise InvalidFields(FieldError(error.pointer, error.code, error.message) for error in errors.errors) from None
    if checked == product.characteristics:
        raise InvalidFields([FieldError("/characteristics", "unchanged", "these are the values that it has")])
    new = {"characteristics": checked, "parts": {}}
    if faults := check_references(session, product.connection_id, form, new, only=wanted.characteristics):
        raise InvalidFields(faults)
    return checked


def _location(wanted: _Wanted, product: Product) -> Document | None:
    if wanted.location is None:
        return product.location
    if _told(wanted.location) == _told(product.location or {}):
        raise InvalidFields([FieldError("/location", "unchanged", "this is where it is")])
    return wanted.location


def _told(location: Document) -> Document:
    return {name: value for name, value in location.items() if value is not None}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _find(session: Session, connection_id: str, product_id: str) -> Product:
    query = select(Product).where(Product.connection_id == connection_id, Product.id == product_id)
    product = session.execute(query).scalar_one_or_none()
    if product is None:
        raise NotFound("product", product_id)
    return product


def _find_busy(session: Session, product_ids: Sequence[str]) -> dict[str, str]:
    """The number of the request that acts on each product, for those that one does."""
    rows = session.execute(
        select(InventoryOperation.product_id, ProviderTask.number)
        .join(ProviderTask, ProviderTask.order_id == InventoryOperation.order_id)
        .where(InventoryOperation.product_id.in_(product_ids), InventoryOperation.state == OperationState.SCHEDULED)
    )
    return {row.product_id: row.number for row in rows}


def _find_arriving(session: Session, order_id: str) -> str | None:
    """The number of the order, while it is not over: it may still be cancelled, with all that it brought."""
    query = select(CustomerOrder.number).where(CustomerOrder.id == order_id, CustomerOrder.state.not_in(_OVER))
    return session.execute(query).scalar_one_or_none()


def _find_manage_inventory(session: Session, connection_id: str) -> tuple[str, int]:
    """The item by which a consumer manages what it has: who is not entitled to it may look only."""
    published = (RemoteRecordProducerState.PUBLISHED, RemoteRecordProducerState.INACTIVE)
    query = (
        select(RemoteRecordProducer.identity, RemoteRecordProducer.revision)
        .join(Entitlement, Entitlement.identity == RemoteRecordProducer.identity)
        .where(Entitlement.connection_id == connection_id, Entitlement.entitled)
        .where(RemoteRecordProducer.kind == "inventory", RemoteRecordProducer.state.in_(published))
        .order_by(RemoteRecordProducer.revision.desc())
        .limit(1)
    )
    row = session.execute(query).first()
    if row is None:
        raise NotFound("catalog item", "to manage the inventory with")
    return row.identity, row.revision
