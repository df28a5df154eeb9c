"""Order forms beyond characteristics: tables, groups, layout, secrets, and other ways to show a question."""

import time
from typing import Any

import pytest
from lxml import html
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from bridge.forms import FormErrors, check_answers
from tests.unit.test_order_form import ENVIRONMENT, in_field, page_of, sent_by_browser, variable
from webkit.order_form import change_rows, make_order_form, read_answers
from webkit.rich_text import rich_text
from webkit.shown_answers import MASK, Cell, show_answers
from webkit.words import NOTHING

ENVIRONMENT.filters["rich_text"] = rich_text


def form(*variables: dict[str, Any], sets: tuple[dict[str, Any], ...] = (), **more: Any) -> dict[str, Any]:
    return {"variables": list(variables), "parts": [], "sets": list(sets)} | more


def table(*variables: dict[str, Any], **facts: Any) -> dict[str, Any]:
    one = {"key": "people", "label": "People", "many": True, "min_rows": 0, "max_rows": 3, "description": "Who?"}
    return one | {"variables": list(variables)} | facts


PEOPLE = form(sets=(table(variable("name", mandatory=True), variable("age", "integer", default=18)),))
ROWS = [{"name": "Ada", "age": "36"}, {"name": "Bob", "age": "40"}]


def wrong_on(document: dict[str, Any], answers: dict[str, Any]) -> Any:
    with pytest.raises(FormErrors) as refused:
        check_answers(document, answers)
    errors = [{"pointer": one.pointer, "message": one.message} for one in refused.value.errors]
    return make_order_form(document, answers, errors).errors


def test_rows_of_a_table_come_back_as_they_went_out() -> None:
    answers = {"sets": {"people": ROWS}}
    assert sent_by_browser(PEOPLE, answers)["sets"] == answers["sets"]
    assert sent_by_browser(PEOPLE, answers, **{"/sets/people/1/name": "Eve"})["sets"]["people"][1]["name"] == "Eve"
    assert sent_by_browser(PEOPLE, {})["sets"] == {"people": []}


def test_a_table_shows_as_many_rows_as_it_needs_at_least() -> None:
    document = form(sets=(table(variable("name"), min_rows=2),))
    page = page_of(make_order_form(document, {}))
    assert [one.get("name") for one in page.cssselect("tbody input")] == ["/sets/people/0/name", "/sets/people/1/name"]
    assert not page.cssselect("button[value^=remove]")
    assert sent_by_browser(document, {}, **{"/sets/people/0/name": "Ada"})["sets"]["people"][0] == {"name": "Ada"}


def test_a_row_is_added_with_its_defaults_and_another_removed() -> None:
    answers: dict[str, Any] = {"sets": {"people": list(ROWS)}}
    more = change_rows(PEOPLE, answers, "add /sets/people")
    assert more["sets"]["people"] == [*ROWS, {}]
    assert in_field(PEOPLE, more, "/sets/people/2/age") == "18"
    assert change_rows(PEOPLE, more, "add /sets/people") == more
    assert change_rows(PEOPLE, answers, "remove /sets/people/0")["sets"]["people"] == ROWS[1:]
    assert answers["sets"]["people"] == ROWS


@pytest.mark.parametrize("wish", ["", "send", "add /sets/x", "remove /sets/people/9", "remove /sets/people/-1", "add"])
def test_a_wish_that_means_no_row_changes_nothing(wish: str) -> None:
    answers = {"sets": {"people": ROWS}}
    assert change_rows(PEOPLE, answers, wish) == answers


@pytest.mark.parametrize("told", ["-1", "1000000000", "x", "²", ""])
def test_no_more_rows_are_read_than_the_form_has(told: str) -> None:
    read = read_answers(PEOPLE, MultiDict({"/sets/people/rows": told, "/sets/people/0/name": "Ada"}))
    assert len(read["sets"]["people"]) <= 3


def test_what_is_wrong_in_a_row_stands_beside_its_field_and_of_the_table_below_it() -> None:
    errors = wrong_on(PEOPLE, {"sets": {"people": [ROWS[0], {"name": "", "age": "old"}]}})
    assert set(errors) == {"/sets/people/1/name", "/sets/people/1/age"}
    errors = wrong_on(form(sets=(table(variable("name"), min_rows=2),)), {})
    assert errors == {"/sets/people": ["People needs at least 2 rows."]}


def test_every_input_of_a_table_says_in_which_row_it_stands() -> None:
    page = page_of(make_order_form(PEOPLE, {"sets": {"people": ROWS}}))
    labels = {one.get("for"): " ".join(one.text_content().split()) for one in page.cssselect("tbody label")}
    fields = {one.get("name"): labels[one.get("id")] for one in page.cssselect("tbody input")}
    assert fields["/sets/people/1/age"] == "Row 2: Age"
    buttons = [one.get("aria-label") for one in page.cssselect("button")]
    assert buttons == ["Remove row 1 of People", "Remove row 2 of People", "Add a row to People"]


def test_a_group_of_questions_is_asked_once_under_its_heading() -> None:
    document = form(sets=(table(variable("name"), many=False),))
    answers = {"sets": {"people": {"name": "Ada"}}}
    assert sent_by_browser(document, answers)["sets"] == answers["sets"]
    assert "People" in page_of(make_order_form(document, answers)).cssselect("legend")[0].text_content()


def test_a_checkbox_says_yes_or_no() -> None:
    document = form(variable("agreed", "boolean", display="checkbox"))
    assert sent_by_browser(document, {})["characteristics"] == {"agreed": "false"}
    assert sent_by_browser(document, {"characteristics": {"agreed": True}})["characteristics"] == {"agreed": "true"}


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (variable("x", "choice", display="radio", options=("a", "b")), ["", "a", "b"]),
        (variable("x", "choice", display="radio", options=("a", "b"), mandatory=True), ["a", "b"]),
        (variable("x", "integer", display="scale", min=1, max=3, mandatory=True), ["1", "2", "3"]),
    ],
)
def test_choices_and_scales_are_shown_step_by_step(asked: dict[str, Any], shown: list[str]) -> None:
    page = page_of(make_order_form(form(asked), {}))
    assert [one.get("value") for one in page.cssselect("input[type=radio]")] == shown
    read = sent_by_browser(form(asked), {}, **{"/characteristics/x": shown[-1]})
    assert read["characteristics"]["x"] == shown[-1]
    check_answers(form(asked), read | {"quantity": 1})


def test_a_scale_without_ends_is_a_number() -> None:
    page = page_of(make_order_form(form(variable("x", "integer", display="scale")), {}))
    assert page.cssselect("input[name='/characteristics/x']")[0].get("inputmode") == "numeric"


def test_a_secret_is_not_shown_again_and_stays_unless_another_is_typed() -> None:
    document = form(
        variable("pin", "masked"), sets=(table(variable("code", "masked"), variable("name")),)
    )  # fmt: skip
    kept = {"characteristics": {"pin": "s3cret"}, "sets": {"people": [{"code": "c0de", "name": "Ada"}]}}
    page = page_of(make_order_form(document, kept))
    shown = html.tostring(page).decode()
    assert "s3cret" not in shown
    assert "c0de" not in shown
    sent = MultiDict(page.form_values())
    assert read_answers(document, sent, kept)["characteristics"] == {"pin": "s3cret"}
    assert read_answers(document, sent, kept)["sets"]["people"][0]["code"] == "c0de"
    assert read_answers(document, sent)["characteristics"] == {}
    sent["/characteristics/pin"] = "other"
    assert read_answers(document, sent, kept)["characteristics"] == {"pin": "other"}


def test_what_was_answered_is_told_with_tables_and_without_secrets() -> None:
    document = form(
        variable("pin", "masked"),
        variable("how_long", "duration"),
        variable("note", "label"),
        sets=(
            table(variable("name"), variable("size", "choice", options=("s",))),
            table(variable("x"), key="g", many=False),
        ),
    )
    answers = {
        "characteristics": {"pin": "s3cret", "how_long": "P1DT2H"},
        "sets": {"people": [{"name": "Ada", "size": "s"}, {"name": "Bob"}], "g": {"x": "1"}, "gone": [1]},
    }
    pin, how_long, people, group, x, gone = show_answers(document, answers)
    assert (pin.value, how_long.value) == (MASK, "1d 2h")
    assert (people.heads, people.rows) == (
        ["Name", "Size"], [[Cell("Ada"), Cell("S")], [Cell("Bob"), Cell(NOTHING)]],
    )  # fmt: skip
    assert [(one.label, one.value) for one in (group, x)] == [("People", None), ("X", "1")]
    assert gone.label == "gone"
    assert "s3cret" not in str(show_answers(document, answers))


def test_containers_put_questions_beside_each_other_however_they_are_nested() -> None:
    kinds = ["start", "text", "split", "start", "text", "end", "text", "end", "text", "end", "split"]
    document = form(
        *(variable(f"v{i}", kind if kind == "text" else f"container_{kind}") for i, kind in enumerate(kinds))
    )
    order = make_order_form(document, {})
    assert [one.label for one in order.fields] == ["V1", "V4", "V6", "V8"]
    container, last = order.layout
    left, right = container.columns  # type: ignore[union-attr]
    assert ([one.label for one in left], last.label) == (["V1"], "V8")
    assert [one.name for one in right[0].columns[0]] == ["/characteristics/v4"]
    assert right[1].label == "V6"
    assert page_of(order).cssselect(".col-md .col-md input")[0].get("name") == "/characteristics/v4"


def test_a_container_that_never_ends_loses_no_question() -> None:
    document = form(variable("a", "container_start"), variable("b"), variable("c", "container_split"), variable("d"))
    page = page_of(make_order_form(document, {}))
    assert [one.get("name") for one in page.cssselect("input[name^='/characteristics']")] == [
        "/characteristics/b",
        "/characteristics/d",
    ]


def test_a_form_asks_beside_its_questions_what_it_says() -> None:
    order = make_order_form(form(besides=["note"]), {})
    assert (order.quantity, order.location, order.contacts, order.requested_on) == (None, (), (), None)
    assert [one.name for one in order.all_fields()] == ["/note"]
    assert "contacts" not in sent_by_browser(form(besides=[]), {})
    assert (
        sent_by_browser(form(besides=["contacts"]), {}, **{"/contacts/0/name": "Ada"})["contacts"][0]["name"] == "Ada"
    )


def test_it_is_for_whoever_fills_it_in_unless_told_otherwise() -> None:
    document = form(variable("who", "requested_for"))
    assert make_order_form(document, {}, person="Ada").fields[0].value == "Ada"
    assert make_order_form(document, {"characteristics": {"who": "Bob"}}, person="Ada").fields[0].value == "Bob"
    assert make_order_form(document, {"characteristics": {"who": ""}}, person="Ada").fields[0].value == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("One\ntwo\n\nthree", "<p>One<br>two</p><p>three</p>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("**bold** and *it*", "<p><strong>bold</strong> and <em>it</em></p>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("[x](javascript:alert)", "<p>[x](javascript:alert)</p>"),
        ("**<img>**", "<p><strong>&lt;img&gt;</strong></p>"),
        (
            "[a](https://x.example/?a=1&b=2)",
            '<p><a href="https://x.example/?a=1&amp;b=2" rel="noreferrer nofollow">a</a></p>',
        ),
        ('[a](https://x.example/"onclick=1)', "<p>[a](https://x.example/&#34;onclick=1)</p>"),
        ("", ""),
    ],
)
def test_rich_text_is_what_it_may_be_and_nothing_else(text: str, shown: str) -> None:
    assert rich_text(text) == Markup(shown)


def test_a_row_of_any_length_of_number_is_none_of_the_table() -> None:
    answers: dict[str, Any] = {"sets": {"people": list(ROWS)}}
    assert change_rows(PEOPLE, answers, f"remove /sets/people/{'9' * 5000}") == answers


def test_marks_that_never_end_are_text_at_once() -> None:
    began = time.perf_counter()
    assert rich_text("[" * 10_000) == Markup(f"<p>{'[' * 10_000}</p>")
    assert time.perf_counter() - began < 0.2


def test_containers_that_lie_too_deep_within_each_other_show_what_they_hold() -> None:
    starts = [variable(f"in{number}", "container_start") for number in range(1000)]
    ends = [variable(f"out{number}", "container_end") for number in range(1000)]
    page = page_of(make_order_form(form(*starts, variable("deep"), *ends, variable("last")), {}))
    within = {
        one.get("name"): sum(1 for above in one.iterancestors("div") if above.get("class") == "col-md")
        for one in page.cssselect("input[name^='/char']")
    }
    assert within == {"/characteristics/deep": 10, "/characteristics/last": 0}
