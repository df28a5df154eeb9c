"""The scratchpad of a provider task, for our own programs and people."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.schemas_cases import OwnScratchpadEntrySchema, ScratchpadEntrySchema, ScratchpadSchema
from provider.services import scratchpads

blueprint = Blueprint(
    "scratchpads", __name__, url_prefix="/api/v1/provider-tasks", description="What programs leave on provider tasks."
)

Document = dict[str, Any]


@blueprint.route("/<number>/scratchpad", methods=["GET"])
@requires("case.read")
@blueprint.response(200, ScratchpadSchema)
def list_all(number: str) -> Document:
    """Both sides' entries, by name; the number is the provider task's, with or without an order."""
    with here().database.reading() as session:
        return {"items": scratchpads.show_entries(session, number)}


@blueprint.route("/<number>/scratchpad/<name>", methods=["GET"])
@requires("case.read")
@blueprint.response(200, ScratchpadEntrySchema)
def show(number: str, name: str) -> Document:
    """One entry."""
    with here().database.reading() as session:
        return scratchpads.get_entry(session, number, name)


@blueprint.route("/<number>/scratchpad/<name>", methods=["PUT"])
@requires("case.write")
@blueprint.arguments(OwnScratchpadEntrySchema)
@blueprint.response(200, ScratchpadEntrySchema)
def put(body: Document, number: str, name: str) -> Document:
    """Write an entry; the consumer is told."""
    return _write(number, name, body["value"], body["client_visible"])


@blueprint.route("/<number>/scratchpad/<name>", methods=["DELETE"])
@requires("case.write")
@blueprint.response(200, ScratchpadEntrySchema)
def remove(number: str, name: str) -> Document:
    """Remove an entry, if it is there; the consumer is told."""
    return _write(number, name, None, False)


def _write(number: str, name: str, value: str | None, client_visible: bool) -> Document:
    author = flask.g.actor.removeprefix("user/")
    said: Document = {"client_visible": client_visible, "author": author, "now": here().clock()}
    with here().transaction() as session:
        return scratchpads.write_entry(session, number, name, value, **said)
