"""Questions that are answered with a file: what was chosen, and what may be, in words."""

from collections.abc import Mapping
from typing import Any

from jinja2.filters import do_filesizeformat

FILE = "attachment"
"""The type of variable that is answered with a file."""
DROP = "drop "
"""How the name of the box begins that takes a chosen file off again: `drop /characteristics/photo`."""

Document = Mapping[str, Any]


def say_file(answer: Any) -> str:
    """The name and size of a file that an answer names; empty for what names none. Drafts may hold anything."""
    if not isinstance(answer, Mapping) or not isinstance(answer.get("name"), str):
        return ""
    size = answer.get("size_bytes")
    return f"{answer['name']} ({do_filesizeformat(size, True)})" if isinstance(size, int) else answer["name"]


def hint_of_file(variable: Document) -> str:
    """How large it may be, and of which type."""
    most, types = variable.get("max_size_bytes"), variable.get("file_types")
    told = [f"At most {do_filesizeformat(most, True)}." if most else "", f"Types: {', '.join(types)}." if types else ""]
    return " ".join(filter(None, told))


def accepted_types(variable: Document) -> str:
    """For the attribute `accept` of an input."""
    return ",".join(f".{one}" for one in variable.get("file_types") or ())
