"""What one consumer may choose now, and whether what it chose can be chosen still. No consumer sees another's rows."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, func, or_, select
from sqlalchemy.orm import Session

from bridge.models import Connection
from bridge.references import Reference, depended_on, find_reference, find_references
from provider.domain.catalog import RemoteRecordProducerState
from provider.domain.contracts import ContractState
from provider.domain.errors import FieldError, InvalidFields, NotFound
from provider.domain.remote_choices import SOURCES, columns_of
from provider.models.access import Registration
from provider.models.catalog import Entitlement, ProductOffering, RemoteRecordProducer, Specification
from provider.models.choices import ChoiceDefinition, ChoiceRow
from provider.models.contracts import Contract
from provider.models.inventory import Product
from provider.models.orders import OrderLine
from provider.services.criteria import ACCOUNT, held_by

Document = dict[str, Any]
Query = Select[*tuple[Any, ...]]

MAX_AGE_S = 30
"""How long a consumer may show what it was told without asking again; what is submitted is checked anew."""
_ORDERABLE = (RemoteRecordProducerState.PUBLISHED, RemoteRecordProducerState.INACTIVE)


@dataclass(frozen=True, slots=True)
class Found:
    """Some rows, `{"value", "display", "info"}` each. `more`: there are others, which a search would find."""

    items: list[Document]
    more: bool


def find_choices(
    session: Session, connection_id: str, item_id: str, revision: int, pointer: str, *, search: str = "",
    depends_on: str = "", limit: int = 50,
) -> Found:  # fmt: skip
    """What can be chosen for a variable of an item's form that this connection may order, by display.

    `pointer` is that of the answer, `depends_on` the answer that the variable depends on. Raises NotFound (catalog
    item), InvalidFields (/variable).
    """
    variable = find_reference(_get_form(session, connection_id, item_id, revision), pointer)
    if variable is None:
        raise InvalidFields([FieldError("/variable", "unknown", "this form has no such variable with live choices")])
    if variable["choice"].get("depends_on") and not depends_on:
        return Found([], more=False)
    rows = _Rows.of(session, connection_id, variable["choice"], depends_on)
    found = session.execute(rows.searched(search).limit(limit + 1)).all() if rows else ()
    items = [{"value": row[0], "display": row[1], "info": ", ".join(map(str, filter(None, row[2:])))} for row in found]
    return Found(items[:limit], more=len(items) > limit)


def check_references(
    session: Session, connection_id: str, form: Mapping[str, Any], answers: Mapping[str, Any],
    *, only: Collection[str] | None = None,
) -> list[FieldError]:  # fmt: skip
    """What was chosen and is not there any more, or is called otherwise by now. The answers fit the form. With `only`,
    by key, what was not chosen anew stays as it is, unless it depends on what was.
    """
    found = find_references(form, answers)
    asked = found if only is None else (one for one in found if _keys_of(one.variable) & set(only))
    return list(_reference_faults(session, connection_id, asked))


def _keys_of(variable: Mapping[str, Any]) -> set[str]:
    """Its own, and that of the variable that it depends on."""
    return {variable["key"], (variable["choice"].get("depends_on") or {}).get("variable", variable["key"])}


def _reference_faults(session: Session, connection_id: str, chosen: Iterable[Reference]) -> Iterator[FieldError]:
    for one in chosen:
        label, depends_on = one.variable["label"], depended_on(one.variable, one.beside)
        rows = None if depends_on == "" else _Rows.of(session, connection_id, one.variable["choice"], depends_on or "")
        found = session.execute(rows.with_value(one.answer["value"])).first() if rows else None
        if found is None:
            message = f"{label}: {one.answer['display']} cannot be chosen any more; choose again"
            yield FieldError(one.pointer, "not_offered", message)
        elif found[1] != one.answer["display"]:
            yield FieldError(one.pointer, "changed", f"{label} is called {found[1]} now; choose it again")


def _get_form(session: Session, connection_id: str, item_id: str, revision: int) -> Mapping[str, Any]:
    """Of a revision that this connection may order. Raises NotFound."""
    query = (
        select(RemoteRecordProducer.form)
        .join(Entitlement, Entitlement.identity == RemoteRecordProducer.identity)
        .where(Entitlement.connection_id == connection_id, Entitlement.entitled)
        .where(RemoteRecordProducer.identity == item_id, RemoteRecordProducer.revision == revision)
        .where(RemoteRecordProducer.state.in_(_ORDERABLE))
    )
    form: Mapping[str, Any] | None = session.scalars(query).one_or_none()
    if form is None:
        raise NotFound("catalog item", item_id)
    return form


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that a variable may be answered with: value, display, and what is told beside it."""

    query: Query
    value: ColumnElement[str]
    display: ColumnElement[str]
    infos: tuple[ColumnElement[str], ...]

    @classmethod
    def of(cls, session: Session, connection_id: str, choice: Mapping[str, Any], depends_on: str) -> "_Rows | None":
        """None where the definition is gone."""
        definition = session.scalars(
            select(ChoiceDefinition).where(ChoiceDefinition.name == choice["definition"])
        ).one_or_none()
        if definition is None:
            return None
        table = _READ[definition.source](session, connection_id, definition).subquery()
        known = columns_of(definition.source, definition.columns)

        def column(name: str) -> ColumnElement[str]:
            return cast(table.c[name], String) if name in table.c else table.c.extra[name].as_string()

        value = column(SOURCES[definition.source].value)
        display = func.coalesce(func.nullif(column(choice.get("display_field") or definition.display_field), ""), value)
        infos = tuple(column(name) for name in choice.get("info_fields") or definition.info_fields if name in known)
        wanted = [*definition.base_filter.items(), *(choice.get("qualifier") or {}).items()]
        if choice.get("depends_on"):
            wanted.append((choice["depends_on"]["field"], [depends_on]))
        query = select(value, display, *infos).where(*(column(name).in_(values) for name, values in wanted))
        return cls(query, value, display, infos)

    def searched(self, text: str) -> Query:
        """Those with the text in value, display or beside it, by display."""
        fits = or_(*(one.icontains(text, autoescape=True) for one in (self.value, self.display, *self.infos)))
        query = self.query.where(fits) if text else self.query
        return query.order_by(func.lower(self.display), self.value)

    def with_value(self, value: str) -> Query:
        return self.query.where(self.value == value).limit(1)


def _products(session: Session, connection_id: str, definition: ChoiceDefinition) -> Query:
    return (
        select(
            Product.number, Product.name, Product.state, Product.location_name.label("location"),
            ProductOffering.external_id.label("offering"), Specification.external_id.label("specification"),
        )
        .join(OrderLine, OrderLine.id == Product.order_line_id)
        .join(Specification, Specification.id == Product.specification_id)
        .outerjoin(ProductOffering, ProductOffering.id == OrderLine.product_offering_id)
        .where(Product.connection_id == connection_id)
    )  # fmt: skip


def _locations(session: Session, connection_id: str, definition: ChoiceDefinition) -> Query:
    named = Product.location_name.label("name")
    return select(named).where(Product.connection_id == connection_id, Product.location_name.is_not(None)).distinct()


def _contracts(session: Session, connection_id: str, definition: ChoiceDefinition) -> Query:
    account = Connection.settings[ACCOUNT].as_string().label("account")
    query = select(Registration.company, account).select_from(Connection)
    query = query.outerjoin(Registration, Registration.connection_id == Connection.id)
    asked = session.execute(query.where(Connection.id == connection_id)).one()
    companies, accounts = ([one] if one else [] for one in asked)
    return select(Contract.number, Contract.name, Contract.starts_on, Contract.ends_on).where(
        Contract.state == ContractState.ACTIVE, held_by([connection_id], companies, accounts)
    )


def _offerings(session: Session, connection_id: str, definition: ChoiceDefinition) -> Query:
    return (
        select(ProductOffering.external_id.label("offering"), RemoteRecordProducer.name, RemoteRecordProducer.category)
        .join(RemoteRecordProducer, RemoteRecordProducer.product_offering_id == ProductOffering.id)
        .join(Entitlement, Entitlement.identity == RemoteRecordProducer.identity)
        .where(Entitlement.connection_id == connection_id, Entitlement.entitled)
        .where(RemoteRecordProducer.state == RemoteRecordProducerState.PUBLISHED)
    )


def _list(session: Session, connection_id: str, definition: ChoiceDefinition) -> Query:
    whose = or_(ChoiceRow.connection_id.is_(None), ChoiceRow.connection_id == connection_id)
    return select(ChoiceRow.value, ChoiceRow.display, ChoiceRow.extra).where(
        ChoiceRow.definition_id == definition.id, whose
    )


_READ: Mapping[str, Callable[[Session, str, ChoiceDefinition], Query]] = {
    "products": _products,
    "locations": _locations,
    "contracts": _contracts,
    "offerings": _offerings,
    "list": _list,
}
