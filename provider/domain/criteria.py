"""Whom is an item for? Criteria as a document: checked, judged against what is known of a consumer, said in words.

A document is everyone, `{"all_consumers": true}`, or one condition, or a combination of some: `{"any": [...]}` or
`{"all": [...]}`, which may be combined again. `CONDITIONS` are the conditions. Nothing is ever implied.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from uuid import UUID

from provider.domain.errors import FieldError, InvalidFields

Document = Mapping[str, Any]

EVERYONE: Document = MappingProxyType({"all_consumers": True})
DEPTH_LIMIT = 4
CONDITION_LIMIT = 50
VALUE_LIMIT = 5000
TEXT_LIMIT = 120
OF_CONTRACTS = ("names", "offerings", "specifications")
"""What criteria may ask of a contract; without any of them each one in force will do."""
SETTINGS = ("show_prices", "peer_version")
"""Settings of a connection that criteria may ask for. Labels are asked for by their own condition."""
_COMBINED = ("any", "all")


@dataclass(frozen=True, slots=True)
class Owned:
    """How many products in use a consumer has of one thing, and the number of one of them."""

    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """A contract that is in force, and what it is for, by external id."""

    number: str
    name: str
    offerings: frozenset[str] = frozenset()
    specifications: frozenset[str] = frozenset()

    def is_for(self, asked: Document) -> bool:
        """Whether it has one of the names, and a line for one of the things, where such are asked for."""
        subjects = (self.offerings & set(asked.get("offerings", ()))) | (
            self.specifications & set(asked.get("specifications", ()))
        )
        any_subject = not (asked.get("offerings") or asked.get("specifications"))
        return (not asked.get("names") or self.name in asked["names"]) and bool(any_subject or subjects)


@dataclass(frozen=True, slots=True)
class Consumer:
    """What criteria may ask of one consumer. Owned products are by external id, contracts those that are in force."""

    connection_id: str
    name: str
    company: str | None = None
    account: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    offerings: Mapping[str, Owned] = field(default_factory=dict)
    specifications: Mapping[str, Owned] = field(default_factory=dict)
    contracts: Sequence[Agreement] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition, or one combination with `parts`. `holds` None: it cannot be said, so nothing follows from it."""

    words: str
    holds: bool | None
    looked_at: str
    parts: tuple["Finding", ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A kind of condition: what its value must be, what it says in words, and what it finds at a consumer.

    `read` raises `_Wrong`. `say` takes the value and names for ids. `find` is whether it holds, and what was seen.
    """

    read: Callable[[Any], Any]
    say: Callable[[Any, Mapping[str, str]], str]
    find: Callable[[Any, Consumer], tuple[bool, str]]


class _Wrong(Exception):
    def __init__(self, code: str, message: str, below: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.below = code, message, below


def read_criteria(document: Any) -> dict[str, Any]:
    """The document in its normal form. Raises InvalidFields with a pointer into `/criteria` for every fault."""
    faults: list[FieldError] = []
    if _is_everyone(document):
        return dict(EVERYONE)
    found = _read(document, "/criteria", 1, faults)
    if not faults and sum(1 for _ in conditions_of(found)) > CONDITION_LIMIT:
        faults.append(FieldError("/criteria", "too_many", f"at most {CONDITION_LIMIT} conditions"))
    if faults:
        raise InvalidFields(faults)
    return found


def conditions_of(criteria: Document, pointer: str = "/criteria") -> Iterator[tuple[str, str, Any]]:
    """Pointer, kind and value of each condition, also of kinds that are not known here."""
    for kind, value in criteria.items():
        if kind in _COMBINED:
            for index, part in enumerate(value):
                yield from conditions_of(part, f"{pointer}/{kind}/{index}")
        elif kind != "all_consumers":
            yield f"{pointer}/{kind}", kind, value


def judge(criteria: Document, consumer: Consumer, names: Mapping[str, str] = MappingProxyType({})) -> Finding:
    """Whether the criteria hold for a consumer, condition by condition. `names` are those of connections, by id."""
    if _is_everyone(criteria):
        return Finding("All consumers", True, f"{consumer.name} is one of them")
    kind, value = _only(criteria)
    if kind in _COMBINED:
        return _combine(kind, tuple(judge(part, consumer, names) for part in value))
    condition = CONDITIONS.get(kind)
    if condition is None:
        return Finding(f"Has “{kind}”", None, "this version cannot look at that, so nothing is granted or removed")
    holds, seen = condition.find(value, consumer)
    return Finding(condition.say(value, names), holds, seen)


def say_criteria(criteria: Document | None, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Whom they are for, in words that follow “only”, but for all consumers and nobody."""
    if not criteria:
        return "nobody yet"
    if _is_everyone(criteria):
        return "all consumers, also those that connect later"
    said = _say(criteria, names)
    return f"only {said.removeprefix('are ')}" if "connection_ids" in criteria else f"only consumers that {said}"


def _say(criteria: Document, names: Mapping[str, str], *, within: bool = False) -> str:
    kind, value = _only(criteria)
    if kind in _COMBINED:
        joint = " or " if kind == "any" else " and "
        text = joint.join(_say(part, names, within=True) for part in value)
        return f"({text})" if within and len(value) > 1 else text
    condition = CONDITIONS.get(kind)
    words = condition.say(value, names) if condition else f"Have “{kind}”, which this version does not know"
    return words[:1].lower() + words[1:]


def _only(criteria: Document) -> tuple[str, Any]:
    return next(iter(criteria.items()), ("", ()))


def _is_everyone(document: Any) -> bool:
    return isinstance(document, Mapping) and dict(document) == {"all_consumers": True}


def _read(document: Any, pointer: str, depth: int, faults: list[FieldError]) -> dict[str, Any]:
    if not isinstance(document, Mapping) or len(document) != 1:
        message = f'{{"all_consumers": true}}, or one of {", ".join((*_COMBINED, *CONDITIONS))}'
        faults.append(FieldError(pointer, "required", message))
        return {}
    kind, value = next(iter(document.items()))
    if kind in _COMBINED:
        return {kind: _read_parts(value, f"{pointer}/{kind}", depth, faults)}
    if kind not in CONDITIONS:
        faults.append(FieldError(f"{pointer}/{kind[:TEXT_LIMIT]}", *_unknown()))
        return {}
    try:
        return {kind: CONDITIONS[kind].read(value)}
    except _Wrong as wrong:
        # An empty value says nothing of whom it is for: the whole document is what is wrong.
        at = pointer if wrong.code == "required" and depth == 1 else f"{pointer}/{kind}{wrong.below}"
        faults.append(FieldError(at, wrong.code, wrong.message))
        return {}


def _read_parts(value: Any, pointer: str, depth: int, faults: list[FieldError]) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        faults.append(FieldError(pointer, "required", "a list of at least one condition"))
    elif depth >= DEPTH_LIMIT:
        faults.append(FieldError(pointer, "too_deep", f"conditions are combined at most {DEPTH_LIMIT - 1} deep"))
    elif len(value) > CONDITION_LIMIT:
        faults.append(FieldError(pointer, "too_many", f"at most {CONDITION_LIMIT} conditions"))
    else:
        return [_read(part, f"{pointer}/{index}", depth + 1, faults) for index, part in enumerate(value)]
    return []


def _combine(kind: str, parts: tuple[Finding, ...]) -> Finding:
    verdicts = [part.holds for part in parts]
    decisive = kind == "any"  # one that holds decides "any", one that does not decides "all"
    holds = decisive if decisive in verdicts else None if None in verdicts else not decisive
    words = "At least one of these" if kind == "any" else "Each of these"
    met = sum(1 for verdict in verdicts if verdict)
    return Finding(words, holds, f"{met} of {len(parts)} hold", parts)


# --- what each kind of condition is


def _texts(value: Any) -> list[str]:
    """Different texts, sorted."""
    if not isinstance(value, list) or not value:
        raise _Wrong("required", "a list with at least one entry")
    if len(value) > VALUE_LIMIT:
        raise _Wrong("too_many", f"at most {VALUE_LIMIT} entries")
    for index, one in enumerate(value):
        if not isinstance(one, str) or not one.strip() or len(one) > TEXT_LIMIT or not one.isprintable():
            raise _Wrong("type", f"a text of at most {TEXT_LIMIT} characters that can be seen", f"/{index}")
    return sorted({one.strip() for one in value})


def _ids(value: Any) -> list[str]:
    """As texts; whether they are anything at all is asked where they are looked up."""
    return sorted({as_id(one) or one for one in _texts(value)})


def as_id(text: str) -> str | None:
    """A UUID in its usual form, None for anything else."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _named(value: Any, names: Sequence[str] | None) -> dict[str, Any]:
    if not isinstance(value, Mapping) or set(value) != {"name", "values"}:
        raise _Wrong("type", 'an object of "name" and "values"')
    name = value["name"]
    if not isinstance(name, str) or not name.strip() or len(name) > TEXT_LIMIT or not name.isprintable():
        raise _Wrong("type", f"a text of at most {TEXT_LIMIT} characters that can be seen", "/name")
    if names is not None and name not in names:
        raise _Wrong("unknown", f"one of {', '.join(names)}", "/name")
    return {"name": name.strip(), "values": value["values"]}


def _label(value: Any) -> dict[str, Any]:
    found = _named(value, None)
    return found | {"values": _below("/values", _texts, found["values"])}


def _setting(value: Any) -> dict[str, Any]:
    found = _named(value, SETTINGS)
    if found["name"] == "show_prices":
        return found | {"values": _below("/values", _booleans, found["values"])}
    return found | {"values": _below("/values", _texts, found["values"])}


def _contracts(value: Any) -> dict[str, list[str]]:
    if not isinstance(value, Mapping) or not set(value) <= set(OF_CONTRACTS):
        raise _Wrong("type", f"an object; it may have {', '.join(OF_CONTRACTS)}")
    return {name: _below(f"/{name}", _texts, value[name]) for name in OF_CONTRACTS if name in value}


def _booleans(value: Any) -> list[bool]:
    if not isinstance(value, list) or not value or not all(isinstance(one, bool) for one in value):
        raise _Wrong("type", "a list of true or false")
    return sorted(set(value))


def _below(step: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except _Wrong as wrong:
        raise _Wrong("type" if wrong.code == "required" else wrong.code, wrong.message, step + wrong.below) from None


def _or(values: Sequence[Any]) -> str:
    texts = [_plain(one) for one in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _plain(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _find_fact(
    of: Callable[[Consumer], str | None], noun: str
) -> Callable[[Sequence[str], Consumer], tuple[bool, str]]:
    def find(values: Sequence[str], consumer: Consumer) -> tuple[bool, str]:
        fact = of(consumer)
        return fact is not None and fact in values, f"its {noun} is {fact}" if fact else f"no {noun} is known of it"

    return find


def _find_connection(values: Sequence[str], consumer: Consumer) -> tuple[bool, str]:
    return consumer.connection_id in values, f"it is {consumer.name}"


def _find_label(value: Document, consumer: Consumer) -> tuple[bool, str]:
    fact = consumer.labels.get(value["name"])
    seen = f"its label {value['name']} is {fact}" if fact is not None else f"it has no label {value['name']}"
    return fact in value["values"], seen


def _find_setting(value: Document, consumer: Consumer) -> tuple[bool, str]:
    name = value["name"]
    fact = consumer.settings.get(name, False if name == "show_prices" else None)
    seen = f"its setting {name} is {_plain(fact)}" if fact is not None else f"its setting {name} is not known"
    return fact in value["values"], seen


def _find_owned(of: Callable[[Consumer], Mapping[str, Owned]]) -> Callable[[Sequence[str], Consumer], tuple[bool, str]]:
    def find(values: Sequence[str], consumer: Consumer) -> tuple[bool, str]:
        found = {key: owned for key, owned in of(consumer).items() if key in values}
        if not found:
            return False, "it has no product in use of that"
        return True, "; ".join(
            f"it has {owned.count} in use of {key}, such as {owned.example}" for key, owned in sorted(found.items())
        )

    return find


def _say_contracts(value: Document, names: Mapping[str, str]) -> str:
    named = f" named {_or(value['names'])}" if "names" in value else ""
    subjects = [names.get(one, one) for kind in OF_CONTRACTS[1:] for one in value.get(kind, ())]
    return f"Have a contract in force{named}" + (f" for {_or(subjects)}" if subjects else "")


def _find_contract(value: Document, consumer: Consumer) -> tuple[bool, str]:
    def told(some: Sequence[Agreement]) -> str:
        return ", ".join(f"{one.number} ({one.name})" for one in some)

    found = [one for one in consumer.contracts if one.is_for(value)]
    if found:
        return True, f"it has {told(found)} in force"
    others = f"; it has {told(consumer.contracts)}" if consumer.contracts else ""
    return False, f"it has no such contract in force{others}"


CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        "connection_ids": Condition(
            _ids, lambda ids, names: f"Are {_or(sorted(names.get(one, one) for one in ids))}", _find_connection
        ),
        "companies": Condition(
            _texts, lambda values, _: f"Belong to the company {_or(values)}", _find_fact(lambda c: c.company, "company")
        ),
        "accounts": Condition(
            _texts, lambda values, _: f"Belong to the account {_or(values)}", _find_fact(lambda c: c.account, "account")
        ),
        "label": Condition(
            _label, lambda value, _: f"Have the label {value['name']} with {_or(value['values'])}", _find_label
        ),
        "setting": Condition(
            _setting, lambda value, _: f"Have the setting {value['name']} with {_or(value['values'])}", _find_setting
        ),
        "owns_offerings": Condition(
            _texts,
            lambda values, names: f"Have a product in use of {_or([names.get(one, one) for one in values])}",
            _find_owned(lambda c: c.offerings),
        ),
        "owns_specifications": Condition(
            _texts,
            lambda values, names: f"Have a product in use made of {_or([names.get(one, one) for one in values])}",
            _find_owned(lambda c: c.specifications),
        ),
        "contracts": Condition(_contracts, _say_contracts, _find_contract),
    }
)
"""By what the document calls them. A kind that is added here can be asked for everywhere."""


def _unknown() -> tuple[str, str]:
    return "unknown", f"not a condition; those are {', '.join(CONDITIONS)}"
