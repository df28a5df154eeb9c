"""The documents of connection care."""

from marshmallow import fields

from bridge.schemas import StrictSchema, Uuid


class IssuesQuerySchema(StrictSchema):
    connection_id = Uuid(load_default=None, metadata={"description": "Of this connection only."})
    resolved = fields.Boolean(load_default=False, metadata={"description": "Those that are over.", "example": False})
