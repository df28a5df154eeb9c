"""Definitions of live choices, and the lists that people keep for them."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.orm import Session

from bridge.database import insert_into
from bridge.ids import new_id
from bridge.models import Connection, table_of
from bridge.references import REFERENCE
from bridge.schemas import UNSAFE_TEXT
from bridge.vocabulary import ConnectionState
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.domain.remote_choices import (
    CONSUMER,
    LIST,
    OWN_COLUMNS,
    ROWS_LIMIT,
    TEXT_LIMIT,
    choice_faults,
    columns_of,
    definition_faults,
)
from provider.models.catalog import RemoteRecordProducer, Specification
from provider.models.choices import ChoiceDefinition, ChoiceRow
from provider.services.audit import record_audit
from provider.services.pages import Page, read_page

Document = dict[str, Any]

FIELDS = ("description", "columns", "base_filter", "display_field", "info_fields")
"""What can be changed; name and source stay, for forms and their answers rely on them."""
SORTABLE = ("name", "source", "changed")
FAULTS_LIMIT = 100
_LIVING = (
    RemoteRecordProducerState.DRAFT, RemoteRecordProducerState.PUBLISHED, RemoteRecordProducerState.INACTIVE,
)  # fmt: skip


def list_definitions(session: Session, *, limit: int, after: Sequence[Any] | None) -> Page[ChoiceDefinition]:
    """By name."""
    return read_page(session, select(ChoiceDefinition), [ChoiceDefinition.name], limit=limit, after=after)


def search_definitions(
    session: Session, *, text: str = "", source: str = "", sort: str = "name", descending: bool = False,
    offset: int = 0, limit: int = 25,
) -> tuple[list[ChoiceDefinition], int]:  # fmt: skip
    """One page of those that match, and how many there are."""
    query = select(ChoiceDefinition)
    if text:
        columns = (ChoiceDefinition.name, ChoiceDefinition.description)
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in columns)))
    if source:
        query = query.where(ChoiceDefinition.source == source)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    named = func.lower(ChoiceDefinition.name)
    key: Any = {"name": named, "source": ChoiceDefinition.source, "changed": ChoiceDefinition.updated_at}[sort]
    query = query.order_by(key.desc() if descending else key.asc(), named).offset(offset).limit(limit)
    return list(session.scalars(query)), total


def get_definition(session: Session, name: str, *, lock: bool = False) -> ChoiceDefinition:
    """Raises NotFound."""
    query = select(ChoiceDefinition).where(ChoiceDefinition.name == name)
    found = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise NotFound("choice definition", name[:80])
    return found


def show_definition(session: Session, name: str) -> Document:
    """With its first rows, how many there are, and the items whose forms use it. Raises NotFound."""
    definition = get_definition(session, name)
    query = select(ChoiceRow, Connection.name).outerjoin(Connection, Connection.id == ChoiceRow.connection_id)
    mine = ChoiceRow.definition_id == definition.id
    rows = session.execute(query.where(mine).order_by(ChoiceRow.position).limit(20)).all()
    return {
        "definition": definition,
        "columns": columns_of(definition.source, definition.columns),
        "row_count": session.scalar(select(func.count()).select_from(ChoiceRow).where(mine)) or 0,
        "rows": [
            {"value": row.value, "display": row.display, "extra": row.extra, "consumer": name} for row, name in rows
        ],
        "used_by": find_uses(session, name),
    }


def create_definition(session: Session, said: Mapping[str, Any], actor: str, now: datetime) -> ChoiceDefinition:
    """Raises InvalidFields, and Conflict `choice_definition_exists`."""
    faults = list(definition_faults(said))
    if faults:
        raise InvalidFields(faults)
    values = {name: said[name] for name in ("name", "source", *FIELDS)}
    row = {"id": new_id(), "created_at": now, "updated_at": now, **values}
    statement = insert_into(session, ChoiceDefinition).values(row).on_conflict_do_nothing(index_elements=["name"])
    if session.execute(statement.returning(ChoiceDefinition.id)).first() is None:
        raise Conflict("choice_definition_exists", f"there is a definition {said['name']} already")
    record_audit(session, actor, "choice_definition.create", f"choice_definition/{said['name']}", now, values)
    return session.get_one(ChoiceDefinition, row["id"])


def edit_definition(
    session: Session, name: str, said: Mapping[str, Any], actor: str, now: datetime
) -> ChoiceDefinition:
    """What is not said stays. Raises NotFound, InvalidFields, and Conflict where forms use a column that would go."""
    definition = get_definition(session, name, lock=True)
    after = {key: getattr(definition, key) for key in ("name", "source", *FIELDS)} | dict(said)
    faults = list(definition_faults(after))
    if faults:
        raise InvalidFields(faults)
    gone = set(definition.columns) - set(after["columns"])
    if gone and (users := find_uses(session, name)):
        message = f"the forms of {', '.join(users)} use it: {', '.join(sorted(gone))} has to stay"
        raise Conflict("choice_definition_used", message)
    for key in FIELDS:
        setattr(definition, key, after[key])
    definition.updated_at = now
    record_audit(session, actor, "choice_definition.edit", f"choice_definition/{name}", now, dict(said))
    session.flush()
    return definition


def delete_definition(session: Session, name: str, actor: str, now: datetime) -> None:
    """With its rows. Raises NotFound, and Conflict `choice_definition_used` while a form uses it."""
    definition = get_definition(session, name, lock=True)
    if users := find_uses(session, name):
        raise Conflict("choice_definition_used", f"the forms of {', '.join(users)} use it", items=users)
    session.execute(delete(ChoiceRow).where(ChoiceRow.definition_id == definition.id))
    session.delete(definition)
    record_audit(session, actor, "choice_definition.delete", f"choice_definition/{name}", now)


def replace_rows(session: Session, name: str, rows: Sequence[Mapping[str, Any]], actor: str, now: datetime) -> int:
    """All rows of a list at once: `value`, `display`, perhaps `consumer` (the name, prefix or id of a connection that
    alone sees the row), and its columns. Returns how many there are. Raises NotFound, InvalidFields (/rows/n/...).
    """
    definition = get_definition(session, name, lock=True)
    if definition.source != LIST:
        raise Conflict("not_a_list", f"the rows of {name} come from our records and are not uploaded")
    if len(rows) > ROWS_LIMIT:
        raise InvalidFields([FieldError("/rows", "too_many", f"at most {ROWS_LIMIT} rows")])
    consumers = _read_consumers(session, rows)
    faults = list(_row_faults(definition, rows, consumers))
    if faults:
        raise InvalidFields(faults[:FAULTS_LIMIT])
    session.execute(delete(ChoiceRow).where(ChoiceRow.definition_id == definition.id))
    made = [
        {
            "id": new_id(),
            "definition_id": definition.id,
            "position": position,
            "value": row["value"],
            "display": row.get("display") or row["value"],
            "extra": {column: row[column] for column in definition.columns if row.get(column)},
            "connection_id": consumers.get(str(row.get(CONSUMER) or "").lower()),
        }
        for position, row in enumerate(rows, start=1)
    ]
    if made:
        session.execute(insert(table_of(ChoiceRow)), made)
    definition.updated_at = now
    record_audit(session, actor, "choice_definition.rows", f"choice_definition/{name}", now, {"rows": len(made)})
    return len(made)


def read_csv(text: str) -> list[Document]:
    """Rows of a table with a head, for `replace_rows`; the separator is a comma, a semicolon or a tab.

    Raises InvalidFields (/rows).
    """
    head = text.split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text.strip()), delimiter=separator, restkey="", strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InvalidFields([FieldError("/rows", "format", f"line {reader.line_num}: {error}")]) from None
    if not rows:
        message = "a first line with the columns, one of which is value, and a line for each row"
        raise InvalidFields([FieldError("/rows", "required", message)])
    return [{str(name).strip(): (text or "").strip() for name, text in row.items() if name} for row in rows]


def find_uses(session: Session, name: str) -> list[str]:
    """The names of items, and specifications in work, whose forms ask for choices of this definition."""
    producers = select(RemoteRecordProducer.name, RemoteRecordProducer.form)
    producers = producers.where(RemoteRecordProducer.state.in_(_LIVING))
    specifications = select(Specification.name, Specification.characteristics)
    specifications = specifications.where(Specification.lifecycle_state.in_(("in_draft", "published")))
    rows = [*session.execute(producers), *session.execute(specifications)]
    return sorted({title for title, document in rows if name in _definitions_in(document)})


def reference_faults(session: Session, variables: Sequence[Mapping[str, Any]], pointer: str) -> Iterator[FieldError]:
    """What is wrong with the references among the variables of one container, at their places below the pointer."""
    for index, variable in enumerate(variables):
        if variable["type"] != REFERENCE:
            continue
        below, choice = f"{pointer}/{index}/choice", variable.get("choice")
        named = choice.get("definition") if isinstance(choice, Mapping) else None
        query = select(ChoiceDefinition).where(ChoiceDefinition.name == named)
        query = query.with_for_update(read=True)  # nobody deletes or changes it before the form is there
        definition = session.scalars(query).one_or_none() if isinstance(named, str) else None
        if definition is None or not isinstance(choice, Mapping):
            yield FieldError(f"{below}/definition", "unknown", f"there is no choice definition {named or ''}".strip())
            continue
        others = [one["key"] for one in variables if one is not variable]
        yield from choice_faults(choice, columns_of(definition.source, definition.columns), others, below)


def _definitions_in(document: Any) -> set[str]:
    """The names of all definitions that a form, or a list of characteristics, asks for."""
    found: set[str] = set()
    pending = [document]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            choice = one.get("choice")
            if one.get("type") == REFERENCE and isinstance(choice, dict):
                found.add(str(choice.get("definition")))
            pending += one.values()
        elif isinstance(one, list):
            pending += one
    return found


def _read_consumers(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """Ids of connections by all that they may be called by, in lower case; None where several are called so."""
    if not any(row.get(CONSUMER) for row in rows):
        return {}
    found: dict[str, str | None] = {}
    query = select(Connection.id, Connection.name, Connection.number_prefix)
    for one in session.execute(query.where(Connection.state != ConnectionState.REVOKED)):
        for text in {one.id, one.name.lower(), (one.number_prefix or one.id).lower()}:
            found[text] = None if text in found else one.id
    return found


def _text_faults(row: Mapping[str, Any], known: Sequence[str], pointer: str) -> Iterator[FieldError]:
    for name, text in row.items():
        if name not in known:
            yield FieldError(f"{pointer}/{name[:TEXT_LIMIT]}", "unknown", f"the columns are {', '.join(known)}")
        elif text is not None and (not isinstance(text, str) or len(text) > TEXT_LIMIT):
            yield FieldError(f"{pointer}/{name}", "type", f"a text of at most {TEXT_LIMIT} characters")
        elif text and UNSAFE_TEXT.search(text):
            yield FieldError(f"{pointer}/{name}", "unsafe_text", "a text without control characters")


def _row_faults(
    definition: ChoiceDefinition, rows: Sequence[Mapping[str, Any]], consumers: Mapping[str, str | None]
) -> Iterator[FieldError]:
    known = (*OWN_COLUMNS, CONSUMER, *definition.columns)
    seen: dict[str, set[str]] = {}
    for index, row in enumerate(rows):
        pointer = f"/rows/{index}"
        yield from _text_faults(row, known, pointer)
        if not isinstance(row.get("value"), str) or not row["value"]:
            yield FieldError(f"{pointer}/value", "required", "a row has a value")
            continue
        called = str(row.get(CONSUMER) or "").lower()
        whose = consumers.get(called) or called
        if called and consumers.get(called) is None:
            yield FieldError(f"{pointer}/{CONSUMER}", "unknown", f"no one consumer is called {row[CONSUMER]}")
        theirs = seen.setdefault(row["value"], set())
        if whose in theirs or (theirs and "" in {whose, *theirs}):  # a row of nobody's is seen by everybody
            yield FieldError(f"{pointer}/value", "duplicate", f"{row['value']} stands there already")
        theirs.add(whose)
