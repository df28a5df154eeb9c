"""The shipped mapping is the documented one, letter for letter; a wrong table is refused with file, line and reason."""

from pathlib import Path

import pytest

import mappings
from bridge.mapping import Expectation, MappingErrors, MappingHole, Tables, load_tables
from provider.domain.orders import ORDER_MOVES, OrderState
from provider.domain.provider_tasks import PROVIDER_TASK_MOVES, ProviderTaskState

SHIPPED = Path(mappings.__file__).parent
TYPE = "exchange.provider_task.state_changed"
EXPECTED = {TYPE: Expectation("order_state", set(OrderState), set(ProviderTaskState))}

# "Order state mapping" of "Order Management for providers with Service Exchange", verbatim.
DOCUMENTED = """
| Draft | Received |
| Submitted | Received |
| Enrichment in progress | Received |
| Enrichment on hold | Received |
| New | Received |
| Acknowledged | Work in Progress |
| Scheduled | Work in Progress |
| Rejected | Awaiting info |
| In progress | Work in progress |
| Revision in progress | Received |
| Awaiting information | Awaiting info |
| On hold | Awaiting info |
| Assessing cancellation | Cancelled |
| Cancellation in progress | Work in Progress |
| Cancelled | Cancelled |
| Completed | Closed |
"""
ROWS = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in DOCUMENTED.strip().splitlines()]

SMALL = """\
version: 1
event_type: exchange.test.changed
source_field: light
rows:
  red:   {light_label: Red,   state: stop, state_label: Stop}
  green: {light_label: Green, state: go,   state_label: Go}
"""
GREEN_ROW = "{light_label: Green, state: go,   state_label: Go}"
SMALL_EXPECTED = {"exchange.test.changed": Expectation("light", {"red", "green"}, {"stop", "go"})}


@pytest.fixture(scope="module")
def shipped() -> Tables:
    return load_tables(SHIPPED, expected=EXPECTED)


def load(directory: Path, text: str | bytes, name: str = "light.yaml") -> Tables:
    (directory / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_tables(directory, expected=SMALL_EXPECTED)


def refusals(directory: Path, text: str | bytes) -> list[str]:
    with pytest.raises(MappingErrors) as refused:
        load(directory, text)
    return str(refused.value).splitlines()


def key(label: str) -> str:
    return label.lower().replace(" ", "_")


@pytest.mark.parametrize(("order_label", "task_label"), ROWS)
def test_each_documented_row_is_shipped_verbatim(shipped, order_label, task_label):
    assert shipped.apply(TYPE, {"order_state": key(order_label)}) == {
        "order_state": key(order_label),
        "order_state_label": order_label,
        "state": key(task_label),
        "state_label": task_label,
    }


def test_the_documented_rows_and_the_order_states_cover_each_other(shipped):
    assert [key(label) for label, _ in ROWS] == list(OrderState)
    assert [label for label, _ in ROWS] == [state.label for state in OrderState]
    assert list(shipped.tables[TYPE].rows) == list(OrderState)


def test_the_mapping_reaches_every_task_state_but_resolved(shipped):
    shown = {row["state"] for row in shipped.tables[TYPE].rows.values()}
    assert set(ProviderTaskState) - shown == {ProviderTaskState.RESOLVED}


@pytest.mark.parametrize(("current", "wanted"), [(a, b) for a in OrderState for b in ORDER_MOVES.legal(a)])
def test_a_provider_task_can_follow_every_move_of_its_order(shipped, current, wanted):
    before, after = (ProviderTaskState(shipped.tables[TYPE].rows[state]["state"]) for state in (current, wanted))
    assert PROVIDER_TASK_MOVES.move(before, after) is after


def test_a_provider_task_repeats_a_state_only_where_the_mapping_does(shipped):
    shown = {state: shipped.tables[TYPE].rows[state]["state"] for state in OrderState}
    repeated = {shown[a] for a in OrderState for b in ORDER_MOVES.legal(a) if shown[a] == shown[b]}
    assert repeated == {state for state in ProviderTaskState if state in PROVIDER_TASK_MOVES.legal(state)}


def test_the_other_fields_of_an_event_stay_and_the_given_data_too(shipped):
    data = {"order_state": "draft", "number": "ORD0001042"}
    assert shipped.apply(TYPE, data)["number"] == "ORD0001042"
    assert data == {"order_state": "draft", "number": "ORD0001042"}


def test_an_event_without_a_table_passes_unchanged_as_a_copy(shipped):
    data = {"order_state": "draft"}
    passed = shipped.apply("exchange.product.changed", data)
    assert passed == data
    assert passed is not data


@pytest.mark.parametrize("data", [{"order_state": "lost"}, {"order_state": None}, {"order_state": ["draft"]}, {}])
def test_a_value_without_a_row_is_a_hole_that_names_table_and_value(shipped, data):
    with pytest.raises(MappingHole) as hole:
        shipped.apply(TYPE, data)
    assert (hole.value.table, hole.value.value) == ("order_state", data.get("order_state"))


def test_tables_survive_their_keeping_as_json(shipped):
    kept = Tables.from_json(shipped.to_json())
    assert kept == shipped
    assert kept.to_json() == shipped.to_json()


def test_the_smallest_table_loads(tmp_path):
    assert load(tmp_path, SMALL).apply("exchange.test.changed", {"light": "red"})["state"] == "stop"


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("version: 1\n", "version: 2\n", 1, "version must be 1"),
        ("version: 1\n", "", 1, "the table has no version"),
        ("version: 1\n", "version: [1]\n", 1, "version must be 1"),
        (".changed", ".chagned", 2, "exchange.test.chagned is no event_type; did you mean exchange.test.changed?"),
        ("source_field: light", "source_field: lihgt", 3, "lihgt is no source_field; did you mean light?"),
        ("rows:", "row:", 4, "row is no member of the table; did you mean rows?"),
        ("  green:", "  red:  ", 6, "red is here a second time, first on line 5"),
        ("  green:", "  grene:", 6, "grene is no row; did you mean green?"),
        ("  green:", "  # n:  ", 5, "the row green is missing"),
        ("state: go,", "state: goo,", 6, "goo is no state; did you mean go?"),
        ("state: go,", "state: xx,", 6, "xx is no state; there are go, stop"),
        ("state: go,", "", 6, "the row green has no state"),
        ("state: go,", "state: 5,", 6, "state must be text; put it in quotes if it is"),
        ("state: go,", "state: [go],", 6, "state must be text; put it in quotes if it is"),
        ("state: go,", "state: '',", 6, "state must not be empty"),
        ("state: go,", "state: go, state: stop,", 6, "state is here a second time, first on line 6"),
        ("state_label: Go}", "state_label: No}", 6, "state_label must be text; put it in quotes if it is"),
        ("state_label: Go}", "stat_label: Go}", 6, "the row green has no state_label"),
        (GREEN_ROW, "go", 6, "the row green must be written as {light_label: ..., state: ..., state_label: ...}"),
        ("state_label: Go}", "state_label: Go", 7, "this is not YAML: expected ',' or '}', but got '<stream end>'"),
        ("  green:", "\tgreen:", 6, "this is not YAML: found character '\\t' that cannot start any token"),
        ("Red", "\udcff", 5, "the file is not UTF-8 text"),
        (SMALL, "", 1, "the file must hold version, event_type, source_field, rows"),
        (SMALL, "- red\n", 1, "the file must hold version, event_type, source_field, rows"),
        (SMALL, SMALL + "---\n" + SMALL, 7, "this is not YAML: but found another document"),
        (SMALL[SMALL.index("rows:") :], "rows: 5\n", 4, "rows must hold one row for each source key"),
    ],
)
def test_a_mutated_table_is_refused_with_file_line_and_reason(tmp_path, old, new, line, reason):
    assert old in SMALL
    mutated = SMALL.replace(old, new, 1).encode(errors="surrogateescape")
    assert f"light.yaml:{line}: {reason}" in refusals(tmp_path, mutated)


def test_all_mistakes_of_a_file_are_told_at_once_in_the_order_of_its_lines(tmp_path):
    wrong = SMALL.replace("version: 1", "version: 3").replace("stop", "halt").replace("light_label: Green, ", "")
    assert refusals(tmp_path, wrong) == [
        "light.yaml:1: version must be 1",
        "light.yaml:5: halt is no state; there are go, stop",
        "light.yaml:6: the row green has no light_label",
    ]


def test_mistakes_carry_their_facts(tmp_path):
    with pytest.raises(MappingErrors) as refused:
        load(tmp_path, SMALL.replace("stop", "halt"))
    (error,) = refused.value.errors
    assert (error.file, error.line, error.reason) == ("light.yaml", 5, "halt is no state; there are go, stop")


def test_two_tables_for_one_event_type_are_refused(tmp_path):
    load(tmp_path, SMALL, "lamp.yaml")
    assert refusals(tmp_path, SMALL) == ["light.yaml:1: lamp.yaml is a table for exchange.test.changed already"]


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(MappingErrors, match=r"no file is a table for exchange\.test\.changed"):
        load_tables(tmp_path, expected=SMALL_EXPECTED)


@pytest.mark.parametrize("state", list(OrderState))
def test_the_shipped_table_without_a_row_is_refused(tmp_path, state):
    lines = (SHIPPED / "order_state.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "order_state.yaml").write_text(
        "".join(line for line in lines if not line.startswith(f"  {state}:")), encoding="utf-8"
    )
    with pytest.raises(MappingErrors, match=rf"order_state\.yaml:\d+: the row {state} is missing"):
        load_tables(tmp_path, expected=EXPECTED)
