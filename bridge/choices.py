"""Do the parts that somebody chose go together? How many of a group may be chosen, and what needs or excludes what.

`docs/wire.md` 2.4 describes `groups` and `rules` of a form. Asked of answers in their normal form; those that are wrong
otherwise are not looked at twice. A fault is a pointer below the contents it was found in, a code, and a message.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Fault = tuple[str, str, str]
Contents = Mapping[str, Any]


def find_choice_faults(form: Mapping[str, Any], contents: Contents) -> Iterator[Fault]:
    """What is wrong with the choices at this level of a form: an item, or one part of it."""
    names = {part["key"]: part["name"] for part in form["parts"]}
    for group in form.get("groups") or ():
        yield from _group_faults(group, contents, names)
    for rule in form.get("rules") or ():
        if _holds(rule["if"], contents):
            yield from _rule_faults(rule, contents)


def escape(key: str) -> str:
    """A member name within a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _group_faults(group: Mapping[str, Any], contents: Contents, names: Mapping[str, str]) -> Iterator[Fault]:
    keys = [key for key in group["parts"] if key in names]
    chosen = [key for key in keys if _selected(contents, key)]
    least, most = group["min_options"], group["max_options"]
    listed = ", ".join(names[key] for key in keys)
    if len(chosen) < least and keys:
        yield _tick(keys[:1]), "too_few_options", f"{group['name']}: choose at least {least} of {listed}"
    if most is not None and len(chosen) > most:
        yield _tick(chosen[most : most + 1]), "too_many_options", f"{group['name']}: choose at most {most} of {listed}"


def _rule_faults(rule: Mapping[str, Any], contents: Contents) -> Iterator[Fault]:
    held = [other for other in rule["then"] if _holds(other, contents)]
    if rule["kind"] == "requires" and not held:
        yield _place(rule["then"][0], contents), "requires", rule["message"]
    if rule["kind"] == "excludes" and held:
        yield _place(held[0], contents), "excludes", rule["message"]


def _holds(condition: Mapping[str, Any], contents: Contents) -> bool:
    """Whether the part that is meant is chosen and, where one is named, its characteristic so answered."""
    for key in condition["parts"]:
        if not _selected(contents, key):
            return False
        contents = contents["parts"][key]
    if condition["characteristic"] is None:
        return True
    answer = contents.get("characteristics", {}).get(condition["characteristic"])
    wanted = condition["values"]
    if answer is None or not wanted:
        return answer is not None
    return any(one in wanted for one in (answer if isinstance(answer, list) else [answer]))


def _place(condition: Mapping[str, Any], contents: Contents) -> str:
    """Where people would mend it: the first part on the way that is not chosen, else the answer, else the part."""
    way: list[str] = []
    for key in condition["parts"]:
        way.append(key)
        if not _selected(contents, key):
            return _tick(way)
        contents = contents["parts"][key]
    if condition["characteristic"] is None:
        return _tick(way)
    return f"{_way(way)}/characteristics/{escape(condition['characteristic'])}"


def _selected(contents: Contents, key: str) -> bool:
    return bool((contents.get("parts", {}).get(key) or {}).get("selected"))


def _tick(way: Sequence[str]) -> str:
    return f"{_way(way)}/selected"


def _way(keys: Iterable[str]) -> str:
    return "".join(f"/parts/{escape(key)}" for key in keys)
