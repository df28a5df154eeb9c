"""Lists over HTTP: `?limit=` and an opaque `?cursor=`, answered with `{"items": [...], "next": cursor or null}`."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields

from bridge.schemas import BoundedInt, StrictSchema, strict_json
from provider.services.pages import Page

_CURSOR_LIMIT = 600


class Cursor(fields.String):
    """The key after which a page begins, as text that nobody should look into."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            key = strict_json(base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)) if text else None
        except ValueError:  # RefusedDocument is one
            key = ...
        if len(text) > _CURSOR_LIMIT or not (key is None or isinstance(key, list)):
            raise ValidationError("This is not a cursor that this list gave.")
        return key


class PageSchema(StrictSchema):
    """The query of a list. Lists with filters derive from it."""

    limit = BoundedInt(
        minimum=1, maximum=200, from_text=True, load_default=50, metadata={"description": "How many.", "example": 50}
    )
    cursor = Cursor(load_default=None, metadata={"description": "`next` of the page before.", "example": "WyJhIl0="})


def page_schema(item: type[Schema]) -> Schema:
    """The document of a list of `item`."""
    name = f"{item.__name__.removesuffix('Schema')}PageSchema"
    made: Any = Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True, metadata={"description": "The page."}),
            "next": fields.String(
                required=True,
                allow_none=True,
                metadata={"description": "The cursor of the next page, null at the end."},
            ),
        },
        name=name,
    )
    schema: Schema = made()
    return schema


def page_document(page: Page[Any], document: Callable[[Any], Any] = lambda row: row) -> dict[str, Any]:
    """A page as its document; `document` says what a row looks like."""
    cursor = None
    if page.next_key is not None:
        cursor = base64.urlsafe_b64encode(json.dumps(page.next_key).encode()).decode()
    return {"items": [document(row) for row in page.items], "next": cursor}
