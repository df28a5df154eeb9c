"""Which version of the wire is spoken, and is that enough?"""

import re

WIRE_VERSION = "1.1"
"""Ours, on both sides. 1.1: items of kind `task`, and forms with sets, layout and more types of variables."""
FIRST_VERSION = "1.0"
TASKS_VERSION = "1.1"
"""The first that knows items of kind `task`, and what their forms may ask."""

VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,3}")


def is_enough(spoken: str, asked: str) -> bool:
    """Whether who speaks one version may use what asks for another. What is no version is as if it were the first."""
    return _numbers(spoken) >= _numbers(asked)


def _numbers(version: str) -> list[int]:
    """1.10 is newer than 1.9, and 1.0 is 1."""
    numbers = [int(part) for part in version.split(".")] if VERSION.fullmatch(version) else [1]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return numbers
