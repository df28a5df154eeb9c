"""Items that people write by hand: made, and given a form question by question. Their requests need no order."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.attachments import AttachmentLimits
from bridge.ids import new_id
from bridge.versions import WIRE_VERSION
from provider.domain.authored_forms import complete_form, new_form
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.errors import Conflict, InvalidFields
from provider.models.catalog import RemoteRecordProducer
from provider.services.audit import record_audit
from provider.services.choice_definitions import reference_faults
from provider.services.entitlements import lock_guard
from provider.services.producers import TASK
from provider.services.revisions import EDITABLE, check_changes, edit_producer

Form = Mapping[str, Any]

_DEFAULT_LIMITS = AttachmentLimits()


def author_producer(
    session: Session, facts: Mapping[str, Any], actor: str, now: datetime, limits: AttachmentLimits = _DEFAULT_LIMITS
) -> RemoteRecordProducer:
    """A draft of a new item. `facts` are of EDITABLE, perhaps with `form`, whose questions for files lie within
    `limits`. Raises InvalidFields.
    """
    lock_guard(session)
    told = {name: str(facts[name]).strip() for name in EDITABLE if name in facts}
    check_changes({"name": "", **told}, TASK)
    producer = RemoteRecordProducer(
        id=new_id(),
        identity=new_id(),
        revision=1,
        state=RemoteRecordProducerState.DRAFT,
        kind=TASK,
        form=_checked(session, facts["form"], limits) if facts.get("form") else new_form(),
        **{"short_description": "", "category": "", "compatibility": WIRE_VERSION, **told},
    )
    session.add(producer)
    session.flush()
    record_audit(session, actor, "producer.author", f"catalog_item/{producer.identity}", now, {"name": producer.name})
    return producer


def change_form(
    session: Session, identity: str, change: Callable[[Form], Form], actor: str, now: datetime,
    limits: AttachmentLimits = _DEFAULT_LIMITS,
) -> RemoteRecordProducer:  # fmt: skip
    """Let `change` make another form of the draft's; of a published item a draft is checked out first.

    Raises NotFound, InvalidFields, or Conflict when everything of this item is retired, and for one that was not
    written by hand: what it asks comes from the catalog.
    """
    draft = edit_producer(session, identity, {}, actor, now)
    if draft.kind != TASK:
        raise Conflict("form_of_catalog", "what this item asks comes from the catalog; change it there")
    draft.form = _checked(session, change(draft.form), limits)
    session.flush()
    record_audit(session, actor, "producer.form", f"catalog_item/{identity}", now, {"revision": draft.revision})
    return draft


def replace_form(
    session: Session, identity: str, form: Form, actor: str, now: datetime, limits: AttachmentLimits = _DEFAULT_LIMITS
) -> RemoteRecordProducer:
    """As `change_form`, with a form that was written as a whole."""
    return change_form(session, identity, lambda _: form, actor, now, limits)


def _checked(session: Session, form: Form, limits: AttachmentLimits) -> dict[str, Any]:
    """The whole form, whose references lead to choices that there are. Raises InvalidFields."""
    made = complete_form(form, limits)
    faults = list(reference_faults(session, made["variables"], "/variables"))
    for index, one in enumerate(made["sets"]):
        faults += reference_faults(session, one["variables"], f"/sets/{index}/variables")
    if faults:
        raise InvalidFields(faults)
    return made
