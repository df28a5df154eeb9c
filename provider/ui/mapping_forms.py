"""Forms of one consumer's words: a row for each of our states, rows of values for a pair of fields."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import flask
from wtforms import FieldList, FormField, HiddenField, SelectChoice, SelectField, StringField, ValidationError
from wtforms import Form as Rows
from wtforms.validators import InputRequired, Length

from bridge.field_maps import DIRECTIONS
from bridge.transforms import MEMBERS, VALUE_LIMIT
from bridge.web import Problem
from provider.domain.errors import Conflict
from provider.services.mappings import EXPECTED_TABLES
from webkit.forms import Form, strip
from webkit.site import Refusal
from webkit.words import in_words

Document = dict[str, Any]

BLANK_ROWS = 3
_CELLS = ("order_state_label", "state", "state_label")


class VersionedForm(Form):
    """Remembers what was in force when it was opened: of two people who change the same, the second is told."""

    version = HiddenField()

    def must_be_newest(self, shown: Mapping[str, Any]) -> None:
        """Raises Conflict."""
        if self.version.data != version_of(shown):
            message = "somebody has changed it since you opened this page; look at what is in force, then do it again"
            raise Conflict("changed_meanwhile", message)


class StatesForm(VersionedForm):
    """Its fields are named as pointers lead to them: `tables-order_state-rows-new-state`."""

    layout: Sequence[tuple[str, str, Mapping[str, str]]] = ()
    """Table, our state, and the names of the fields of its row."""

    def rows(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        """As `layout`, with the fields themselves."""
        return [
            (table, source, {cell: self[name] for cell, name in names.items()}) for table, source, names in self.layout
        ]

    def read(self) -> Document:
        """As `change_mapping` takes it."""
        tables: Document = {}
        for name, source, cells in self.rows():
            row = {cell: field.data or "" for cell, field in cells.items()}
            tables.setdefault(name, {"rows": {}})["rows"][source] = row
        return tables


def make_states_form(shown: Mapping[str, Any]) -> StatesForm:
    """With a row for every state, also for one that the tables in force do not have."""
    data: Document = {"version": version_of(shown)}
    layout, fields = [], {}
    for name, table in shown["tables"].items():
        expected = EXPECTED_TABLES[table["event_type"]]
        targets = [SelectChoice(target, in_words(target)) for target in sorted(expected.targets)]
        for source in [*table["rows"], *sorted(expected.sources - table["rows"].keys())]:
            names = {cell: f"tables-{name}-rows-{source}-{cell}" for cell in _CELLS}
            layout.append((name, source, names))
            for cell, full in names.items():
                fields[full] = _cell(cell, in_words(source), targets)
                data[full] = table["rows"].get(source, {}).get(cell)
    made: StatesForm = type("StatesForm", (StatesForm,), {**fields, "layout": layout})(data=data)
    return made


def version_of(shown: Mapping[str, Any]) -> str:
    return str(shown["version"] or "")


def _cell(name: str, source: str, targets: Sequence[SelectChoice]) -> Any:
    if name == "state":
        return SelectField(f"State of the task when {source}", choices=targets)
    whose = "Our state" if name == "order_state_label" else "Words for the task"
    return StringField(f"{whose} when {source}", [InputRequired("Some words.")], filters=[strip])


class ValueRow(Rows):  # type: ignore[misc]
    """One value and what it becomes; without either there is none."""

    value = StringField("Value", [Length(max=VALUE_LIMIT)], filters=[strip])
    becomes = StringField("Becomes", [Length(max=VALUE_LIMIT)], filters=[strip])


class ValuesForm(VersionedForm):
    """One table: `inbound` from their value to ours, `outbound` back."""

    inbound = FieldList(FormField(ValueRow))
    outbound = FieldList(FormField(ValueRow))
    table: Mapping[str, Any] = MappingProxyType({})
    """As it was before; empty for a new one."""
    known_name = ""

    def table_name(self) -> str:
        return self.known_name

    def ends(self) -> Document:
        """The pair of fields."""
        return {member: self.table[member] for member in MEMBERS[:4]}

    def put_into(self, shown: Mapping[str, Any]) -> Document:
        """This consumer's own tables with this one among them."""
        ways = {way: {row.value.data: row.becomes.data for row in self._told(way)} for way in DIRECTIONS}
        return {**shown["own"], self.table_name(): {**self.ends(), **{way: rows for way, rows in ways.items() if rows}}}

    def wants_rows(self) -> bool:
        """Whether the form was sent for more empty rows alone."""
        return "more" in flask.request.form

    def append_blank_rows(self) -> None:
        if not self.is_submitted() or self.wants_rows():
            for way in DIRECTIONS:
                for _ in range(BLANK_ROWS):
                    self[way].append_entry()

    def validate(self, extra_validators: Any = None) -> bool:
        # Both are always asked, so that all that is wrong is said at once.
        return all([super().validate(extra_validators), self._rows_are_whole()])

    def place(self, refusal: Refusal) -> None:
        """What is wrong with a row stands beside it, the rest above the form."""
        rest = [error for error in refusal.errors or () if not self._place_beside(error)]
        if rest or not refusal.errors:
            told = [{**error, "pointer": ""} for error in rest]
            super().place(Problem(refusal.status, "", refusal.title, refusal.detail, told or None))

    def _place_beside(self, error: Mapping[str, str]) -> bool:
        for way in DIRECTIONS:
            for row in self._told(way):
                if error["pointer"] == f"/transforms/{self.table_name()}/{way}/{row.value.data}":
                    is_of_value = error["message"].startswith(f"{row.value.data[:80]} is no ")
                    _add_error(row.value if is_of_value else row.becomes, error["message"])
                    return True
        return False

    def _rows_are_whole(self) -> bool:
        """Says beside each row what is wrong with it."""
        found = True
        for way in DIRECTIONS:
            counts = Counter(row.value.data for row in self._told(way))
            for row in self._told(way):
                wrong = [(field, "Both, or neither.") for field in (row.value, row.becomes) if not field.data]
                if row.value.data and counts[row.value.data] > 1:
                    wrong.append((row.value, "This value is here twice."))
                for field, message in wrong:
                    _add_error(field, message)
                found = found and not wrong
        return found

    def _told(self, way: str) -> list[Any]:
        """The rows in which something is written."""
        return [entry.form for entry in self[way] if entry.form.value.data or entry.form.becomes.data]


class NewValuesForm(ValuesForm):
    """A table for a pair of fields that had none: until then their words were the same."""

    name = StringField(
        "Name", [InputRequired("A table has a name."), Length(max=80)], filters=[strip],
        description="For our people, such as category.",
    )  # fmt: skip
    ours = SelectField("Our field")
    theirs = SelectField("Their field")
    taken: Collection[str] = ()

    def validate_name(self, field: StringField) -> None:
        if field.data in self.taken:
            raise ValidationError("There is a table of this name; change that one.")

    def table_name(self) -> str:
        return self.name.data or ""

    def ends(self) -> Document:
        found: Document = {}
        for side, field in (("provider", self.ours), ("consumer", self.theirs)):
            found[f"{side}_table"], _, found[f"{side}_field"] = (field.data or "").partition(".")
        return found


def make_values_form(name: str, shown: Mapping[str, Any]) -> ValuesForm:
    """Of a table that is in force."""
    table = shown["transforms"][name]
    rows = {
        way: [{"value": value, "becomes": becomes} for value, becomes in (table.get(way) or {}).items()]
        for way in DIRECTIONS
    }
    form = ValuesForm(data={"version": version_of(shown), **rows})
    form.known_name, form.table = name, table
    form.append_blank_rows()
    return form


def make_new_values_form(shown: Mapping[str, Any], ends: Mapping[str, Sequence[tuple[str, str]]]) -> NewValuesForm:
    """`ends` are the fields of each side, as `table.field` and label."""
    form = NewValuesForm(data={"version": version_of(shown)})
    form.ours.choices = [SelectChoice(*one) for one in ends["provider"]]
    form.theirs.choices = [SelectChoice(*one) for one in ends["consumer"]]
    form.taken = frozenset(shown["transforms"])
    form.append_blank_rows()
    return form


def _add_error(field: Any, message: str) -> None:
    field.errors = [*field.errors, message]
