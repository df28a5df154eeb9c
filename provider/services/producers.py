"""Remote record producers: drafted for what is published in the catalog, published to consumers by people."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bridge.envelope import render_data
from bridge.ids import new_id
from bridge.references import SINCE, asks_references
from bridge.versions import FIRST_VERSION
from bridge.vocabulary import EVENT_LIMIT_BYTES
from provider.domain.authored_forms import why_not_published
from provider.domain.catalog import REMOTE_RECORD_PRODUCER_MOVES, RemoteRecordProducerState
from provider.domain.errors import Conflict, NotFound
from provider.domain.revisions import ProducerAction, require_action
from provider.models.catalog import ProductOffering, RemoteRecordProducer, Specification
from provider.services.audit import record_audit
from provider.services.connections import as_id
from provider.services.criteria import check_criteria
from provider.services.entitlements import forget_kept, item_data, lock_guard, refresh_entitlements
from provider.services.pages import Page, read_page
from provider.services.personas import told_personas

_S = RemoteRecordProducerState
TASK = "task"
"""The kind of an item that was written by hand."""
_ROOM_BYTES = 32 * 1024
"""For prices, and for words that mappings and personas are given later."""


def list_producers(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[RemoteRecordProducer]:
    """All revisions of all items."""
    keys = [RemoteRecordProducer.identity, RemoteRecordProducer.revision]
    return read_page(session, select(RemoteRecordProducer), keys, limit=limit, after=after)


def list_revisions(session: Session, identity: str, *, lock: bool = False) -> Sequence[RemoteRecordProducer]:
    """All revisions of an item, oldest first. Raises NotFound."""
    query = (
        select(RemoteRecordProducer)
        .where(RemoteRecordProducer.identity == as_id("remote record producer", identity))
        .order_by(RemoteRecordProducer.revision)
    )
    revisions = session.execute(query.with_for_update() if lock else query).scalars().all()
    if not revisions:
        raise NotFound("remote record producer", identity)
    return revisions


def draft_producer(
    session: Session, specification: Specification, offering: ProductOffering | None, form: dict[str, Any]
) -> RemoteRecordProducer:
    """The next revision, as a draft that replaces an older draft. A new version keeps the former one's identity."""
    lock_guard(session)
    identity = _former_identity(session, specification, offering)
    newest = select(func.max(RemoteRecordProducer.revision)).where(RemoteRecordProducer.identity == identity)
    old_draft = select(RemoteRecordProducer).where(
        RemoteRecordProducer.identity == identity, RemoteRecordProducer.state == _S.DRAFT
    )
    for draft in session.execute(old_draft).scalars():
        _move(draft, _S.RETIRED)
    source = offering or specification
    producer = RemoteRecordProducer(
        id=new_id(),
        identity=identity or new_id(),
        revision=(session.execute(newest).scalar_one() or 0) + 1,
        state=_S.DRAFT,
        kind="product" if offering else "service",
        name=source.name,
        short_description=_first_sentence(source.description),
        category=offering.category if offering else "",
        product_offering_id=offering.id if offering else None,
        specification_id=specification.id,
        form=form,
        persona_ids=_former_personas(session, identity),
        compatibility=SINCE if asks_references(form) else FIRST_VERSION,
    )
    session.add(producer)
    _draft_inventory_item(session)
    session.flush()
    return producer


def _draft_inventory_item(session: Session) -> None:
    """The one item that lists what a consumer has: drafted with the first other item, and anew once it is retired."""
    query = select(RemoteRecordProducer).where(RemoteRecordProducer.kind == "inventory")
    former = session.execute(query.order_by(RemoteRecordProducer.revision)).scalars().all()
    if former and former[-1].state not in (_S.ARCHIVED, _S.RETIRED):
        return
    session.add(
        RemoteRecordProducer(
            id=new_id(),
            identity=former[-1].identity if former else new_id(),
            revision=len(former) + 1,
            state=_S.DRAFT,
            kind="inventory",
            name="Manage Inventory",
            short_description="What you have, by location",
            category="Inventory",
            form={"variables": [], "parts": []},
        )
    )


def publish_producer(
    session: Session, identity: str, criteria: Mapping[str, Any], actor: str, now: datetime
) -> RemoteRecordProducer:
    """Publish the draft, or change the audience of what is published; those entitled are told at once.

    Raises NotFound, InvalidFields (/criteria), or Conflict when everything of this item is retired, and for a form that
    was written by hand and lacks something.
    """
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    audience = check_criteria(session, criteria)
    drafts, published = _in_state(revisions, _S.DRAFT), _in_state(revisions, _S.PUBLISHED)
    if not drafts and not published:
        raise Conflict("nothing_to_publish", "all revisions of this item are retired; publish a new version")
    if drafts:
        _check_complete(session, drafts[-1])
        for former in published:
            _move(former, _S.INACTIVE)
        session.flush()  # two published revisions at once would violate the index
        _move(drafts[-1], _S.PUBLISHED)
        drafts[-1].published_at = now
    producer = drafts[-1] if drafts else published[-1]
    is_new = producer.criteria != audience
    producer.criteria = audience
    session.flush()
    if is_new:
        forget_kept(session, producer.identity)
    detail = {"revision": producer.revision, "criteria": audience}
    record_audit(session, actor, "producer.publish", f"catalog_item/{identity}", now, detail)
    refresh_entitlements(session, now, identity=producer.identity)
    return producer


def retire_producer(session: Session, identity: str, actor: str, now: datetime) -> RemoteRecordProducer:
    """End ordering: every revision but archived ones retires and consumers are told. Open orders and products go on.

    Raises NotFound, or Conflict while a published item has a draft.
    """
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    if revisions[-1].state != _S.RETIRED:  # again is no news
        require_action([_S(one.state) for one in revisions], ProducerAction.RETIRE)
    retire_revisions(session, revisions, actor, now)
    return revisions[-1]


def retire_revisions(session: Session, revisions: Sequence[RemoteRecordProducer], actor: str, now: datetime) -> None:
    """Retire these revisions, which may be some of several items. The caller holds the guard."""
    living = [producer for producer in revisions if producer.state not in (_S.ARCHIVED, _S.RETIRED)]
    for producer in living:
        _move(producer, _S.RETIRED)
    session.flush()
    for identity in sorted({producer.identity for producer in living}):
        record_audit(session, actor, "producer.retire", f"catalog_item/{identity}", now)
        refresh_entitlements(session, now, identity=identity)


def _check_complete(session: Session, producer: RemoteRecordProducer) -> None:
    """What could not be told to anybody would be tried again for ever, and keep all that comes after it waiting."""
    if producer.kind == TASK and (lacking := why_not_published(producer.form)):
        raise Conflict("form_incomplete", " ".join(lacking))
    told = told_personas(session, [producer]).get(producer.identity, {})
    if len(told.get("personas", ())) < len(producer.persona_ids):
        raise Conflict("persona_gone", "it asks for a persona that is deleted by now: choose its personas anew")
    data = item_data(producer) | told
    if len(render_data(data).encode()) > EVENT_LIMIT_BYTES - _ROOM_BYTES:
        raise Conflict("item_too_large", "it is too large to be told to consumers: shorten texts, or ask less")


def _in_state(revisions: Sequence[RemoteRecordProducer], state: _S) -> list[RemoteRecordProducer]:
    return [producer for producer in revisions if producer.state == state]


def _move(producer: RemoteRecordProducer, wanted: _S) -> None:
    current = next(state for state in _S if state == producer.state)
    producer.state = REMOTE_RECORD_PRODUCER_MOVES.move(current, wanted)


def _former_identity(session: Session, specification: Specification, offering: ProductOffering | None) -> str | None:
    query = select(RemoteRecordProducer.identity).order_by(RemoteRecordProducer.revision.desc()).limit(1)
    query = query.where(RemoteRecordProducer.copied_from.is_(None))
    if offering is not None:
        same = RemoteRecordProducer.product_offering_id == ProductOffering.id
        query = query.join(ProductOffering, same).where(ProductOffering.external_id == offering.external_id)
    else:
        same = RemoteRecordProducer.specification_id == Specification.id
        query = query.join(Specification, same).where(
            Specification.external_id == specification.external_id, RemoteRecordProducer.kind == "service"
        )
    return session.execute(query).scalar_one_or_none()


def _former_personas(session: Session, identity: str | None) -> list[Any]:
    """A new version of what is sold does not open an item to everybody."""
    former = select(RemoteRecordProducer.persona_ids).where(RemoteRecordProducer.identity == identity)
    return session.scalar(former.order_by(RemoteRecordProducer.revision.desc()).limit(1)) or []


def _first_sentence(text: str) -> str:
    return text.split(". ", maxsplit=1)[0][:500].rstrip(".") if text else ""
