"""Plain functions that make definitions of live choices, and variables that ask for them."""

from typing import Any

from sqlalchemy.orm import Session

from provider.models.choices import ChoiceDefinition
from provider.services.choice_definitions import create_definition, replace_rows
from tests.factories import AGENT, NOW

ROUTERS: dict[str, Any] = {
    "name": "my-routers", "source": "products", "description": "What a consumer has", "columns": [],
    "base_filter": {"state": ["active"]}, "display_field": "name", "info_fields": ["location"],
}  # fmt: skip
SITES = ROUTERS | {"name": "my-sites", "source": "locations", "base_filter": {}, "info_fields": []}
DATA_CENTRES = ROUTERS | {
    "name": "data-centres", "source": "list", "columns": ["city"], "base_filter": {}, "display_field": "display",
    "info_fields": ["city"],
}  # fmt: skip
CENTRES: list[dict[str, Any]] = [
    {"value": "fra1", "display": "Frankfurt One", "city": "Frankfurt"},
    {"value": "fra2", "display": "Frankfurt Two", "city": "Frankfurt"},
    {"value": "ber1", "display": "Berlin One", "city": "Berlin"},
]


def make_definition(session: Session, said: dict[str, Any] = DATA_CENTRES, **changes: Any) -> ChoiceDefinition:
    """One of the above; a list with its rows."""
    definition = create_definition(session, said | changes, AGENT, NOW)
    if definition.source == "list":
        replace_rows(session, definition.name, CENTRES, AGENT, NOW)
    return definition


def reference(key: str, definition: str, **choice: Any) -> dict[str, Any]:
    """A characteristic that is chosen from live data, as the catalog keeps it."""
    whole = {"definition": definition, "display_field": None, "info_fields": [], "depends_on": None, "qualifier": {}}
    return {
        "key": key, "name": key.capitalize(), "type": "reference", "mandatory": False, "default": None, "options": [],
        "min_cardinality": 0, "max_cardinality": None, "description": "", "configurable": True,
        "choice": whole | choice,
    }  # fmt: skip


def pair(value: str, display: str) -> dict[str, str]:
    return {"value": value, "display": display}


def as_variable(characteristic: dict[str, Any]) -> dict[str, Any]:
    """The same as a form has it."""
    named = {"label" if name == "name" else name: value for name, value in characteristic.items()}
    return {name: value for name, value in named.items() if name != "configurable"}
