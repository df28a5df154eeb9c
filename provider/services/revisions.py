"""Revisions of remote record producers, beyond publishing: checked out, edited, archived, copied, deleted.

An Inactive revision goes on being ordered by consumers that have not switched, until it is archived or retired.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bridge.ids import new_id
from bridge.models import Connection
from bridge.outbox import record_event
from bridge.references import SINCE, asks_references
from bridge.versions import TASKS_VERSION, VERSION, WIRE_VERSION, is_enough
from bridge.vocabulary import EventType
from provider.domain.catalog import REMOTE_RECORD_PRODUCER_MOVES, CatalogState, RemoteRecordProducerState
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.domain.revisions import COPYABLE, ProducerAction, possible_actions, require_action, tell_differences
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer, Specification
from provider.services.audit import record_audit
from provider.services.entitlements import item_data, lock_guard, report_activation
from provider.services.item_telling import spoken_by, tell_otherwise
from provider.services.personas import told_personas
from provider.services.producers import TASK, list_revisions

_S = RemoteRecordProducerState
_KEPT = (
    *("kind", "name", "short_description", "category", "product_offering_id", "specification_id", "form"),
    *("persona_ids", "description", "help_text"),
)
EDITABLE = ("name", "short_description", "category", "compatibility", "description", "help_text")
_TOLD = (*EDITABLE, "form", "persona_ids")

Revisions = Sequence[RemoteRecordProducer]


def checkout_producer(session: Session, identity: str, actor: str, now: datetime) -> RemoteRecordProducer:
    """The next revision, as a draft like the published one, which stays; else like the newest retired one.

    Raises NotFound, or Conflict while there is a draft, and when what the item was made of is sold no more.
    """
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    draft = _check_out(session, revisions)
    record_audit(session, actor, "producer.checkout", _target(identity), now, {"revision": draft.revision})
    return draft


def edit_producer(
    session: Session, identity: str, changes: Mapping[str, str], actor: str, now: datetime
) -> RemoteRecordProducer:
    """Change the draft; of a published item without one a draft is checked out first. `changes` are of EDITABLE.

    Raises NotFound, InvalidFields, or Conflict when everything of this item is retired.
    """
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    require_action(_states(revisions), ProducerAction.EDIT)
    check_changes(changes, revisions[-1].kind, revisions[-1].form)
    draft = next((one for one in revisions if one.state == _S.DRAFT), None) or _check_out(session, revisions)
    for name, value in changes.items():
        setattr(draft, name, value.strip())
    session.flush()
    detail = {"revision": draft.revision, **changes}
    record_audit(session, actor, "producer.edit", _target(identity), now, detail)
    return draft


def cancel_draft(session: Session, identity: str, actor: str, now: datetime) -> RemoteRecordProducer:
    """Throw the draft away; the item is as it was before it. Returns its newest revision then. Raises Conflict."""
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    require_action(_states(revisions), ProducerAction.CANCEL_DRAFT)
    draft = next(one for one in revisions if one.state == _S.DRAFT)
    record_audit(session, actor, "producer.cancel_draft", _target(identity), now, {"revision": draft.revision})
    session.delete(draft)
    session.flush()
    return [one for one in revisions if one is not draft][-1]


def archive_revision(
    session: Session, identity: str, revision: int | str, actor: str, now: datetime
) -> RemoteRecordProducer:
    """End ordering of an Inactive revision, for consumers that have not switched too: they are told. Raises NotFound,
    IllegalMove.
    """
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    archived = _find(revisions, revision)
    archived.state = REMOTE_RECORD_PRODUCER_MOVES.move(_S(archived.state), _S.ARCHIVED)
    session.flush()
    record_audit(session, actor, "producer.archive", _target(identity), now, {"revision": archived.revision})
    _tell_what_is_left(session, revisions, now)
    return archived


def copy_revision(
    session: Session, identity: str, revision: int | str, actor: str, now: datetime
) -> RemoteRecordProducer:
    """An item of its own, as a draft. New versions of the offering stay with the item it was copied from."""
    lock_guard(session)
    original = _find(list_revisions(session, identity), revision)
    if original.kind == "inventory":
        raise Conflict("only_one", "there is one list of what a consumer has; it cannot be copied")
    if original.state not in COPYABLE:
        raise Conflict("not_copyable", "a draft cannot be copied; publish it first")
    _must_be_sold(session, original)
    copy = _like(original, identity=new_id(), revision=1)
    copy.copied_from = original.identity
    copy.name = f"{original.name} (copy)"[:200]
    session.add(copy)
    session.flush()
    detail = {"of": original.identity, "revision": original.revision}
    record_audit(session, actor, "producer.copy", _target(copy.identity), now, detail)
    return copy


def delete_producer(session: Session, identity: str, actor: str, now: datetime) -> None:
    """Forget a retired item with all its revisions, for ever. What was ordered of it goes on. Raises Conflict."""
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    require_action(_states(revisions), ProducerAction.DELETE)
    found = revisions[0].identity
    session.execute(delete(Entitlement).where(Entitlement.identity == found))
    session.execute(delete(RemoteRecordProducer).where(RemoteRecordProducer.identity == found))
    record_audit(session, actor, "producer.delete", _target(found), now, {"name": revisions[-1].name})


def accept_activation(
    session: Session, connection_id: str, identity: str, *, state: str, revision: int, now: datetime
) -> Entitlement:
    """What a consumer did with an item. As `report_activation`, and Conflict `version_too_old` or `revision_archived`
    for a revision that it may not activate.
    """
    entitlement = report_activation(session, connection_id, identity, state=state, revision=revision, now=now)
    if state == "active":
        producer = _find(list_revisions(session, identity), revision)
        if producer.state not in (_S.PUBLISHED, _S.INACTIVE):
            raise Conflict("revision_archived", f"revision {revision} is {producer.state}; activate the newest")
        spoken = spoken_by(session.get_one(Connection, connection_id).settings)
        if not is_enough(spoken, producer.compatibility):
            message = f"this item asks for version {producer.compatibility} of the exchange, and you speak {spoken}"
            raise Conflict("version_too_old", message, compatibility=producer.compatibility)
    return entitlement


def explain_revisions(revisions: Revisions) -> list[dict[str, Any]]:
    """For each revision, in their order: what may be done with it, and what differs from the one before."""
    before: list[RemoteRecordProducer | None] = [None, *revisions[:-1]]
    return [
        {
            "revision": one,
            "can_archive": one.state == _S.INACTIVE,
            "can_copy": one.state in COPYABLE and one.kind != "inventory",
            "differences": tell_differences(_told(former), _told(one)) if former else [],
        }
        for former, one in zip(before, revisions, strict=True)
    ]


def find_actions(revisions: Revisions) -> frozenset[ProducerAction]:
    """What may be done with the item as a whole. Revisions stand oldest first."""
    return possible_actions(_states(revisions))


def _check_out(session: Session, revisions: Revisions) -> RemoteRecordProducer:
    require_action(_states(revisions), ProducerAction.CHECKOUT)
    source = next((one for one in revisions if one.state == _S.PUBLISHED), revisions[-1])
    _must_be_sold(session, source)
    draft = _like(source, identity=source.identity, revision=revisions[-1].revision + 1)
    draft.copied_from, draft.criteria = source.copied_from, source.criteria
    session.add(draft)
    session.flush()
    return draft


def _like(source: RemoteRecordProducer, *, identity: str, revision: int) -> RemoteRecordProducer:
    kept = {name: getattr(source, name) for name in _KEPT}
    return RemoteRecordProducer(
        id=new_id(), identity=identity, revision=revision, state=_S.DRAFT, compatibility=source.compatibility, **kept
    )


def _must_be_sold(session: Session, producer: RemoteRecordProducer) -> None:
    if producer.specification_id is None:  # it is made of nothing that could be sold no more
        return
    offering = session.get(ProductOffering, producer.product_offering_id) if producer.product_offering_id else None
    origin = offering or session.get(Specification, producer.specification_id)
    if origin is not None and origin.lifecycle_state != CatalogState.PUBLISHED:
        message = f"{origin.name}, which it is made of, is {origin.lifecycle_state}; publish a new version of that"
        raise Conflict("origin_not_published", message)


def check_changes(changes: Mapping[str, str], kind: str, form: Mapping[str, Any] | None = None) -> None:
    """Of an item of this kind, with this form. Raises InvalidFields."""
    errors = []
    if not changes.get("name", "x").strip():
        errors.append(FieldError("/name", "required", "an item has a name"))
    asked = changes.get("compatibility")
    if asked is not None and not VERSION.fullmatch(asked.strip()):
        errors.append(FieldError("/compatibility", "format", "must be a version such as 1.0"))
    elif asked is not None and not is_enough(WIRE_VERSION, asked.strip()):
        message = f"this provider speaks {WIRE_VERSION} itself; no consumer could activate the item"
        errors.append(FieldError("/compatibility", "range", message))
    elif asked is not None and (why := _why_too_old(asked.strip(), kind, form)):
        errors.append(FieldError("/compatibility", "range", why))
    if errors:
        raise InvalidFields(errors)


def _why_too_old(version: str, kind: str, form: Mapping[str, Any] | None) -> str:
    """What consumers of this version would not know of the item; empty where they know all."""
    if kind == TASK and not is_enough(version, TASKS_VERSION):
        return f"older consumers than {TASKS_VERSION} do not know items whose requests need no order"
    if asks_references(form) and not is_enough(version, SINCE):
        return f"older consumers than {SINCE} do not know questions that ask for live choices"
    return ""


def _tell_what_is_left(session: Session, revisions: Revisions, now: datetime) -> None:
    """Those that are entitled learn which revisions can still be ordered; who used another has to activate anew."""
    left = [one.revision for one in revisions if one.state in (_S.PUBLISHED, _S.INACTIVE)]
    published = next(one for one in revisions if one.state == _S.PUBLISHED)
    of_item = (Entitlement.identity == published.identity, Entitlement.entitled)
    told = sorted(session.scalars(select(Entitlement.connection_id).where(*of_item)))
    session.execute(
        update(Entitlement)
        .where(*of_item, Entitlement.active_revision.not_in(left))
        .values(consumer_state="pending_activation", active_revision=None, updated_at=now)
    )
    data = item_data(published) | {"revisions": left} | told_personas(session, [published]).get(published.identity, {})
    for connection_ids, own in tell_otherwise(session, published, told):
        stream = f"catalog_item/{published.identity}"
        record_event(session, stream, EventType.CATALOG_ITEM_CHANGED, data | own, to=connection_ids, now=now)


def _find(revisions: Revisions, number: int | str) -> RemoteRecordProducer:
    found = next((one for one in revisions if str(one.revision) == str(number)), None)
    if found is None:
        raise NotFound("revision", str(number))
    return found


def _states(revisions: Revisions) -> list[RemoteRecordProducerState]:
    return [_S(one.state) for one in revisions]


def _told(producer: RemoteRecordProducer) -> dict[str, Any]:
    return {name: getattr(producer, name) for name in _TOLD}


def _target(identity: str) -> str:
    return f"catalog_item/{identity}"
