"""Answers of the type `attachment`: each names a file, whose bytes cross apart from the request (`docs/wire.md` 4.4).

A variable may have `max_size_bytes` and `file_types` (endings of names). Pure: both sides walk answers with it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.attachments import MIB, AttachmentLimits, clean_name, tell_size, type_of

ATTACHMENT = "attachment"
DEFAULT_SIZE_BYTES = 20 * MIB
"""Of one answer, unless its question says otherwise."""
MEMBERS = ("attachment_id", "name", "media_type", "size_bytes", "sha256")
_MEDIA_TYPE_LIMIT = 100
_TYPES_LIMIT = 20
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ENDING = re.compile(r"[a-z0-9]{1,10}")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AnsweredFile:
    """A file that an answer names. `pointer` leads to the answer."""

    pointer: str
    answer: Document

    @property
    def content(self) -> tuple[str, str]:
        """What one file of a request is known by, whatever its id: hash and name."""
        return self.answer["sha256"], self.answer["name"]


def find_files(answers: Any, pointer: str = "") -> Iterator[AnsweredFile]:
    """Every file that answers name, in parts and sets too, in their order. No form is needed to tell them."""
    if isinstance(answers, Mapping):
        if all(name in answers for name in MEMBERS):
            yield AnsweredFile(pointer, answers)
            return
        for key, value in answers.items():
            yield from find_files(value, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif isinstance(answers, list):
        for number, value in enumerate(answers):
            yield from find_files(value, f"{pointer}/{number}")


def narrow_limits(limits: AttachmentLimits, variable: Document) -> AttachmentLimits:
    """What an instance takes in, less what a question rules out."""
    most, types = variable.get("max_size_bytes"), variable.get("file_types")
    return AttachmentLimits(
        size_bytes=limits.size_bytes if most is None else min(most, limits.size_bytes),
        types=tuple(one for one in limits.types if not types or one in types),
        per_task=limits.per_task,
    )


def find_fault(variable: Document, value: Any) -> tuple[str, str] | None:
    """What is wrong with the name of a file as an answer: a code, and words that go on behind the label. None if
    nothing is.
    """
    if not _is_file(value):
        return "type", f"must be a file: an object of {', '.join(MEMBERS)}"
    if value["name"] != clean_name(value["name"]):
        return "unsafe_name", f"has a name that is not safe everywhere; {clean_name(value['name'])!r} is"
    most, types = variable.get("max_size_bytes"), variable.get("file_types")
    if value["size_bytes"] < 1:
        return "empty", "must not be an empty file"
    if most is not None and value["size_bytes"] > most:
        return "too_large", f"must be a file of at most {tell_size(most)}"
    if types and type_of(value["name"]) not in types:
        return "type_not_allowed", f"must be a file of the type {', '.join(types)}"
    return None


def find_limit_faults(variable: Document, limits: AttachmentLimits) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the limits of a question: member, code and words. They lie within those of the instance."""
    most, types = variable.get("max_size_bytes"), variable.get("file_types") or []
    if most is not None and not 1 <= most <= limits.size_bytes:
        yield "max_size_bytes", "range", f"must be at most {tell_size(limits.size_bytes)}, which is taken here"
    if len(types) > _TYPES_LIMIT or len(set(types)) != len(types):
        yield "file_types", "range", f"must be at most {_TYPES_LIMIT} types, none of them twice"
    for one in types:
        if not _ENDING.fullmatch(one) or one not in limits.types:
            yield "file_types", "not_an_option", f"must be out of {', '.join(limits.types)}"
            return


def _is_file(value: Any) -> bool:
    if not isinstance(value, Mapping) or set(value) != set(MEMBERS):
        return False
    texts = [value[name] for name in MEMBERS if name != "size_bytes"]
    if not all(isinstance(text, str) and text for text in texts) or type(value["size_bytes"]) is not int:
        return False
    fits = len(value["media_type"]) <= _MEDIA_TYPE_LIMIT and value["media_type"].isprintable()
    is_named = _UUID.fullmatch(value["attachment_id"]) and _SHA256.fullmatch(value["sha256"])
    return bool(fits and is_named)
