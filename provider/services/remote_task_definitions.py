"""Definitions of remote tasks: drafted, published to consumers, revised and retired by the rules of revisions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, aliased

from bridge.field_maps import (
    CONSUMER_TABLES,
    DIRECTIONS,
    PROVIDER_TABLES,
    Fault,
    complete_line,
    default_map,
    find_faults,
)
from bridge.ids import new_id
from bridge.models import Connection
from provider.domain.catalog import REMOTE_RECORD_PRODUCER_MOVES, RemoteRecordProducerState
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.domain.revisions import COPYABLE, ProducerAction, possible_actions, require_action
from provider.models.remote_tasks import RemoteTaskDefinition, RemoteTaskEntitlement
from provider.services.audit import record_audit
from provider.services.connections import as_id
from provider.services.criteria import check_criteria
from provider.services.entitlements import lock_guard
from provider.services.pages import Page, read_page
from provider.services.remote_task_entitlements import refresh_definitions, tell_definition
from provider.services.remote_task_stops import stop_tasks

_S = RemoteRecordProducerState
NOUN = "remote task definition"
SORTABLE = ("name", "state", "revision")
_KEPT = ("name", "description", "provider_table", "consumer_table", "lines")

Revisions = Sequence[RemoteTaskDefinition]


def list_definitions(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[RemoteTaskDefinition]:
    """All revisions of all definitions."""
    keys = [RemoteTaskDefinition.identity, RemoteTaskDefinition.revision]
    return read_page(session, select(RemoteTaskDefinition), keys, limit=limit, after=after)


def list_revisions(session: Session, identity: str, *, lock: bool = False) -> Revisions:
    """All revisions of a definition, oldest first. Raises NotFound."""
    query = (
        select(RemoteTaskDefinition)
        .where(RemoteTaskDefinition.identity == as_id(NOUN, identity))
        .order_by(RemoteTaskDefinition.revision)
    )
    revisions = session.scalars(query.with_for_update() if lock else query).all()
    if not revisions:
        raise NotFound(NOUN, identity)
    return revisions


def draft_definition(
    session: Session, content: Mapping[str, Any], *, actor: str, now: datetime
) -> RemoteTaskDefinition:
    """A new definition. Without lines it begins with comments both ways. Raises InvalidFields."""
    lock_guard(session)
    first = {"provider_table": next(iter(PROVIDER_TABLES)), "consumer_table": next(iter(CONSUMER_TABLES))}
    checked = _checked(session, {"description": "", **first, **default_map(), **content}, None)
    definition = RemoteTaskDefinition(id=new_id(), identity=new_id(), revision=1, state=_S.DRAFT, **checked)
    session.add(definition)
    session.flush()
    detail = {"name": definition.name}
    record_audit(session, actor, "remote_task_definition.draft", _target(definition.identity), now, detail)
    return definition


def edit_definition(
    session: Session, identity: str, changes: Mapping[str, Any], *, actor: str, now: datetime
) -> RemoteTaskDefinition:
    """Change the draft; what is published is checked out first. What `changes` do not name stays.

    Raises NotFound, InvalidFields, and Conflict without a draft.
    """
    lock_guard(session)
    draft = list_revisions(session, identity, lock=True)[-1]
    if draft.state != _S.DRAFT:
        raise Conflict("no_draft", "only a draft can be changed; check a new revision out first")
    present = {name: getattr(draft, name) for name in _KEPT if name != "lines"} | draft.lines
    for name, value in _checked(session, {**present, **changes}, draft.identity).items():
        setattr(draft, name, value)
    session.flush()
    detail = {"revision": draft.revision}
    record_audit(session, actor, "remote_task_definition.edit", _target(draft.identity), now, detail)
    return draft


def publish_definition(
    session: Session, identity: str, criteria: Mapping[str, Any], *, actor: str, now: datetime
) -> RemoteTaskDefinition:
    """Publish the draft, or change whom the published one is for; those entitled are told at once.

    Raises NotFound, InvalidFields (/criteria, or what is wrong with the map), and Conflict when nothing can be
    published.
    """
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    require_action(_states(revisions), ProducerAction.PUBLISH)
    audience = check_criteria(session, criteria)
    definition = revisions[-1]
    if definition.state == _S.DRAFT:
        _require_complete(session, definition)
        for former in (one for one in revisions if one.state == _S.PUBLISHED):
            _move(former, _S.INACTIVE)
        session.flush()  # two published revisions at once would violate the index
        definition.criteria, definition.published_at = audience, now
        _move(definition, _S.PUBLISHED)
    definition = next(one for one in revisions if one.state == _S.PUBLISHED)
    definition.criteria = audience
    session.flush()
    detail = {"revision": definition.revision, "criteria": audience}
    record_audit(session, actor, "remote_task_definition.publish", _target(definition.identity), now, detail)
    refresh_definitions(session, now, identity=definition.identity)
    return definition


def checkout_definition(session: Session, identity: str, *, actor: str, now: datetime) -> RemoteTaskDefinition:
    """The next revision, as a draft like the published one, which stays; else like the newest retired one. Raises
    NotFound, Conflict.
    """
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    require_action(_states(revisions), ProducerAction.CHECKOUT)
    source = next((one for one in revisions if one.state == _S.PUBLISHED), revisions[-1])
    draft = _like(source, identity=source.identity, revision=revisions[-1].revision + 1)
    draft.criteria = source.criteria
    session.add(draft)
    session.flush()
    detail = {"revision": draft.revision}
    record_audit(session, actor, "remote_task_definition.checkout", _target(draft.identity), now, detail)
    return draft


def cancel_draft(session: Session, identity: str, *, actor: str, now: datetime) -> RemoteTaskDefinition:
    """Throw the draft away. Returns the newest revision then. Raises NotFound, Conflict."""
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    require_action(_states(revisions), ProducerAction.CANCEL_DRAFT)
    session.delete(revisions[-1])
    session.flush()
    record_audit(session, actor, "remote_task_definition.cancel_draft", _target(revisions[-1].identity), now)
    return revisions[-2]


def archive_revision(
    session: Session, identity: str, revision: int | str, *, actor: str, now: datetime
) -> RemoteTaskDefinition:
    """End the use of an Inactive revision: its tasks stop, and consumers that have it active are told. Raises NotFound,
    IllegalMove.
    """
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    archived = _find(revisions, revision)
    _move(archived, _S.ARCHIVED)
    session.flush()
    record_audit(
        session, actor, "remote_task_definition.archive", _target(archived.identity), now,
        {"revision": archived.revision},
    )  # fmt: skip
    reason = f"Revision {archived.revision} of “{archived.name}” is archived; connect again with the newest."
    stop_tasks(session, archived.identity, reason, revision=archived.revision, now=now)
    tell_definition(session, archived.identity, now=now)
    return archived


def retire_definition(session: Session, identity: str, *, actor: str, now: datetime) -> RemoteTaskDefinition:
    """End the use of every revision but archived ones: consumers lose it, its tasks are disconnected, and no record is
    touched. Again is no news. Raises NotFound, and Conflict while a published one has a draft.
    """
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    newest = revisions[-1]
    if newest.state == _S.RETIRED:
        return newest
    require_action(_states(revisions), ProducerAction.RETIRE)
    for one in revisions:
        if one.state not in (_S.ARCHIVED, _S.RETIRED):
            _move(one, _S.RETIRED)
    session.flush()
    record_audit(session, actor, "remote_task_definition.retire", _target(newest.identity), now)
    refresh_definitions(session, now, identity=newest.identity)
    return newest


def copy_revision(
    session: Session, identity: str, revision: int | str, *, actor: str, now: datetime
) -> RemoteTaskDefinition:
    """A definition of its own, as a draft with a name of its own. Raises NotFound, Conflict."""
    lock_guard(session)
    original = _find(list_revisions(session, identity), revision)
    if original.state not in COPYABLE:
        raise Conflict("not_copyable", "a draft cannot be copied; publish it first")
    copy = _like(original, identity=new_id(), revision=1)
    copy.name = _free_name(session, original.name)
    session.add(copy)
    session.flush()
    detail = {"of": original.identity, "revision": original.revision}
    record_audit(session, actor, "remote_task_definition.copy", _target(copy.identity), now, detail)
    return copy


def delete_definition(session: Session, identity: str, *, actor: str, now: datetime) -> None:
    """Forget a retired definition with all its revisions. Its tasks stay, disconnected. Raises NotFound, Conflict."""
    lock_guard(session)
    revisions = list_revisions(session, identity, lock=True)
    require_action(_states(revisions), ProducerAction.DELETE)
    found = revisions[-1].identity
    reason = f"The definition “{revisions[-1].name}” is deleted."
    stop_tasks(session, found, reason, now=now)
    session.execute(delete(RemoteTaskEntitlement).where(RemoteTaskEntitlement.identity == found))
    session.execute(delete(RemoteTaskDefinition).where(RemoteTaskDefinition.identity == found))
    detail = {"name": revisions[-1].name}
    record_audit(session, actor, "remote_task_definition.delete", _target(found), now, detail)


def find_actions(revisions: Revisions) -> frozenset[ProducerAction]:
    """What may be done with a definition as a whole; it is changed in a draft only."""
    allowed = possible_actions(_states(revisions))
    return allowed if revisions[-1].state == _S.DRAFT else allowed - {ProducerAction.EDIT}


def show_definition(session: Session, identity: str) -> dict[str, Any]:
    """A definition with its revisions, newest first, what may be done with it, and what each consumer made of it."""
    oldest_first = list_revisions(session, identity)
    granted = (
        select(RemoteTaskEntitlement, Connection.name)
        .join(Connection, Connection.id == RemoteTaskEntitlement.connection_id)
        .where(RemoteTaskEntitlement.identity == oldest_first[0].identity, RemoteTaskEntitlement.entitled)
        .order_by(Connection.name)
    )
    return {
        "newest": oldest_first[-1],
        "published": next((one for one in oldest_first if one.state == _S.PUBLISHED), None),
        "revisions": explain_revisions(oldest_first)[::-1],
        "actions": find_actions(oldest_first),
        "entitlements": [{"row": row[0], "name": row[1]} for row in session.execute(granted)],
    }


def search_definitions(
    session: Session, *, text: str = "", state: str = "", sort: str = "name", descending: bool = False,
    offset: int = 0, limit: int = 25,
) -> tuple[list[RemoteTaskDefinition], int]:  # fmt: skip
    """One page of the definitions that match, each by its newest revision, and how many match in all."""
    newest = select(func.max(RemoteTaskDefinition.revision)).where(
        RemoteTaskDefinition.identity == (one := aliased(RemoteTaskDefinition)).identity
    )
    conditions: list[Any] = [one.revision == newest.correlate(one).scalar_subquery()]
    if state:
        conditions.append(one.state == state)
    if text:
        conditions.append(one.name.icontains(text, autoescape=True))
    total = session.scalar(select(func.count()).select_from(one).where(*conditions)) or 0
    key = getattr(one, sort)
    ordered = select(one).where(*conditions).order_by(key.desc() if descending else key, one.name, one.identity)
    return list(session.scalars(ordered.offset(offset).limit(limit))), total


def explain_revisions(revisions: Revisions) -> list[dict[str, Any]]:
    """For each revision, in their order, what may be done with it."""
    return [
        {"revision": one, "can_archive": one.state == _S.INACTIVE, "can_copy": one.state in COPYABLE}
        for one in revisions
    ]


def _checked(session: Session, content: Mapping[str, Any], identity: str | None) -> dict[str, Any]:
    """The content as columns. Raises InvalidFields with every fault."""
    faults = list(_name_faults(session, content, identity))
    for name, known in (("provider_table", PROVIDER_TABLES), ("consumer_table", CONSUMER_TABLES)):
        if content[name] not in known:
            faults.append(FieldError(f"/{name}", "unknown", f"one of {', '.join(known)}"))
    lines = {direction: [complete_line(line) for line in content[direction]] for direction in DIRECTIONS}
    if not faults:
        found = find_faults(lines, content["provider_table"], content["consumer_table"])
        faults += [FieldError(_pointer(fault), fault.code, _named(lines, fault)) for fault in found]
    if faults:
        raise InvalidFields(faults)
    kept = {name: content[name] for name in _KEPT if name != "lines"}
    return kept | {"name": content["name"].strip(), "lines": lines}


def _pointer(fault: Fault) -> str:
    return "".join(f"/{step}" for step in fault.place)


def _named(lines: Mapping[str, Any], fault: Fault) -> str:
    """The message with the line that it is about, for people who see many lines at once."""
    if len(fault.place) < 2:
        return fault.message
    return f"{lines[str(fault.place[0])][fault.place[1]]['label']}: {fault.message}"


def _name_faults(session: Session, content: Mapping[str, Any], identity: str | None) -> list[FieldError]:
    name = str(content.get("name") or "").strip()
    if not name:
        return [FieldError("/name", "required", "a definition has a name")]
    same = select(RemoteTaskDefinition.identity).where(
        func.lower(RemoteTaskDefinition.name) == name.lower(), RemoteTaskDefinition.state != _S.RETIRED
    )
    if identity is not None:
        same = same.where(RemoteTaskDefinition.identity != identity)
    if session.scalars(same.limit(1)).first() is not None:
        return [FieldError("/name", "duplicate", "another definition has this name")]
    return []


def _require_complete(session: Session, definition: RemoteTaskDefinition) -> None:
    """It was right when it was written; another may have taken its name since. Raises InvalidFields, Conflict."""
    content = {name: getattr(definition, name) for name in _KEPT if name != "lines"} | definition.lines
    _checked(session, content, definition.identity)
    if not any(line["active"] for direction in DIRECTIONS for line in definition.lines[direction]):
        raise Conflict("incomplete", "no line is active: this definition would let nothing cross")


def _free_name(session: Session, name: str) -> str:
    taken = {one.lower() for one in session.scalars(select(RemoteTaskDefinition.name))}
    names = (f"{name[:100]} (copy{f' {count}' if count > 1 else ''})" for count in range(1, len(taken) + 2))
    return next(one for one in names if one.lower() not in taken)


def _like(source: RemoteTaskDefinition, *, identity: str, revision: int) -> RemoteTaskDefinition:
    kept = {name: getattr(source, name) for name in _KEPT}
    return RemoteTaskDefinition(id=new_id(), identity=identity, revision=revision, state=_S.DRAFT, **kept)


def _move(definition: RemoteTaskDefinition, wanted: _S) -> None:
    definition.state = REMOTE_RECORD_PRODUCER_MOVES.move(_S(definition.state), wanted)


def _find(revisions: Revisions, number: int | str) -> RemoteTaskDefinition:
    found = next((one for one in revisions if str(one.revision) == str(number)), None)
    if found is None:
        raise NotFound("revision", str(number))
    return found


def _states(revisions: Revisions) -> list[RemoteRecordProducerState]:
    return [_S(one.state) for one in revisions]


def _target(identity: str) -> str:
    return f"remote_task_definition/{identity}"
