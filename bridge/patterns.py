"""Which patterns may an answer be held against? Both sides run a pattern that somebody else wrote, so it must be one
that no text makes slow: a row of characters and classes, each with how often, without groups, choices or references.
"""

import re
from functools import lru_cache
from math import prod

PATTERN_LIMIT = 200
TEXT_LIMIT = 255
"""What is held against a pattern is no longer than this."""
_STEPS_LIMIT = 1_000_000
"""About how many ways there are to share a text out among the repeated characters, all of which may be tried."""

_ESCAPED = r"\\[dwsDWS.\\/+*?()\[\]{}|^$-]"
_CLASS = rf"\[\^?(?:{_ESCAPED}|[^\]\[\\&|~^])+\]"
_ATOM = rf"(?:{_ESCAPED}|{_CLASS}|[^\\\[\](){{}}*+?|^$])"
_TOKEN = re.compile(rf"{_ATOM}(?P<often>[?*+]|\{{(?P<least>[0-9]{{1,3}})(?P<most>,[0-9]{{0,3}})?\}})?")


@lru_cache(maxsize=500)
def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """The pattern to be matched as a whole, or None for one that may not be used."""
    if not pattern or len(pattern) > PATTERN_LIMIT or "--" in pattern:
        return None
    ways, place = [1], 0
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        if token is None:
            return None
        ways.append(_ways(token))
        place = token.end()
    if prod(ways) > _STEPS_LIMIT:
        return None
    try:
        return re.compile(pattern, re.ASCII)
    except re.error:  # a range the wrong way round
        return None


def _ways(token: re.Match[str]) -> int:
    """How many numbers of repetitions there are."""
    if token["least"] is None:
        return {None: 1, "?": 2}.get(token["often"], TEXT_LIMIT)
    if token["most"] is None:
        return 1
    most = int(token["most"][1:] or TEXT_LIMIT)
    return max(1, min(most, TEXT_LIMIT) - int(token["least"]) + 1)
