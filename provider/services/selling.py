"""Selling offerings over the exchange: what stands in the way, and the version of one that is sold there."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from provider.domain.catalog import (
    CHANNEL_NAME,
    SERVICE_EXCHANGE,
    CatalogState,
    RemoteRecordProducerState,
    generates_remote_record_producer,
)
from provider.domain.errors import Conflict, NotFound
from provider.models.catalog import ProductOffering, RemoteRecordProducer
from provider.services.audit import record_audit
from provider.services.catalog_export import export_offering
from provider.services.catalog_import import import_catalog
from provider.services.catalog_references import version_order
from provider.services.connections import as_id
from provider.services.entitlements import lock_guard


def find_sold(versions: Iterable[ProductOffering]) -> ProductOffering | None:
    """The newest of these versions that is published and sold over the exchange."""
    sold = [row for row in versions if row.lifecycle_state == CatalogState.PUBLISHED and _is_sold(row)]
    return max(sold, key=lambda row: version_order(row.version), default=None)


def list_unsold(session: Session, *, limit: int) -> Sequence[ProductOffering]:
    """Published offerings that never had an item for consumers, by name."""
    has_item = exists().where(RemoteRecordProducer.product_offering_id == ProductOffering.id)
    query = select(ProductOffering).where(ProductOffering.lifecycle_state == CatalogState.PUBLISHED, ~has_item)
    return session.scalars(query.order_by(ProductOffering.name, ProductOffering.version).limit(limit)).all()


def find_draft_item(session: Session, offering: ProductOffering) -> RemoteRecordProducer | None:
    """The item for consumers that was drafted when the offering was published, while it waits for people."""
    mine = RemoteRecordProducer.product_offering_id == offering.id
    draft = RemoteRecordProducer.state == RemoteRecordProducerState.DRAFT
    return session.scalars(select(RemoteRecordProducer).where(mine, draft)).first()


def sell_offering(session: Session, offering_id: str, actor: str, now: datetime) -> ProductOffering:
    """The offering as it is sold over the exchange: a draft itself, of what is published the next version, published.

    Raises NotFound, Conflict for one that is sold there already, or is retired, and what `import_catalog` raises.
    """
    lock_guard(session)
    row = session.get(ProductOffering, as_id("product offering", offering_id), with_for_update=True)
    if row is None:
        raise NotFound("product offering", offering_id)
    versions = session.scalars(select(ProductOffering).where(ProductOffering.external_id == row.external_id)).all()
    if _is_sold(row) or find_sold(versions):
        raise Conflict("sold_already", f"{row.name} is sold over the {CHANNEL_NAME} already")
    if row.lifecycle_state == CatalogState.IN_DRAFT:
        row.channels, row.sellable = sorted({*row.channels, SERVICE_EXCHANGE}), True
        record_audit(session, actor, "offering.sell", f"product_offering/{row.id}", now)
        return row
    if row.lifecycle_state != CatalogState.PUBLISHED:
        raise Conflict("not_published", f"{row.name} is {row.lifecycle_state}; it cannot be sold any more")
    return _next_version(session, row, versions, actor, now)


def _next_version(
    session: Session, row: ProductOffering, versions: Sequence[ProductOffering], actor: str, now: datetime
) -> ProductOffering:
    document = export_offering(session, row)
    (entry,) = document["productOffering"]
    entry["version"] = next_version(row.version for row in versions)
    entry["isSellable"] = True
    entry["channel"].append({"id": SERVICE_EXCHANGE})
    import_catalog(session, document, now, actor)
    made = select(ProductOffering).where(ProductOffering.external_id == row.external_id)
    return session.scalars(made.where(ProductOffering.version == entry["version"])).one()


def next_version(versions: Iterable[str]) -> str:
    """The newest of these with its last number counted on: 1.10 after 1.9 and 1.2."""
    newest = max(versions, key=version_order)
    head, dot, last = newest.rpartition(".")
    return f"{head}{dot}{int(last) + 1}" if last.isdecimal() else f"{newest}.1"


def _is_sold(row: ProductOffering) -> bool:
    return generates_remote_record_producer(channels=row.channels, sellable=row.sellable)
