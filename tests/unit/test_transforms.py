"""Tables of values: read from files, checked, applied; what has no row is a hole."""

from pathlib import Path
from typing import Any

import pytest

import mappings
from bridge.field_maps import CHOICE, CONSUMER_TABLES, PROVIDER_TABLES, complete_line
from bridge.mapping import MappingErrors, load_transforms
from bridge.transforms import TransformHole, find_transform_faults, transform

SHIPPED = load_transforms(Path(mappings.__file__).parent / "remote_tasks")
TABLES = ("incident", "ticket")
PRIORITY = complete_line({"source": "priority", "target": "priority"})


def table(**more: Any) -> dict[str, Any]:
    ends = {"provider_table": "incident", "provider_field": "priority", "consumer_table": "ticket"}
    return {**ends, "consumer_field": "priority", "inbound": {"low": "4"}, **more}


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_shipped_tables_have_a_row_for_every_choice_both_ways(name: str) -> None:
    one = SHIPPED[name]
    ours = PROVIDER_TABLES[one["provider_table"]].fields[one["provider_field"]]
    theirs = CONSUMER_TABLES[one["consumer_table"]].fields[one["consumer_field"]]
    assert ours.kind == theirs.kind == CHOICE
    assert one["outbound"].keys() == ours.choices.keys() and one["inbound"].keys() == theirs.choices.keys()


def test_a_value_becomes_the_other_sides_and_nothing_stays_nothing() -> None:
    said = [transform(SHIPPED, TABLES, PRIORITY, "inbound", value) for value in ("critical", None, "")]
    assert said == ["1", None, ""]
    assert transform(SHIPPED, TABLES, PRIORITY, "outbound", "3") == "moderate"


def test_fields_without_a_table_have_the_same_words() -> None:
    other = complete_line({"source": "category", "target": "priority"})
    assert transform(SHIPPED, TABLES, other, "inbound", "whatever") == "whatever"


def test_a_table_of_one_direction_says_nothing_of_the_other() -> None:
    assert transform({"p": table()}, TABLES, PRIORITY, "outbound", "4") == "4"


def test_a_virtual_line_has_a_table_by_its_key() -> None:
    line = complete_line({"source": "state", "virtual": True, "key": "their_state"})
    made = {"v": table(provider_field="virtual:their_state", consumer_field="state", inbound={"new": "Fresh"})}
    assert find_transform_faults(made) == []
    assert transform(made, TABLES, line, "inbound", "new") == "Fresh"


def test_a_value_without_a_row_is_a_hole() -> None:
    with pytest.raises(TransformHole, match="the transform p has no row for “high”"):
        transform({"p": table()}, TABLES, PRIORITY, "inbound", "high")


@pytest.mark.parametrize(
    ("made", "found"),
    [
        ({"p": table(inbound={"lo": "4"})}, [(("p", "inbound", "lo"), "lo is no priority; did you mean low?")]),
        ({"p": table(inbound={"low": "9"})}, [(("p", "inbound", "low"), "9 is no priority; there are 1, 2, 3, 4")]),
        ({"p": table(inbound=None)}, [(("p",), "inbound or outbound rows")]),
        (
            {"p": table(provider_field="prio")},
            [(("p", "provider_field"), "prio is no field of incident; did you mean priority?")],
        ),
        ({"p": table(consumer_table="case")}, None),
        ({"p": table(colour="red")}, None),
        ({"p": 7}, None),
        (7, None),
        ({"p": table(inbound=["low"])}, None),
        ({"p": table(inbound={"low": 4})}, None),
        ({"p": table(), "q": table()}, [(("q",), "p is a table for these two fields already")]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_document_is_said_with_its_place(made: Any, found: list[Any] | None) -> None:
    said = [(fault.place, fault.message) for fault in find_transform_faults(made)]
    assert said == found if found is not None else len(said) == 1


def test_files_are_refused_with_the_line_of_each_mistake(tmp_path: Path) -> None:
    (tmp_path / "priority.yaml").write_text(
        "version: 1\nprovider_table: incident\nprovider_field: priority\nconsumer_table: ticket\n"
        'consumer_field: priority\ninbound:\n  low: "4"\n  low: "3"\n  hi: "2"\n'
    )
    (tmp_path / "state.yaml").write_text("version: 2\nprovider_table: incident\n")
    with pytest.raises(MappingErrors) as refused:
        load_transforms(tmp_path)
    told = str(refused.value).splitlines()
    assert "priority.yaml:8: low is here a second time, first on line 7" in told
    assert "priority.yaml:9: hi is no priority; did you mean high?" in told
    assert any(line.startswith("state.yaml:1: version must be 1") for line in told)
