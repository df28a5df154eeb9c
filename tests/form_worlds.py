"""What the generated tests need of items written by hand: one of them, and bodies that their routes accept."""

from typing import Any

from sqlalchemy.orm import Session

from provider.services.authoring import author_producer
from tests.factories import NOW

Document = dict[str, Any]

QUESTIONS: Document = {
    "variables": [
        {
            "key": "size", "label": "Size", "type": "choice", "display": "radio", "mandatory": True, "default": "s",
            "description": "Of it.", "options": [{"value": "s", "label": "Small"}],
        },
        {"key": "day", "label": "Day", "type": "date", "min": "2026-01-01", "max": "2026-12-31"},
        {
            "key": "code", "label": "Code", "type": "text", "min_length": 1, "max_length": 9, "pattern": "[A-Z]+",
            "pattern_hint": "be capitals",
        },
        {
            "key": "which", "label": "Which", "type": "multiple_choice", "options": [{"value": "a"}],
            "min_cardinality": 0, "max_cardinality": 1,
        },
    ],
    "sets": [
        {
            "key": "people", "label": "People", "many": True, "min_rows": 0, "max_rows": 3, "description": "Who?",
            "variables": [{"key": "name", "label": "Name", "type": "text"}],
        }
    ],
    "besides": ["note"],
}  # fmt: skip


def add_to_provider(session: Session) -> tuple[str, dict[str, Document], dict[str, Document]]:
    """The item's identity, bodies by endpoint, and ids by endpoint that other routes must not use up."""
    identity = author_producer(session, {"name": "Access", "form": QUESTIONS}, "system", NOW).identity
    unknown = "77aa1c0d-0000-4000-8000-000000000001"
    bodies = {
        "producers.author": {
            "name": "Guests",
            "short_description": "Who comes",
            "description": "",
            "help_text": "Ask.",
        },
        "producers.put_form": QUESTIONS,
        "producers.publish_many": {"identities": [unknown], "criteria": {"all_consumers": True}},
        "catalog.sell_many": {"entries": [{"kind": "offering", "id": unknown}]},
    }
    return identity, bodies, {"producers.put_form": {"identity": identity}}
