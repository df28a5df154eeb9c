"""Does a comparison find every difference, whichever side has it?"""

from typing import Any

import pytest

from sxg.compare import MISSING, NOT_TOLD, Behind, Difference, Report, behind_lines, compare_rows, report_lines

TASK = {
    "task_id": "t1",
    "number": "ACME-PT0000001",
    "state": "work_in_progress",
    "state_label": "Work in progress",
    "order_state": "in_progress",
    "comments": [{"comment_id": "c1", "text": "one"}, {"comment_id": "c2", "text": "two"}],
}
PRODUCT = {"product_id": "p1", "number": "PRD0001", "state": "active", "characteristics": {"model": "S"}}
ITEM = {"item_id": "i1", "name": "SD-WAN Package", "revision": 1, "form": {"variables": [], "parts": []}}
ROWS = {"provider_task": TASK, "product": PRODUCT, "catalog_item": ITEM}


def differences(
    kind: str, provider: list[dict[str, Any]], consumer: list[dict[str, Any]]
) -> list[tuple[str, Any, Any]]:
    return [(found.field, found.provider, found.consumer) for found in compare_rows("c", kind, provider, consumer)]


@pytest.mark.parametrize("kind", ROWS)
def test_equal_records_differ_in_nothing_whatever_their_order(kind: str) -> None:
    row = ROWS[kind]
    other = {**row, next(iter(row)): "another"}
    assert differences(kind, [row, other], [dict(other), dict(row)]) == []


@pytest.mark.parametrize("kind", ROWS)
def test_a_record_that_only_one_side_has_is_found_in_both_directions(kind: str) -> None:
    row = ROWS[kind]
    assert differences(kind, [row], []) == [("", "present", MISSING)]
    assert differences(kind, [], [row]) == [("", MISSING, "present")]


@pytest.mark.parametrize(
    ("kind", "field", "other"),
    [
        ("provider_task", "number", "ACME-PT0000002"),
        ("provider_task", "state", "closed"),
        ("provider_task", "state_label", "Work in Progress"),
        ("provider_task", "order_state", "completed"),
        ("provider_task", "comments", list(reversed(TASK["comments"]))),
        ("provider_task", "comments", TASK["comments"][:1]),
        ("product", "state", "pending"),
        ("product", "characteristics", {"model": "M"}),
        ("product", "characteristics", None),
        ("catalog_item", "revision", 2),
    ],
)
def test_every_field_is_compared_in_both_directions(kind: str, field: str, other: Any) -> None:
    row: Any = ROWS[kind]
    changed = {**row, field: other}
    assert differences(kind, [row], [changed]) == [(field, row[field], other)]
    assert differences(kind, [changed], [row]) == [(field, other, row[field])]


def test_a_field_that_one_side_does_not_tell_is_no_null() -> None:
    silent = {name: value for name, value in PRODUCT.items() if name != "state"}
    assert differences("product", [PRODUCT], [silent]) == [("state", "active", NOT_TOLD)]
    assert differences("product", [silent], [PRODUCT]) == [("state", NOT_TOLD, "active")]
    assert differences("product", [{**silent, "state": None}], [silent]) == [("state", None, NOT_TOLD)]


def test_people_are_told_record_field_and_both_values_on_one_line() -> None:
    found = list(compare_rows("c", "provider_task", [TASK], [{**TASK, "state": "closed", "comments": []}]))
    lines = report_lines(Report({"provider_task": 1}, found, quiet=True))
    assert lines[1:] == [
        "provider_task ACME-PT0000001 (t1) state: provider work_in_progress, consumer closed",
        "2 differences in 1 provider tasks",
    ]
    assert lines[0].startswith("provider_task ACME-PT0000001 (t1) comments: provider [{")
    assert lines[0].endswith("..., consumer []")


def test_unrest_is_said_also_when_both_sides_are_equal() -> None:
    assert report_lines(Report({"product": 3}, [], quiet=True)) == ["both sides are equal: 3 products"]
    assert report_lines(Report({"product": 3}, [], quiet=False)) == [
        "both sides are equal: 3 products; messages were still on their way"
    ]


def test_a_report_can_be_read_by_programs() -> None:
    report = Report({"product": 1}, [Difference("c", "product", "p", "state", "active", None)], quiet=True)
    assert report.to_json() == {
        "compared": {"product": 1},
        "quiet": True,
        "differences": [
            {
                "connection_id": "c",
                "kind": "product",
                "record": "p",
                "field": "state",
                "provider": "active",
                "consumer": None,
            }
        ],
    }


def test_what_a_consumer_lacks_that_does_not_answer_is_a_line_for_each_connection() -> None:
    oldest_at = "2026-11-21T09:00:00.000Z"
    behind = [
        Behind("c1", "ACME IT", "active", 3, 1, oldest_at, "failed 2 times since 9 s ago: Connection refused"),
        Behind("c2", "ACME Sales", "active", 0, 0, None, None),
    ]
    assert behind_lines(behind) == [
        f"ACME IT (c1): 3 waiting, 1 parked, the oldest since {oldest_at}; "
        "failed 2 times since 9 s ago: Connection refused",
        "ACME Sales (c2): 0 waiting, 0 parked",
    ]
    assert behind_lines([]) == ["the provider has no connection to that address"]
