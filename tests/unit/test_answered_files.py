"""Questions that are answered with a file: what names one, within which limits, and what people may ask for."""

from typing import Any

import pytest

from bridge.answered_files import DEFAULT_SIZE_BYTES, find_files, narrow_limits
from bridge.attachments import AttachmentLimits
from bridge.forms import FormErrors, check_answers
from provider.domain.authored_forms import complete_form, kind_of
from provider.domain.errors import InvalidFields
from tests.file_factories import file_answer, file_form, file_question
from webkit.shown_answers import show_answers

ASKED = {"key": "plan", "label": "Plan", "type": "attachment"}


def flaws_of(question: dict[str, Any], answer: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(FormErrors) as refused:
        check_answers(file_form(question), {"characteristics": {"plan": answer}})
    return [(error.pointer, error.code, error.message) for error in refused.value.errors]


def test_an_answer_names_a_file_and_checking_twice_changes_nothing() -> None:
    named = file_answer()
    loud = named | {"attachment_id": named["attachment_id"].upper()}
    checked = check_answers(file_form(file_question()), {"characteristics": {"plan": loud}})
    assert checked["characteristics"] == {"plan": named}
    assert check_answers(file_form(file_question()), checked) == checked


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"size_bytes": 1025}, "too_large", "Plan must be a file of at most 1 KiB"),
        ({"size_bytes": 0}, "empty", "Plan must not be an empty file"),
        ({"name": "plan.exe"}, "type_not_allowed", "Plan must be a file of the type pdf"),
        ({"name": "../plan.pdf"}, "unsafe_name", "'plan.pdf'"),
        ({"size_bytes": True}, "type", "must be a file"),
        ({"sha256": "abc"}, "type", "must be a file"),
        ({"attachment_id": "1"}, "type", "must be a file"),
        ({"media_type": "a" * 101}, "type", "must be a file"),
        ({"more": "x"}, "type", "must be a file"),
    ],
)
def test_a_file_outside_the_limits_of_its_question_is_refused(change: dict[str, Any], code: str, words: str) -> None:
    ((pointer, found, message),) = flaws_of(file_question(), file_answer(**change))
    assert (pointer, found) == ("/characteristics/plan", code)
    assert words in message


@pytest.mark.parametrize("nothing", [None, "", "plan.pdf", ["plan.pdf"], 5])
def test_only_a_file_answers_a_mandatory_question(nothing: Any) -> None:
    ((pointer, code, _),) = flaws_of(file_question(mandatory=True), nothing)
    assert (pointer, code) == ("/characteristics/plan", "required" if nothing in (None, "") else "type")


def test_files_are_found_wherever_they_are_named() -> None:
    one, two = file_answer(), file_answer(b"other", name="b.pdf")
    answers = {"characteristics": {"a/b": one, "size": "s"}, "sets": {"people": [{"name": "Ada"}, {"photo": two}]}}
    assert [(found.pointer, found.answer) for found in find_files(answers)] == [
        ("/characteristics/a~1b", one), ("/sets/people/1/photo", two),
    ]  # fmt: skip
    assert {found.content for found in find_files(answers)} == {
        (one["sha256"], "plan.pdf"), (two["sha256"], "b.pdf"),
    }  # fmt: skip


def test_a_question_takes_twenty_mib_unless_less_is_taken_here() -> None:
    (asked,) = complete_form({"variables": [ASKED]})["variables"]
    assert (asked["max_size_bytes"], kind_of(asked)) == (DEFAULT_SIZE_BYTES, "attachment")
    (asked,) = complete_form({"variables": [ASKED]}, AttachmentLimits(size_bytes=5000))["variables"]
    assert asked["max_size_bytes"] == 5000


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"max_size_bytes": 5001}, "max_size_bytes"),
        ({"file_types": ["exe"]}, "file_types"),
        ({"file_types": ["pdf", "pdf"]}, "file_types"),
        ({"default": file_answer()}, "default"),
        ({"type": "text", "file_types": ["pdf"]}, "file_types"),
    ],
)
def test_limits_of_a_question_lie_within_those_of_the_instance(change: dict[str, Any], member: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        complete_form({"variables": [ASKED | change]}, AttachmentLimits(size_bytes=5000))
    assert [error.pointer for error in refused.value.errors] == [f"/variables/0/{member}"]


def test_a_form_asks_for_ten_files_at_most() -> None:
    many = [ASKED | {"key": f"plan_{number}"} for number in range(11)]
    assert complete_form({"variables": many[:10]})
    with pytest.raises(InvalidFields, match="at most 10 files"):
        complete_form({"variables": many})


def test_an_instance_takes_no_more_than_it_takes_elsewhere() -> None:
    own = AttachmentLimits(size_bytes=500, types=("pdf", "txt"))
    narrowed = narrow_limits(own, file_question(file_types=["pdf", "png"]))
    assert (narrowed.size_bytes, narrowed.types) == (500, ("pdf",))
    assert narrow_limits(own, {}) == own


def test_what_was_answered_is_told_by_name_and_size() -> None:
    named = file_answer()
    (told,) = show_answers(file_form(file_question()), {"characteristics": {"plan": named}})
    assert (told.label, told.value, told.file) == ("Plan", "plan.pdf (29 Bytes)", named)
