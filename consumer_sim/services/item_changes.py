"""What does a newer form of an item ask that the one in use does not? For whoever decides whether people get it."""

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
_MATTERS = ("label", "type", "mandatory", "options", "default", "min", "max", "min_length", "max_length", "pattern")
_MATTERS_OF_PART = ("name", "mandatory", "default_selected", "min_quantity", "max_quantity")
_MATTERS_OF_SET = ("label", "many", "min_rows", "max_rows")


def compare_forms(former: Document, newer: Document) -> list[tuple[str, str]]:
    """("new" | "gone" | "changed", what it is called) for each question, part and set of questions, as the newer form
    orders them; what is gone comes last.
    """
    before, after = dict(_told(former, "", "")), dict(_told(newer, "", ""))
    found = [
        ("changed" if path in before else "new", name)
        for path, (name, matters) in after.items()
        if path not in before or before[path][1] != matters
    ]
    return found + [("gone", name) for path, (name, _) in before.items() if path not in after]


def _told(form: Document, path: str, within: str) -> Iterator[tuple[str, tuple[str, list[Any]]]]:
    """Everything that is asked, by where it stands: its name, and all that makes it another question."""
    for one in form.get("variables") or ():
        yield _entry(f"{path}/{one['key']}", within, one, _MATTERS)
    for one in form.get("sets") or ():
        yield _entry(f"{path}/sets/{one['key']}", within, one, _MATTERS_OF_SET)
        yield from _told(one, f"{path}/sets/{one['key']}", f"{within}{one['label']}: ")
    for one in form.get("parts") or ():
        yield _entry(f"{path}/parts/{one['key']}", within, one, _MATTERS_OF_PART)
        yield from _told(one, f"{path}/parts/{one['key']}", f"{within}{one['name']}: ")


def _entry(path: str, within: str, one: Document, matters: tuple[str, ...]) -> tuple[str, tuple[str, list[Any]]]:
    name = one.get("label") or one.get("name") or one["key"]
    return path, (f"{within}{name}", [one.get(member) for member in matters])
