"""Does each command that the documents name as proof run, and select something in every file it names?"""

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("docs/acceptance.md", "docs/features.md", "docs/requirements.md")
COMMANDS = [(page, one) for page in PAGES for one in re.findall(r"`pytest ([^`]+)`", (ROOT / page).read_text())]


@cache
def names_in(path: str) -> list[str]:
    """Of the tests below a path, each with its file, as -k looks at them."""
    found = ROOT / path
    files = [found] if found.is_file() else sorted(found.rglob("test_*.py"))
    return [
        f"{file.name} {node.name}".lower()
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_there_are_enough() -> None:
    assert len(COMMANDS) > 150


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{Path(page).stem}: {one}" for page, one in COMMANDS])
def test_a_named_command_selects_tests_in_every_file_it_names(page: str, command: str) -> None:
    words = shlex.split(command)
    assert words.count("-k") <= 1, "of several, pytest obeys the last"
    chosen = words[words.index("-k") + 1].lower().split(" or ") if "-k" in words else [""]
    names = {path: names_in(path) for path in words if path.startswith("tests")}
    for path, found in names.items():
        assert found, f"there is no test at {path}"
        assert any(word in name for word in chosen for name in found), f"-k selects nothing in {path}"
    every = [name for found in names.values() for name in found]
    assert [word for word in chosen if not any(word in name for name in every)] == [], "words that select nothing"
