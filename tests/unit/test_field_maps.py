"""Maps of fields: what is wrong with one, what crosses, and which of two values stays."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.field_maps import (
    CONSUMER_TABLES,
    INBOUND,
    INCIDENT,
    OUTBOUND,
    PROVIDER_TABLES,
    TICKET,
    complete_line,
    count_first,
    count_on,
    default_map,
    find_faults,
    hear_fields,
    stamp_key,
    takes_in,
    tell_fields,
)

Lines = dict[str, list[dict[str, Any]]]
WAYS = {"consumer": (INBOUND, OUTBOUND), "provider": (OUTBOUND, INBOUND)}


def lines(*inbound: dict[str, Any], outbound: tuple[dict[str, Any], ...] = ()) -> Lines:
    return {INBOUND: [complete_line(one) for one in inbound], OUTBOUND: [complete_line(one) for one in outbound]}


def line(source: str, target: str | None = None, **more: Any) -> dict[str, Any]:
    return {"source": source, "target": target or source, **more}


def faults(made: Lines) -> list[tuple[tuple[str | int, ...], str]]:
    return [(fault.place, fault.code) for fault in find_faults(made, "incident", "ticket")]


def test_a_new_definition_begins_with_comments_both_ways() -> None:
    assert faults(default_map()) == []
    assert [[one["source"] for one in side] for side in default_map().values()] == [["comments"], ["comments"]]


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (lines(line("color")), [((INBOUND, 0, "source"), "unknown"), ((INBOUND, 0, "target"), "unknown")]),
        (lines(line("state", "work_notes")), [((INBOUND, 0, "target"), "unknown")]),
        (lines(line("comments", "description")), [((INBOUND, 0, "target"), "kind")]),
        (lines(line("description", "comments")), [((INBOUND, 0, "target"), "kind")]),
        (lines(line("state", key="State!")), [((INBOUND, 0, "key"), "format")]),
        (lines(line("state", sync_when="sometimes")), [((INBOUND, 0, "sync_when"), "unknown")]),
        (lines(line("state", max_length=0)), [((INBOUND, 0, "max_length"), "range")]),
        (lines(line("state"), line("priority", "state")), [((INBOUND, 1, "target"), "duplicate")]),
        (
            lines(line("state", label="How far"), line("priority", label="how far ")),
            [((INBOUND, 1, "label"), "duplicate")],
        ),
        (
            lines(*(line("state", virtual=True, key=f"k{one}", label=f"{one}") for one in range(41))),
            [((INBOUND,), "too_many")],
        ),
        (lines(line("state"), outbound=(line("state"),)), []),
    ],
)  # fmt: skip
def test_everything_that_is_wrong_with_a_map_is_found_with_its_place(made: Lines, found: list[Any]) -> None:
    assert faults(made) == found


def test_private_notes_are_no_field_of_any_table() -> None:
    for table in (*CONSUMER_TABLES.values(), *PROVIDER_TABLES.values()):
        assert not {"work_notes", "notes"} & table.fields.keys()


@pytest.mark.parametrize("field", [*TICKET.fields.values(), *INCIDENT.fields.values()], ids=lambda field: field.name)
def test_a_field_takes_what_it_says_and_nothing_else(field: Any) -> None:
    assert (field.fault(None) is None) == (field.fault("") is None) == (not field.required)
    assert field.fault("x" * (field.max_length + 1)) is not None
    assert field.fault(7) is not None
    for choice in field.choices:
        assert field.fault(choice) is None


def test_what_is_too_long_does_not_cross_and_everything_else_does() -> None:
    made = lines(line("description", max_length=3), line("state"), line("category", active=False))
    stamps = count_first(made, INBOUND, {})
    told, refused = tell_fields(made, INBOUND, {"description": "long", "state": "new", "category": "x"}, stamps)
    assert told == {"state": {"value": "new", "version": 1, "by": "consumer"}}
    assert list(refused) == ["description"]


def test_null_empty_and_missing_are_three_values_on_the_way() -> None:
    made = lines(line("description"), line("category"), line("assigned_to"))
    stamps = count_first(made, INBOUND, {})
    record = {"description": None, "category": "", "assigned_to": "x"}
    told, _ = tell_fields(made, INBOUND, record, stamps, {"description", "category"})
    assert {key: one["value"] for key, one in told.items()} == {"description": None, "category": ""}


def test_a_consumer_that_reads_another_field_shares_the_count_of_the_providers_field() -> None:
    made = lines(line("assigned_to", "category"), outbound=(line("category", "description"),))
    assert stamp_key(made[INBOUND][0], INBOUND) == stamp_key(made[OUTBOUND][0], OUTBOUND) == "category"
    virtual = lines(line("state", key="theirs", virtual=True))
    assert stamp_key(virtual[INBOUND][0], INBOUND) == "theirs?"


@pytest.mark.parametrize(
    ("sync_when", "initial", "takes"),
    [
        ("insert_or_update", True, True), ("insert_or_update", False, True), ("insert", True, True),
        ("insert", False, False), ("never", True, False), ("never", False, False),
    ],
)  # fmt: skip
def test_when_a_receiver_writes(sync_when: str, initial: bool, takes: bool) -> None:
    assert takes_in(complete_line(line("state", sync_when=sync_when)), initial=initial) is takes


class _Side:
    """One side of a remote task that ties two fields both ways, without any database."""

    def __init__(self, name: str) -> None:
        self.tells, self.hears = WAYS[name]
        self.record: dict[str, Any] = {"category": "first", "description": None}
        self.stamps: dict[str, Any] = {"category": [1, "consumer"], "description": [1, "consumer"]}
        self.sent: deque[dict[str, Any]] = deque()

    def change(self, field: str, value: Any) -> None:
        if self.record[field] != value:
            self.record[field] = value
            self.stamps = count_on(TIED, self.tells, {field}, self.stamps)
            self.sent.append(tell_fields(TIED, self.tells, self.record, self.stamps, {field})[0])

    def take(self, message: dict[str, Any]) -> None:
        news, self.stamps, unknown = hear_fields(TIED, self.hears, message, self.stamps)
        assert not unknown
        for told in news:
            self.record[told.line["target"]] = told.value


TIED = lines(line("category"), line("description"), outbound=(line("category"), line("description")))
STEPS = st.one_of(
    st.tuples(st.sampled_from(["consumer", "provider"]), st.sampled_from(["category", "description"]),
              st.sampled_from([None, "", "a", "b"])),
    st.sampled_from([("consumer",), ("provider",)]),
)  # fmt: skip


@given(st.lists(STEPS, max_size=30), st.booleans())
def test_both_sides_end_with_the_same_in_whatever_order_they_change_and_hear(steps: list[Any], twice: bool) -> None:
    sides = {name: _Side(name) for name in WAYS}
    others = {"consumer": "provider", "provider": "consumer"}
    for step in [*steps, *([("consumer",), ("provider",)] * 40)]:
        side = sides[step[0]]
        if len(step) > 1:
            side.change(*step[1:])
        elif sides[others[step[0]]].sent:
            message = sides[others[step[0]]].sent.popleft()
            for _ in range(1 + twice):
                side.take(message)
    assert not any(side.sent for side in sides.values())
    assert sides["consumer"].record == sides["provider"].record
    assert sides["consumer"].stamps == sides["provider"].stamps
