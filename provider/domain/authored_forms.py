"""Which forms may people write by hand, and how is one changed question by question?

A form is the document of `docs/wire.md` 2.4; `place` names a question: the key of its set (empty: of none) and its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bridge.answered_files import ATTACHMENT, DEFAULT_SIZE_BYTES, find_limit_faults
from bridge.answers import CHECKS, LAYOUT_TYPES, AnswerError, check_answer
from bridge.attachments import AttachmentLimits
from bridge.patterns import compile_pattern
from provider.domain.catalog import repeated_keys
from provider.domain.errors import FieldError, InvalidFields, NotFound

QUESTIONS_LIMIT = 200
SETS_LIMIT = 20
ROWS_LIMIT = 100
SCALE_LIMIT = 20
BESIDES = ("quantity", "location", "contacts", "requested_on", "note")
"""What a form may ask beside its own questions."""

KINDS: Mapping[str, tuple[str, str, str]] = {
    "single_line": ("Single line of text", "text", "line"),
    "wide_line": ("Wide single line of text", "text", "wide"),
    "multi_line": ("Several lines of text", "multiline_text", ""),
    "masked": ("Masked text", "masked", ""),
    "yes_no": ("Yes or no", "boolean", ""),
    "checkbox": ("Checkbox", "boolean", "checkbox"),
    "integer": ("Whole number", "integer", ""),
    "decimal": ("Decimal number", "decimal", ""),
    "select_box": ("Select box", "choice", ""),
    "multiple_choice": ("Multiple choice", "choice", "radio"),
    "list_collector": ("List collector", "multiple_choice", ""),
    "numeric_scale": ("Numeric scale", "integer", "scale"),
    "date": ("Date", "date", ""),
    "date_time": ("Date and time", "datetime", ""),
    "duration": ("Duration", "duration", ""),
    "email": ("E-mail", "email", ""),
    "url": ("Web address", "url", ""),
    "ip_address": ("IP address", "ip_address", ""),
    "html": ("HTML", "html", ""),
    "requested_for": ("Requested for", "requested_for", ""),
    "reference": ("Reference to the provider's data", "reference", ""),
    "attachment": ("Attachment", ATTACHMENT, ""),
    "label": ("Label", "label", ""),
    "rich_text": ("Rich text label", "rich_text", ""),
    "break": ("Break", "break", ""),
    "container_start": ("Container start", "container_start", ""),
    "container_split": ("Container split", "container_split", ""),
    "container_end": ("Container end", "container_end", ""),
}
"""The types of variables as people know them: words, the type on the wire, and how it is shown."""

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_WITH_OPTIONS = frozenset({"choice", "multiple_choice"})
_MEASURED = frozenset({"integer", "decimal", "date", "datetime"})
_TEXTS = frozenset({"text", "multiline_text", "masked", "html"})
_PATTERNED = frozenset({"text", "masked"})
_NAMELESS = frozenset({"break", "container_start", "container_split", "container_end", "rich_text"})
_FIXED: Mapping[str, Any] = {
    "mandatory": False, "default": None, "options": [], "description": "", "min_cardinality": 0,
    "max_cardinality": None,
}  # fmt: skip
_OPTIONAL = ("display", "min", "max", "min_length", "max_length", "pattern", "pattern_hint", "choice")
_OF_FILES = ("max_size_bytes", "file_types")
_NO_LIMITS = AttachmentLimits()
FILES_LIMIT = 10
"""Questions for files in one form."""

Document = dict[str, Any]
Place = tuple[str, str]


class _Asked(NamedTuple):
    """One question, where it stands."""

    variable: Mapping[str, Any]
    pointer: str

    def flaw(self, member: str, code: str, message: str) -> FieldError:
        return FieldError(f"{self.pointer}/{member}", code, message)


def new_form() -> Document:
    """The form of an item that was just made: nothing is asked but a note."""
    return {"variables": [], "parts": [], "sets": [], "besides": ["note"]}


def complete_form(form: Mapping[str, Any], limits: AttachmentLimits = _NO_LIMITS) -> Document:
    """A form as it was written, with every member that the wire has. `limits` are what files of requests are held
    against here. Raises InvalidFields with all that is wrong.
    """
    made: Document = {
        "variables": [complete_variable(one, limits) for one in form.get("variables") or ()],
        "parts": [],
        "sets": [_complete_set(one, limits) for one in form.get("sets") or ()],
        "besides": [one for one in BESIDES if one in (form.get("besides") or ())],
    }
    if errors := [*_form_flaws(made), *_file_flaws(made, limits)]:
        raise InvalidFields(errors)
    return made


def complete_variable(variable: Mapping[str, Any], limits: AttachmentLimits = _NO_LIMITS) -> Document:
    """A question with every member that the wire always has, and those of the others that say something."""
    made: Document = {"key": variable["key"], "label": variable.get("label") or "", "type": variable["type"]}
    made |= {name: fixed if variable.get(name) is None else variable[name] for name, fixed in _FIXED.items()}
    told = _OPTIONAL if variable["type"] == "reference" else _OPTIONAL[:-1]
    made |= {name: variable[name] for name in (*told, *_OF_FILES) if variable.get(name) not in (None, "", [])}
    if variable["type"] == ATTACHMENT:
        made.setdefault("max_size_bytes", min(DEFAULT_SIZE_BYTES, limits.size_bytes))
    return made | {name: _normal(made, made[name]) for name in ("default", "min", "max") if made.get(name) is not None}


def kind_of(variable: Mapping[str, Any]) -> str:
    """The name in KINDS of what a variable is."""
    type_, display = variable["type"], variable.get("display") or ""
    exact = next((name for name, (_, *is_) in KINDS.items() if is_ == [type_, display]), None)
    return exact or next(name for name, (_, is_type, _) in KINDS.items() if is_type == type_)


def find_question(form: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    """Raises NotFound."""
    found = next((one for one in questions_of(form, place[0]) if one["key"] == place[1]), None)
    if found is None:
        raise NotFound("question", place[1])
    return found


def find_set(form: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Raises NotFound."""
    sets: Sequence[Mapping[str, Any]] = form.get("sets") or ()
    found = next((one for one in sets if one["key"] == key), None)
    if found is None:
        raise NotFound("set of questions", key)
    return found


def put_question(form: Mapping[str, Any], place: Place, variable: Mapping[str, Any]) -> Document:
    """The form with a question in place of the one there; one without a key stands there last. Raises NotFound."""
    if place[1]:
        find_question(form, place)
        return _with_questions(
            form, place[0], [variable if row["key"] == place[1] else row for row in _of(form, place)]
        )
    return _with_questions(form, place[0], [*questions_of(form, place[0]), variable])


def remove_question(form: Mapping[str, Any], place: Place) -> Document:
    """Raises NotFound."""
    find_question(form, place)
    return _with_questions(form, place[0], [row for row in _of(form, place) if row["key"] != place[1]])


def move_question(form: Mapping[str, Any], place: Place, by: int) -> Document:
    """One place up (-1) or down (1), where there is one. Raises NotFound."""
    find_question(form, place)
    return _with_questions(form, place[0], _moved(_of(form, place), place[1], by))


def put_set(form: Mapping[str, Any], key: str, new: Mapping[str, Any]) -> Document:
    """The form with a set in place of the one of this key, which keeps its questions; without a key it comes last."""
    sets = list(form.get("sets") or ())
    if key:
        former = find_set(form, key)
        made = {**new, "variables": former["variables"]}
        return {**form, "sets": [made if one is former else one for one in sets]}
    return {**form, "sets": [*sets, {**new, "variables": []}]}


def remove_set(form: Mapping[str, Any], key: str) -> Document:
    """With its questions. Raises NotFound."""
    find_set(form, key)
    return {**form, "sets": [one for one in form["sets"] if one["key"] != key]}


def move_set(form: Mapping[str, Any], key: str, by: int) -> Document:
    """As `move_question`."""
    find_set(form, key)
    return {**form, "sets": _moved(form["sets"], key, by)}


def why_not_published(form: Mapping[str, Any]) -> list[str]:
    """What a form still lacks, in sentences; nothing when it may be published."""
    sets = form.get("sets") or ()
    found = []
    if not any(_asks(one) for one in (form["variables"], *(one["variables"] for one in sets))):
        found.append("The form asks nothing yet: add a question.")
    found += [f"{one['label']} has no question." for one in sets if not _asks(one["variables"])]
    lists = [("The form", form["variables"]), *((one["label"], one["variables"]) for one in sets)]
    return found + [f"{name} has a container that {wrong}." for name, some in lists if (wrong := _unbalanced(some))]


def _of(form: Mapping[str, Any], place: Place) -> Sequence[Mapping[str, Any]]:
    return questions_of(form, place[0])


def questions_of(form: Mapping[str, Any], set_key: str) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = (find_set(form, set_key) if set_key else form)["variables"]
    return found


def _with_questions(form: Mapping[str, Any], set_key: str, variables: Sequence[Mapping[str, Any]]) -> Document:
    if not set_key:
        return {**form, "variables": list(variables)}
    changed = [{**one, "variables": list(variables)} if one["key"] == set_key else one for one in form["sets"]]
    return {**form, "sets": changed}


def _moved(rows: Sequence[Mapping[str, Any]], key: str, by: int) -> list[Mapping[str, Any]]:
    moved, place = list(rows), next(number for number, row in enumerate(rows) if row["key"] == key)
    if 0 <= place + by < len(moved):
        moved[place], moved[place + by] = moved[place + by], moved[place]
    return moved


def _complete_set(one: Mapping[str, Any], limits: AttachmentLimits) -> Document:
    many = bool(one.get("many"))
    return {
        "key": one["key"],
        "label": one.get("label") or "",
        "many": many,
        "min_rows": (one.get("min_rows") or 0) if many else 0,
        "max_rows": one.get("max_rows") if many else None,
        "description": one.get("description") or "",
        "variables": [complete_variable(variable, limits) for variable in one.get("variables") or ()],
    }


def _normal(variable: Mapping[str, Any], value: Any) -> Any:
    """As answers are kept: "5" is 5. What is no answer stays, to be told."""
    try:
        return check_answer({**variable, "min": None, "max": None}, value)
    except (AnswerError, KeyError):
        return value


def _asks(variables: Sequence[Mapping[str, Any]]) -> bool:
    return any(variable["type"] not in LAYOUT_TYPES for variable in variables)


def _unbalanced(variables: Sequence[Mapping[str, Any]]) -> str:
    open_ = 0
    for variable in variables:
        if variable["type"] in ("container_split", "container_end") and not open_:
            return f"{'ends' if variable['type'] == 'container_end' else 'is split'} before it starts"
        open_ += {"container_start": 1, "container_end": -1}.get(variable["type"], 0)
    return "never ends" if open_ else ""


def _form_flaws(form: Mapping[str, Any]) -> Iterator[FieldError]:
    total = len(form["variables"]) + sum(len(one["variables"]) for one in form["sets"])
    if total > QUESTIONS_LIMIT:
        yield FieldError("/variables", "range", f"a form has at most {QUESTIONS_LIMIT} questions")
    if len(form["sets"]) > SETS_LIMIT:
        yield FieldError("/sets", "range", f"a form has at most {SETS_LIMIT} sets")
    yield from repeated_keys([one["key"] for one in form["sets"]], "/sets", "set")
    yield from _list_flaws(form["variables"], "/variables")
    for index, one in enumerate(form["sets"]):
        yield from _set_flaws(one, f"/sets/{index}")


def _file_flaws(form: Mapping[str, Any], limits: AttachmentLimits) -> Iterator[FieldError]:
    lists = [("", form["variables"]), *((f"/sets/{index}", one["variables"]) for index, one in enumerate(form["sets"]))]
    asked = [
        _Asked(variable, f"{pointer}/variables/{index}")
        for pointer, some in lists
        for index, variable in enumerate(some)
    ]
    files = [one for one in asked if one.variable["type"] == ATTACHMENT]
    if len(files) > FILES_LIMIT:
        yield FieldError("/variables", "range", f"a form asks for at most {FILES_LIMIT} files")
    for one in asked:
        told = [name for name in _OF_FILES if name in one.variable]
        if one.variable["type"] != ATTACHMENT and told:
            yield one.flaw(told[0], "not_allowed", "only a question for a file has it")
        yield from (one.flaw(*fault) for fault in find_limit_faults(one.variable, limits))


def _set_flaws(one: Mapping[str, Any], pointer: str) -> Iterator[FieldError]:
    yield from _name_flaws(one, pointer)
    least, most = one["min_rows"], one["max_rows"]
    if least > (ROWS_LIMIT if most is None else most) or (most is not None and not 1 <= most <= ROWS_LIMIT):
        message = f"the most is between the least and {ROWS_LIMIT}, and at least 1"
        yield FieldError(f"{pointer}/max_rows", "range", message)
    if one["many"] and not all(variable["type"] not in LAYOUT_TYPES for variable in one["variables"]):
        yield FieldError(f"{pointer}/variables", "not_allowed", "a table has no room for layout: only questions")
    yield from _list_flaws(one["variables"], f"{pointer}/variables")


def _list_flaws(variables: Sequence[Mapping[str, Any]], pointer: str) -> Iterator[FieldError]:
    yield from repeated_keys([variable["key"] for variable in variables], pointer, "question")
    for index, variable in enumerate(variables):
        asked = _Asked(variable, f"{pointer}/{index}")
        flaws = [flaw for find in (_kind_flaws, _option_flaws, _bound_flaws, _text_flaws) for flaw in find(asked)]
        yield from flaws or _default_flaws(asked)


def _name_flaws(row: Mapping[str, Any], pointer: str, *, is_named: bool = True) -> Iterator[FieldError]:
    if not _KEY.fullmatch(row["key"]):
        yield FieldError(f"{pointer}/key", "format", "must begin with a letter, of letters, digits and _, 60 at most")
    if is_named and not row["label"].strip():
        yield FieldError(f"{pointer}/label", "required", "must say what is asked")


def _kind_flaws(asked: _Asked) -> Iterator[FieldError]:
    variable, type_ = asked
    type_ = variable["type"]
    yield from _name_flaws(
        {**variable, "label": variable["label"] or ("-" if type_ in _NAMELESS else "")}, asked.pointer
    )
    if type_ not in CHECKS and type_ not in LAYOUT_TYPES:
        yield asked.flaw("type", "not_an_option", "is no type that this version has")
    if variable.get("display") and [type_, variable["display"]] not in [list(is_) for _, *is_ in KINDS.values()]:
        yield asked.flaw("display", "not_allowed", f"{type_} cannot be shown so")
    if type_ == "rich_text" and not variable["description"].strip():
        yield asked.flaw("description", "required", "must say something")
    if type_ in LAYOUT_TYPES and variable["mandatory"]:
        yield asked.flaw("mandatory", "not_allowed", "nothing is asked here, so nothing can be mandatory")


def _option_flaws(asked: _Asked) -> Iterator[FieldError]:
    variable, values = asked.variable, [option["value"] for option in asked.variable["options"]]
    takes = variable["type"] in _WITH_OPTIONS
    if takes != bool(values):
        yield asked.flaw(
            "options", *(("required", "needs an option") if takes else ("not_allowed", "takes no options"))
        )
    if len(set(values)) != len(values) or "" in values:
        yield asked.flaw("options", "duplicate", "each option needs a value of its own")
    most = variable["max_cardinality"]
    if most is not None and most < max(1, variable["min_cardinality"]):
        yield asked.flaw("max_cardinality", "range", f"must be at least {max(1, variable['min_cardinality'])}")


def _bound_flaws(asked: _Asked) -> Iterator[FieldError]:
    variable = asked.variable
    told = {name: variable[name] for name in ("min", "max") if variable.get(name) is not None}
    if told and variable["type"] not in _MEASURED:
        yield asked.flaw(next(iter(told)), "not_allowed", "only numbers and times have bounds")
        return
    for name, value in told.items():
        try:
            check_answer({"type": variable["type"], "min": told.get("min") if name == "max" else None}, value)
        except AnswerError as error:
            yield asked.flaw(name, error.code, error.message)
            return
    if variable.get("display") == "scale" and not _is_scale(told):
        yield asked.flaw("max", "range", f"a scale needs both ends, at most {SCALE_LIMIT} steps apart")


def _is_scale(told: Mapping[str, Any]) -> bool:
    least, most = told.get("min"), told.get("max")
    return isinstance(least, int) and isinstance(most, int) and 0 < most - least < SCALE_LIMIT


def _text_flaws(asked: _Asked) -> Iterator[FieldError]:
    variable = asked.variable
    least, most, pattern = (variable.get(name) for name in ("min_length", "max_length", "pattern"))
    if variable["type"] not in _TEXTS and (least is not None or most is not None):
        yield asked.flaw("max_length", "not_allowed", "only text has a length")
    if most is not None and most < max(1, least or 0):
        yield asked.flaw("max_length", "range", f"must be at least {max(1, least or 0)}")
    if pattern and variable["type"] not in _PATTERNED:
        yield asked.flaw("pattern", "not_allowed", "only a line of text is held against a pattern")
    elif pattern and compile_pattern(pattern) is None:
        message = "must be characters and classes such as [A-Z]{2}-\\d+, without groups and choices"
        yield asked.flaw("pattern", "format", message)


def _default_flaws(asked: _Asked) -> Iterator[FieldError]:
    variable = asked.variable
    default = variable["default"]
    if default is None:
        return
    if variable["type"] in LAYOUT_TYPES or variable["type"] in ("masked", "reference", ATTACHMENT):
        yield asked.flaw("default", "not_allowed", "there is no default here")
        return
    try:
        check_answer(variable, default)
    except AnswerError as error:
        yield asked.flaw("default", error.code, error.message)
