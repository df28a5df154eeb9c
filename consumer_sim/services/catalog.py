"""What may be ordered here: the items a provider offers us, and what our people made of each.

A new revision of an active item waits for its activation; until then the active revision goes on being ordered.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from bridge.envelope import Event
from bridge.inbox import Rejection
from bridge.outbox import record_call
from bridge.versions import WIRE_VERSION, is_enough
from bridge.vocabulary import EXCHANGE_PATH, EventType
from consumer_sim.models import ITEM_KINDS, CatalogItem, ProviderConnection
from consumer_sim.services import fields, forms, personas, writing
from consumer_sim.services.errors import ItemNotOrderable, NotFound

_RULES: Mapping[str, fields.Rules] = {
    EventType.CATALOG_ITEM_CHANGED: {
        "item_id": fields.uuid,
        "revision": fields.number_from(1),
        "name": fields.text(255),
        "short_description": fields.text(10_000, least=0),
        "category": fields.text(255, least=0),
        "kind": fields.choice(*ITEM_KINDS),
        "form": forms.well_formed,
        "orderable": fields.or_null(fields.boolean),
        "prices": fields.or_null(fields.documents),
        "personas": fields.or_null(personas.well_formed),
        "compatibility": fields.or_null(fields.text(20)),
        "description": fields.or_null(fields.text(10_000, least=0)),
        "help_text": fields.or_null(fields.text(10_000, least=0)),
        "revisions": fields.or_null(forms.list_of(fields.number_from(1))),
    },
    EventType.CATALOG_ITEM_REMOVED: {"item_id": fields.uuid, "reason": fields.text(40)},
}
_RECORD: Mapping[str, str] = dict.fromkeys(_RULES, "item_id")
_COLUMNS = tuple(column.name for column in CatalogItem.__table__.columns)


class CatalogItemHandler:
    """Keeps each item as the events of the batch leave it, in three statements, and one call more for each item
    activated at once.
    """

    def check(self, session: Session, connection_id: str, events: Sequence[Event]) -> Mapping[str, Rejection]:
        return fields.rejections(events, _RULES, _RECORD)

    def apply(self, session: Session, connection_id: str, events: Sequence[Event], now: datetime) -> None:
        auto = session.scalar(
            select(ProviderConnection.auto_activate).where(ProviderConnection.connection_id == connection_id)
        )
        ids = {event.data["item_id"] for event in events}
        table = CatalogItem.__table__
        mine = select(table).where(table.c.connection_id == connection_id, table.c.id.in_(ids)).order_by(table.c.id)
        # Locked, for whole rows are written: our people may be activating an item at this moment.
        known = session.execute(mine.with_for_update()).mappings()
        before = {row["id"]: dict(row) for row in known}
        after = dict(before)
        for event in events:
            item_id = event.data["item_id"]
            row = (
                _changed(after.get(item_id), event.data, bool(auto))
                if "form" in event.data
                else _removed(after.get(item_id), event.data)
            )
            if row is not None:
                after[item_id] = row | {"connection_id": connection_id, "id": item_id, "updated_at": now}
        changed = [after[item_id] for item_id in sorted(after)]
        for row in changed:
            if row["state"] == "active" and row["active_revision"] != before.get(row["id"], {}).get("active_revision"):
                row["activation"], row["activation_problem"] = "waiting", None
                _report(session, connection_id, row["id"], "active", row["active_revision"], now)
        personas.keep_personas(session, connection_id, [event.data.get("personas") for event in events], now)
        writing.upsert(
            session, CatalogItem, changed, [name for name in _COLUMNS if name not in ("connection_id", "id")]
        )


def get_item(session: Session, item_id: str, *, connection_id: str | None = None, lock: bool = False) -> CatalogItem:
    """Raises NotFound. `connection_id` says which, where two providers use one id."""
    query = select(CatalogItem).where(CatalogItem.id == item_id).order_by(CatalogItem.connection_id).limit(1)
    if connection_id is not None:
        query = query.where(CatalogItem.connection_id == connection_id)
    item = session.scalars(query.with_for_update() if lock else query).first()
    if item is None:
        raise NotFound("catalog item", item_id)
    return item


def list_items(
    session: Session, *, connection_id: str | None = None, after: str | None, limit: int
) -> tuple[list[CatalogItem], str | None]:
    """All items ever offered and still known, removed ones included; of one connection, if one is named.

    Two connections may offer the same item, so the cursor `{item}_{connection}` names both.
    """
    query = select(CatalogItem).order_by(CatalogItem.id, CatalogItem.connection_id).limit(limit + 1)
    if connection_id is not None:
        query = query.where(CatalogItem.connection_id == connection_id)
    if after is not None:
        item_id, of_connection = after.split("_")
        later = and_(CatalogItem.id == item_id, CatalogItem.connection_id > of_connection)
        query = query.where(or_(CatalogItem.id > item_id, later))
    found = list(session.scalars(query))
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], f"{last.id}_{last.connection_id}" if last else None


def activate_item(session: Session, item: CatalogItem, *, now: datetime) -> None:
    """Open the newest revision for ordering and tell the provider. Raises ItemNotOrderable for a removed item, and for
    one that asks for a newer version of the exchange than ours.
    """
    _must_be_offered(item)
    if not can_use(item):
        raise ItemNotOrderable(
            item.id, f"asks for version {item.compatibility}, and this instance speaks {WIRE_VERSION}"
        )
    item.state, item.active_revision, item.active_form = "active", item.revision, item.form
    item.active_personas = item.personas
    _tell(session, item, "active", item.revision, now)


def can_use(item: CatalogItem) -> bool:
    """Whether the newest revision asks for nothing that we do not speak."""
    return is_enough(WIRE_VERSION, item.compatibility or WIRE_VERSION)


def deactivate_item(session: Session, item: CatalogItem, *, now: datetime) -> None:
    """Close the item for ordering and tell the provider; open requests go on. Raises ItemNotOrderable for a removed
    item.
    """
    _must_be_offered(item)
    item.state = "inactive"
    _tell(session, item, "inactive", item.active_revision or item.revision, now)


def get_orderable_form(item: CatalogItem) -> tuple[int, dict[str, Any]]:
    """The revision to order and its form. Raises ItemNotOrderable with the reason."""
    _must_be_offered(item)
    if item.state != "active" or item.active_revision is None or item.active_form is None:
        raise ItemNotOrderable(item.id, "is not active here")
    if not item.orderable:
        raise ItemNotOrderable(item.id, "cannot be ordered at the moment")
    return item.active_revision, item.active_form


def settle_activation(session: Session, connection_id: str, item_id: str, problem: str | None) -> None:
    """The provider's answer to our last word on the state of an item."""
    item = session.get(CatalogItem, (connection_id, item_id))
    if item is not None:
        item.activation, item.activation_problem = ("refused" if problem else "accepted"), problem


def _must_be_offered(item: CatalogItem) -> None:
    if item.state == "removed":
        raise ItemNotOrderable(item.id, f"is no longer offered ({item.removed_reason})")


def _tell(session: Session, item: CatalogItem, state: str, revision: int, now: datetime) -> None:
    item.activation, item.activation_problem, item.updated_at = "waiting", None, now
    _report(session, item.connection_id, item.id, state, revision, now)


def _report(session: Session, connection_id: str, item_id: str, state: str, revision: int, now: datetime) -> None:
    target = f"POST {EXCHANGE_PATH}/catalog-items/{item_id}/activation"
    body = {"state": state, "revision": revision}
    record_call(session, f"catalog_item/{item_id}", "activation", target, body, to=connection_id, now=now)


def _changed(row: dict[str, Any] | None, data: Mapping[str, Any], auto: bool) -> dict[str, Any]:
    told = {name: data[name] for name in ("revision", "name", "short_description", "category", "kind", "form")}
    told |= {"orderable": data.get("orderable") is not False, "prices": data.get("prices"), "removed_reason": None}
    told |= {"compatibility": data.get("compatibility"), "personas": data.get("personas") or None}
    told |= {name: data.get(name) or "" for name in ("description", "help_text")}
    told["form"] = forms.keep_secrets(data["form"], *((row["form"], row["active_form"]) if row else ()))
    if row is None or row["state"] in ("removed", "pending_activation") or _has_lost_its_revision(row, data):
        row = _blank(row) | {"state": "pending_activation", "active_revision": None, "active_form": None}
        row |= {"active_personas": None}
    speaks = is_enough(WIRE_VERSION, told["compatibility"] or WIRE_VERSION)
    activate = auto and speaks and row["state"] != "inactive"
    if activate or (row["state"] == "active" and row["active_revision"] == data["revision"]):
        told |= {"state": "active", "active_revision": data["revision"], "active_form": told["form"]}
        told |= {"active_personas": told["personas"]}
    return row | told


def _has_lost_its_revision(row: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """The revision that is ordered here was archived: `revisions` are those that still can be."""
    left = data.get("revisions")
    return row["state"] == "active" and left is not None and row["active_revision"] not in left


def _blank(row: dict[str, Any] | None) -> dict[str, Any]:
    return row or {"activation": None, "activation_problem": None}


def _removed(row: dict[str, Any] | None, data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The form stays: a rejected request about the item may still be corrected. An item never seen leaves nothing."""
    return row and row | {"state": "removed", "removed_reason": data["reason"]}
