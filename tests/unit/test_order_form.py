"""A form document becomes fields, and what a browser sends of them becomes a document of answers again."""

from typing import Any

import jinja2
import pytest
from lxml import html
from werkzeug.datastructures import MultiDict

from bridge.forms import FormErrors, check_answers
from webkit.order_fields import OrderForm
from webkit.order_form import CONTACTS_MOST, make_order_form, read_answers
from webkit.shown_answers import show_answers
from webkit.words import sentence

TEMPLATE = """{% from "webkit/order_form.html" import order_fields %}
<form method="post">{% call order_fields(order) %}{% endcall %}</form>"""
ENVIRONMENT = jinja2.Environment(loader=jinja2.PackageLoader("webkit"), autoescape=True)


def variable(key: str, kind: str = "text", **members: Any) -> dict[str, Any]:
    options = [{"value": value, "label": value.upper()} for value in members.pop("options", ())]
    whole = {"key": key, "label": key.capitalize(), "type": kind, "mandatory": False, "default": None}
    return whole | {"options": options, "description": "", "min_cardinality": 0, "max_cardinality": None} | members


def part(key: str, *variables: dict[str, Any], **members: Any) -> dict[str, Any]:
    whole = {"key": key, "name": key.capitalize(), "mandatory": True, "default_selected": False, "min_quantity": 1}
    return whole | {"max_quantity": 1, "variables": list(variables), "parts": []} | members


def form(*variables: dict[str, Any], parts: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"variables": list(variables), "parts": list(parts)}


def page_of(order: OrderForm) -> Any:
    return html.fromstring(ENVIRONMENT.from_string(TEMPLATE).render(order=order)).xpath("descendant-or-self::form")[0]


def sent_by_browser(document: dict[str, Any], answers: dict[str, Any], **typed: str) -> dict[str, Any]:
    """The answers after somebody saw these ones, typed into some fields, and sent the form."""
    page = page_of(make_order_form(document, answers))
    page.fields.update(typed)
    return read_answers(document, MultiDict(page.form_values()))


def in_field(document: dict[str, Any], answers: dict[str, Any], name: str) -> Any:
    return page_of(make_order_form(document, answers)).fields[name]


EVERY_TYPE = {
    "text": "Torstr. 1", "multiline_text": "one\ntwo", "integer": 5, "decimal": "1.50", "boolean": False, "choice": "b",
    "multiple_choice": ["a", "b"], "date": "2026-12-01", "datetime": "2026-12-01T09:30:00Z",
    "email": "ada@acme.example", "url": "https://example.com/", "ip_address": "192.0.2.1",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "answer"), EVERY_TYPE.items())
def test_an_answer_of_every_type_comes_back_as_it_went_out(kind: str, answer: Any) -> None:
    document = form(variable("x", kind, options=("a", "b"), mandatory=True))
    answers = {"characteristics": {"x": answer}}
    assert check_answers(document, sent_by_browser(document, answers))["characteristics"] == {"x": answer}


@pytest.mark.parametrize(("kind", "answer"), EVERY_TYPE.items())
def test_a_default_stands_in_the_field_and_can_be_taken_out(kind: str, answer: Any) -> None:
    document = form(variable("x", kind, options=("a", "b"), default=answer))
    sent = sent_by_browser(document, {})
    assert check_answers(document, sent)["characteristics"] == {"x": answer}
    emptied = read_answers(document, MultiDict({"/characteristics/x": ""} if kind != "multiple_choice" else {}))
    assert check_answers(document, emptied)["characteristics"] == {"x": None}


@pytest.mark.parametrize("kind", ["integer", "decimal", "date", "datetime", "choice", "boolean", "email", "ip_address"])
def test_what_is_wrong_is_shown_again_as_it_was_typed(kind: str) -> None:
    document = form(variable("x", kind, options=("a", "b")))
    sent = sent_by_browser(document, {"characteristics": {"x": "next week"}})
    assert sent["characteristics"] == {"x": "next week"}
    with pytest.raises(FormErrors) as caught:
        check_answers(document, sent)
    errors = [{"pointer": error.pointer, "message": error.message} for error in caught.value.errors]
    order = make_order_form(document, sent, errors)
    assert list(order.errors) == ["/characteristics/x"]
    field = page_of(order).xpath("//*[@data-field='/characteristics/x']")[0]
    assert sentence(errors[0]["message"]) in field.text_content()
    assert field.xpath(".//*[@aria-invalid='true']/@aria-describedby")[0].split()[0] in field.xpath(".//@id")


def test_fields_are_named_by_the_pointer_of_their_answer_whatever_the_keys() -> None:
    inner = part("a/b", variable("m~n o"))
    document = form(parts=(part("outer", parts=[inner]),))
    name = "/parts/outer/parts/a~1b/characteristics/m~0n o"
    sent = sent_by_browser(document, {}, **{name: "here"})
    assert sent["parts"] == {"outer": {"parts": {"a/b": {"characteristics": {"m~n o": "here"}}}}}
    ids = page_of(make_order_form(document, {})).xpath("//@id")
    assert len(ids) == len(set(ids)) and not any(" " in one for one in ids)


def test_an_optional_part_is_taken_or_left_and_keeps_what_was_typed_in_it() -> None:
    document = form(parts=(part("edge", variable("model"), mandatory=False, default_selected=True),))
    name = "/parts/edge/selected"
    assert in_field(document, {}, name) == "true"
    left = {"parts": {"edge": {"selected": False, "characteristics": {"model": "S"}}}}
    assert in_field(document, left, name) is None
    sent = sent_by_browser(document, left)
    assert sent["parts"] == left["parts"]
    assert check_answers(document, sent)["parts"] == {"edge": {"selected": False}}


def test_a_part_asks_how_many_only_where_there_is_a_choice() -> None:
    document = form(
        parts=(
            part("two", min_quantity=2, max_quantity=2),
            part("some", max_quantity=4),
            part("any", max_quantity=None),
        )
    )
    page = page_of(make_order_form(document, {}))
    assert [name for name in page.fields if name.endswith("quantity")] == [
        "/quantity",
        "/parts/some/quantity",
        "/parts/any/quantity",
    ]
    assert "Always 2 of them" in page.text_content() and "Between 1 and 4" in page.text_content()
    assert check_answers(document, sent_by_browser(document, {}))["parts"]["two"]["quantity"] == 2


def test_an_option_that_is_not_offered_any_more_is_shown_and_not_silently_dropped() -> None:
    document = form(variable("x", "choice", options=("a",)), variable("y", "multiple_choice", options=("a",)))
    answers = {"characteristics": {"x": "old", "y": ["old", "a"]}}
    sent = sent_by_browser(document, answers)["characteristics"]
    assert (sent["x"], sorted(sent["y"])) == ("old", ["a", "old"])
    assert "old (not offered)" in page_of(make_order_form(document, answers)).text_content()


def test_no_contact_more_is_asked_for_beside_what_is_wrong() -> None:
    wrong = [{"pointer": "/note", "message": "wrong"}]
    assert len(make_order_form(form(), {"contacts": [{"name": "Ada"}]}, wrong).contacts) == 1
    assert len(make_order_form(form(), {}, wrong).contacts) == 1


def test_contacts_keep_their_rows_and_there_is_an_empty_one_more() -> None:
    contacts = [{"name": "", "email": "", "phone": ""}, {"name": "Ada", "email": "", "phone": "1"}]
    sent = sent_by_browser(form(), {"contacts": contacts})
    assert sent["contacts"] == contacts
    assert "/contacts/2/name" in page_of(make_order_form(form(), {"contacts": contacts})).fields
    full = make_order_form(form(), {"contacts": contacts[1:] * CONTACTS_MOST})
    assert len(full.contacts) == CONTACTS_MOST


def test_an_error_stands_at_the_field_its_pointer_begins_with_else_above_all() -> None:
    document = form(variable("y", "multiple_choice", options=("a",)))
    pointers = ("/characteristics/y/0", "/characteristics/gone", "/location/name", "")
    order = make_order_form(document, {}, [{"pointer": one, "message": f"wrong {one}"} for one in pointers])
    assert order.errors == {
        "/characteristics/y": ["Wrong /characteristics/y/0."],
        "": ["Wrong /characteristics/gone.", "Wrong."],
        "/location/name": ["Wrong /location/name."],
    }
    assert [one.text_content() for one in page_of(order).find_class("alert")] == [*order.errors[""]]


@pytest.mark.parametrize(
    "answers",
    [
        {"characteristics": "x", "parts": 5, "contacts": "Ada", "location": []},
        {"characteristics": {"y": "a", "t": ["a", 5], "i": {"deep": 1}}, "parts": {"edge": 5}, "contacts": [1, None]},
        {"quantity": None, "note": 5, "requested_on": ["soon"], "parts": {"edge": {"selected": "?", "quantity": []}}},
    ],
)
def test_a_draft_of_any_shape_can_be_shown_and_sent(answers: dict[str, Any]) -> None:
    edge = part("edge", mandatory=False, max_quantity=5)
    document = form(
        variable("y", "multiple_choice", options=("a",)), variable("t"), variable("i", "integer"), parts=(edge,)
    )
    assert set(sent_by_browser(document, answers)) >= {"characteristics", "parts", "contacts", "location", "quantity"}
    show_answers(document, answers)


def test_answers_are_told_by_their_labels_and_parts_left_out_are_not_told() -> None:
    edge = part("edge", variable("model", "choice", options=("s", "m")), max_quantity=4)
    document = form(variable("managed", "boolean"), parts=(edge, part("backup", mandatory=False)))
    answers = {
        "characteristics": {"managed": True, "gone": "still told"},
        "parts": {"edge": {"quantity": 3, "characteristics": {"model": "m"}}, "backup": {"selected": False}},
    }
    assert [(one.label, one.value, one.depth) for one in show_answers(document, answers)] == [
        ("Managed", "yes", 0),
        ("gone", "still told", 0),
        ("Edge (3)", None, 0),
        ("Model", "M", 1),
    ]


def test_what_people_and_providers_write_is_text_and_never_markup() -> None:
    hostile = "<script>alert(1)</script>"
    document = form(
        variable("x", "multiline_text", label=hostile, description=hostile), parts=(part("p", name=hostile),)
    )
    order = make_order_form(document, {"characteristics": {"x": hostile}}, [{"pointer": "", "message": hostile}])
    assert not page_of(order).xpath("//script")
    assert sent_by_browser(document, {"characteristics": {"x": hostile}})["characteristics"]["x"] == hostile


def group_of(*keys: str, least: int = 1, most: int | None = 1) -> dict[str, Any]:
    return {"key": "g", "name": "Access", "min_options": least, "max_options": most, "parts": list(keys)}


def test_parts_of_a_group_stand_together_under_its_name_with_how_many_to_choose() -> None:
    parts = tuple(part(key, mandatory=False) for key in ("fibre", "support", "mobile"))
    document = form(parts=parts) | {"groups": [group_of("fibre", "mobile")]}
    page = page_of(make_order_form(document, {}))
    (group,) = page.xpath("//fieldset[@class='group']")
    assert " ".join(group.xpath("legend")[0].text_content().split()) == "Access Choose 1."
    assert [one.strip() for one in group.xpath(".//label[@class='form-check-label']/text()")] == ["Fibre", "Mobile"]
    assert "optional" not in group.text_content()
    answers = read_answers(document, MultiDict({"/parts/mobile/selected": "true"}))
    assert {key: one["selected"] for key, one in answers["parts"].items()} == {
        "fibre": False, "mobile": True, "support": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("least", "most", "words"),
    [(1, 1, "Choose 1."), (0, 2, "Choose at most 2."), (1, 2, "Choose 1 to 2."), (2, None, "Choose at least 2."),
     (0, None, "Choose as many as you like.")],
)  # fmt: skip
def test_a_group_says_how_many_to_choose(least: int, most: int | None, words: str) -> None:
    document = form(parts=(part("fibre"),)) | {"groups": [group_of("fibre", least=least, most=most)]}
    assert make_order_form(document, {}).sections[0].hint == words


def test_a_group_of_which_too_many_are_chosen_says_so_beside_the_one_too_many() -> None:
    parts = (part("fibre", mandatory=False), part("mobile", mandatory=False))
    document = form(parts=parts) | {"groups": [group_of("fibre", "mobile")]}
    answers = {"parts": {key: {"selected": True} for key in ("fibre", "mobile")}}
    with pytest.raises(FormErrors) as refused:
        check_answers(document, answers)
    errors = [{"pointer": one.pointer, "message": one.message} for one in refused.value.errors]
    page = page_of(make_order_form(document, answers, errors))
    (wrong,) = page.xpath("//*[@data-errors][normalize-space()]")
    assert wrong.getparent().get("data-field") == "/parts/mobile/selected"
