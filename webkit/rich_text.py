"""Text that somebody else formatted a little, as safe HTML: paragraphs, lists, **bold**, *italic*, [links](https://…).

Everything is escaped first; what stands between the marks stays text, whatever it looks like.
"""

import re

from markupsafe import Markup, escape

_MARKS = re.compile(
    r"\*\*(?P<bold>[^*\n]+)\*\*|\*(?P<italic>[^*\n]+)\*|\[(?P<words>[^][\n]+)\]\((?P<url>https?://[^\s()<>\"']+)\)"
)


def rich_text(text: str) -> Markup:
    """Lines that begin with `- ` are a list; an empty line ends a paragraph."""
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    return Markup("").join(_block(block.split("\n")) for block in blocks if block)


def _block(lines: list[str]) -> Markup:
    if all(line.startswith("- ") for line in lines):
        items = Markup("").join(Markup("<li>{}</li>").format(_inline(line[2:])) for line in lines)
        return Markup("<ul>{}</ul>").format(items)
    return Markup("<p>{}</p>").format(Markup("<br>").join(map(_inline, lines)))


def _inline(line: str) -> Markup:
    made, place = Markup(""), 0
    for found in _MARKS.finditer(line):
        made += escape(line[place : found.start()]) + _marked(found)
        place = found.end()
    return made + escape(line[place:])


def _marked(found: re.Match[str]) -> Markup:
    if found["bold"]:
        return Markup("<strong>{}</strong>").format(found["bold"])
    if found["italic"]:
        return Markup("<em>{}</em>").format(found["italic"])
    return Markup('<a href="{}" rel="noreferrer nofollow">{}</a>').format(found["url"], found["words"])
