"""What our people have done with the products we have. What the provider would refuse is refused here, before anything
is sent; it decides all the same.

`docs/wire.md`, section 4.3, has the rules.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from bridge.forms import FormError, FormErrors, check_answers
from bridge.ids import new_id
from consumer_sim.models import CatalogItem, Product, ProviderTask
from consumer_sim.services import numbers, requests
from consumer_sim.services.errors import ActionRefused, ItemNotOrderable, NotFound
from consumer_sim.services.order_answers import check_order

Document = Mapping[str, Any]

LABELS = {
    "suspend": "Suspend", "resume": "Resume", "disconnect": "Disconnect", "change": "Change", "move": "Move",
}  # fmt: skip
ACTIONS = tuple(LABELS)

_FROM = {
    "suspend": ("active",), "resume": ("suspended",), "disconnect": ("active", "suspended"),
    "change": ("active",), "move": ("active",),
}  # fmt: skip
"""The states in which a product may have it done."""
_WHOLE = {"suspend": ("active",), "resume": ("active",), "disconnect": ("active", "suspended"), "change": ("active",)}
"""The states that what it is part of must have; parts do not move alone."""
_LIVING = ("active", "suspended")
"""The states that parts which go along must have; those that are inactive stay behind."""
_OVER = ("completed", "cancelled")
_DEPTH_MOST = 32
_EMPTY: dict[str, Any] = {"variables": [], "parts": []}


@dataclass(frozen=True, slots=True)
class Tree:
    """A product, what it is part of from the nearest on, and its parts that are in use, parents first."""

    product: Product
    wholes: Sequence[Product]
    parts: Sequence[Product]


def request_action(
    session: Session, connection_id: str, product_id: str, action: str, answers: Document, requested_by: Document, *,
    now: datetime, request_id: str | None = None,
) -> ProviderTask:  # fmt: skip
    """Ask the provider to do it, once for each `request_id`. `answers` may hold `starts_at`, `ends_at`,
    `characteristics`, `location` and `note`.

    Raises NotFound, ActionRefused, FormErrors, ItemNotOrderable (Manage Inventory is not active), ConnectionNotUsable.
    """
    product = get_own(session, connection_id, product_id, lock=True)
    if request_id and (sent := session.get(ProviderTask, (connection_id, request_id))):
        return sent
    requests.must_be_usable(session, connection_id)
    item = get_manage_inventory(session, connection_id)
    check_allowed(session, product, action)
    wanted = check_wanted(session, product, action, answers, now)
    task = ProviderTask(
        connection_id=connection_id,
        id=request_id or new_id(),
        number=numbers.next_task_number(session, connection_id),
        revision=1,
        placeholder=False,
        catalog_item_id=item.id,
        action=action,
        product_id=product_id,
        request={"action": action, **wanted, "requested_by": dict(requested_by), "opened_at": requests.moment(now)},
        opened_at=now,
        updated_at=now,
        submission="waiting",
    )
    session.add(task)
    requests.send_create(session, task, now)
    return task


def was_asked(session: Session, connection_id: str, request_id: str) -> bool:
    """Whether a request of this id was sent already: it is what the same click makes again."""
    return session.get(ProviderTask, (connection_id, request_id)) is not None


def list_allowed(session: Session, product: Product) -> list[str]:
    """What may be asked for now, as far as we know."""
    tree, acting = read_tree(session, product), find_acting(session, product)
    return [] if acting else [action for action in ACTIONS if _obstacle(tree, action) is None]


def check_allowed(session: Session, product: Product, action: str) -> None:
    """Raise ActionRefused with the state that is in the way and what it allows, or with the request that is first."""
    tree = read_tree(session, product)
    first = find_acting(session, product)
    if first is not None:
        label = LABELS.get(first.action or "", "")
        raise ActionRefused(f"{first.number} ({label}) acts on {product.number} already; cancel it, or wait for it")
    if (why := _obstacle(tree, action)) is not None:
        raise ActionRefused(why)


def check_wanted(session: Session, product: Product, action: str, answers: Document, now: datetime) -> dict[str, Any]:
    """The answers in the words of the wire, without what the action does not take. Raises FormErrors."""
    errors: list[FormError] = []
    checked: dict[str, Any] = dict(_times(action, answers, now, errors))
    try:
        if action == "change":
            checked["characteristics"] = _characteristics(session, product, answers)
        if action == "move":
            checked["location"] = _location(product, answers)
        if note := check_order(_EMPTY, _only(answers, "note")).get("note"):
            checked["note"] = note
    except FormErrors as found:
        errors += found.errors
    if errors:
        raise FormErrors(errors)
    return checked


def get_change_form(session: Session, product: Product) -> dict[str, Any]:
    """The variables that can be changed. Raises ActionRefused where the provider does not tell which these are."""
    item = session.get(CatalogItem, (product.connection_id, product.catalog_item_id or ""))
    form: Document | None = (item.active_form or item.form) if item is not None else None
    for key in product.part or ():
        form = next((part for part in form["parts"] if part["key"] == key), None) if form else None
    if form is None or product.part is None:
        raise ActionRefused(f"it is not known here what can be changed about {product.number}")
    return {"variables": form["variables"], "parts": []}


def find_acting(session: Session, product: Product) -> ProviderTask | None:
    """Our own request that is not over and acts on the product, or on what it is part of or consists of."""
    tree = read_tree(session, product)
    alone, along = product.id, [one.id for one in (*tree.wholes, *tree.parts)]
    is_on = or_(
        ProviderTask.product_id == alone, (ProviderTask.product_id.in_(along)) & (ProviderTask.action != "change")
    )
    query = (
        select(ProviderTask)
        .where(ProviderTask.connection_id == product.connection_id, ProviderTask.product_id.in_([alone, *along]), is_on)
        .where(ProviderTask.submission.in_(("waiting", "accepted")))
        .where(or_(ProviderTask.order_state.is_(None), ProviderTask.order_state.not_in(_OVER)))
    )
    return session.scalars(query.order_by(ProviderTask.opened_at, ProviderTask.id).limit(1)).first()


def read_tree(session: Session, product: Product) -> Tree:
    """In one query: all that lies above and below came of one request."""
    query = select(Product).where(Product.connection_id == product.connection_id, Product.task_id == product.task_id)
    by_id = {one.id: one for one in session.scalars(query.order_by(Product.number))}
    wholes, whole = [], by_id.get(product.parent_id or "")
    while whole is not None and whole not in wholes:
        wholes.append(whole)
        whole = by_id.get(whole.parent_id or "")
    below: dict[str | None, list[Product]] = {}
    for one in by_id.values():
        below.setdefault(one.parent_id, []).append(one)
    return Tree(product, wholes, list(_below(below, product.id, depth=0)))


def get_own(session: Session, connection_id: str, product_id: str, *, lock: bool = False) -> Product:
    """Raises NotFound."""
    product = session.get(Product, (connection_id, product_id), with_for_update=lock or None)
    if product is None:
        raise NotFound("product", product_id)
    return product


def get_manage_inventory(session: Session, connection_id: str) -> CatalogItem:
    """The item by which we manage what we have. Raises ItemNotOrderable while it is not active here."""
    item = find_manage_inventory(session, connection_id)
    if item is None:
        raise ItemNotOrderable("Manage Inventory", "is not offered to us by this provider")
    if item.state != "active":
        raise ItemNotOrderable(item.id, "is not active here; an admin activates Manage Inventory at the items")
    return item


def find_manage_inventory(session: Session, connection_id: str) -> CatalogItem | None:
    """The same in any state; None while the provider offers none."""
    query = select(CatalogItem).where(CatalogItem.connection_id == connection_id, CatalogItem.kind == "inventory")
    return session.scalars(query.order_by(CatalogItem.id).limit(1)).first()


def _below(below: Mapping[str | None, Sequence[Product]], product_id: str, depth: int) -> Iterator[Product]:
    """What the provider tells cannot lead us astray: no chain is longer than there can be parts."""
    for part in below.get(product_id, ()) if depth < _DEPTH_MOST else ():
        if part.state != "inactive":
            yield part
            yield from _below(below, part.id, depth + 1)


def _obstacle(tree: Tree, action: str) -> str | None:
    """The first state that is in the way, in words."""
    product = tree.product
    if product.state not in _FROM[action]:
        return _refusal(product, action)
    for part in tree.parts if action != "change" else ():
        if part.state not in _LIVING:
            return _refusal(part, action, f"part of {product.number}")
    for whole in tree.wholes:
        if action == "move":
            return f"{product.number} is part of {whole.number}, and parts move with the whole only"
        if whole.state not in _WHOLE[action]:
            return _refusal(whole, action, f"what {product.number} is part of")
    return None


def _refusal(product: Product, action: str, what: str = "") -> str:
    allowed = [LABELS[one] for one in ACTIONS if product.state in _FROM[one]]
    can = f"possible is {' or '.join(allowed)}" if allowed else "nothing can be done with it now"
    aside = f" ({what})" if what else ""
    return f"{product.number}{aside} is {product.state_label}, so {LABELS[action]} is not possible; {can}"


def _times(action: str, answers: Document, now: datetime, errors: list[FormError]) -> Iterator[tuple[str, str]]:
    starts_at = _time(answers.get("starts_at"), "/starts_at", errors)
    ends_at = _time(answers.get("ends_at"), "/ends_at", errors) if action == "suspend" else None
    if ends_at and ends_at <= max(starts_at or now, now):
        errors.append(FormError("/ends_at", "range", "The end must be later than the beginning, and than now."))
    if starts_at and starts_at > now:
        yield "starts_at", requests.moment(starts_at)
    if ends_at:
        yield "ends_at", requests.moment(ends_at)


def _time(value: Any, pointer: str, errors: list[FormError]) -> datetime | None:
    """From a time, or the text of one; one without a zone is UTC, as forms tell it."""
    if value in (None, ""):
        return None
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        errors.append(FormError(pointer, "type", "This is not a time."))
        return None


def _characteristics(session: Session, product: Product, answers: Document) -> dict[str, Any]:
    """The answers that differ from what it has."""
    form, given = get_change_form(session, product), answers.get("characteristics") or {}
    checked = check_answers(form, {"characteristics": {**product.characteristics, **given}})["characteristics"]
    before = product.characteristics
    changed = {key: checked.get(key) for key in {**before, **checked} if checked.get(key) != before.get(key)}
    if not changed:
        raise FormErrors([FormError("", "unchanged", "Nothing would change: these are the values that it has.")])
    return changed


def _location(product: Product, answers: Document) -> dict[str, Any]:
    location: dict[str, Any] | None = check_order(_EMPTY, _only(answers, "location")).get("location")
    if location is None:
        raise FormErrors([FormError("/location/name", "required", "Where to?")])
    if _told(location) == _told(product.location or {}):
        raise FormErrors([FormError("/location/name", "unchanged", "This is where it is.")])
    return location


def _told(location: Document) -> dict[str, Any]:
    return {name: value for name, value in location.items() if value is not None}


def _only(answers: Document, name: str) -> dict[str, Any]:
    return {name: answers.get(name)}
