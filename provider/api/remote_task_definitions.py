"""Definitions of remote tasks, for our own people: write, publish to an audience, revise, retire."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import PublishSchema
from provider.api.schemas_remote_tasks import (
    NewRemoteTaskDefinitionSchema,
    RemoteTaskDefinitionContentSchema,
    RemoteTaskDefinitionDetailSchema,
    RemoteTaskDefinitionSchema,
)
from provider.models.remote_tasks import RemoteTaskDefinition
from provider.services import remote_task_definitions as definitions

blueprint = Blueprint(
    "definitions", __name__, url_prefix="/api/v1/remote-task-definitions", description="Definitions of remote tasks."
)


def _who() -> dict[str, Any]:
    return {"actor": flask.g.actor, "now": here().clock()}


@blueprint.route("", methods=["GET"])
@requires("producer.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(RemoteTaskDefinitionSchema))
def list_all(page: dict[str, Any]) -> dict[str, Any]:
    """All revisions of all definitions."""
    with here().database.reading() as session:
        return page_document(definitions.list_definitions(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(NewRemoteTaskDefinitionSchema)
@blueprint.response(201, RemoteTaskDefinitionSchema)
def draft(body: dict[str, Any]) -> RemoteTaskDefinition:
    """A new definition, as a draft."""
    with here().transaction() as session:
        return definitions.draft_definition(session, body, **_who())


@blueprint.route("/<definition_id>", methods=["GET"])
@requires("producer.read")
@blueprint.response(200, RemoteTaskDefinitionDetailSchema)
def get(definition_id: str) -> dict[str, Any]:
    """One definition with all revisions."""
    with here().database.reading() as session:
        found = definitions.list_revisions(session, definition_id)
        return {"identity": found[-1].identity, "revisions": found}


@blueprint.route("/<definition_id>/edit", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(RemoteTaskDefinitionContentSchema)
@blueprint.response(200, RemoteTaskDefinitionSchema)
def edit(body: dict[str, Any], definition_id: str) -> RemoteTaskDefinition:
    """Change the draft."""
    with here().transaction() as session:
        return definitions.edit_definition(session, definition_id, body, **_who())


@blueprint.route("/<definition_id>", methods=["DELETE"])
@requires("producer.write")
@blueprint.response(204)
def delete(definition_id: str) -> None:
    """Forget a retired definition with all its revisions. Its remote tasks stay, disconnected."""
    with here().transaction() as session:
        definitions.delete_definition(session, definition_id, **_who())


@blueprint.route("/<definition_id>/publish", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(PublishSchema)
@blueprint.response(200, RemoteTaskDefinitionSchema)
def publish(body: dict[str, Any], definition_id: str) -> RemoteTaskDefinition:
    """Publish the draft to an audience, or change the audience of what is published."""
    with here().transaction() as session:
        return definitions.publish_definition(session, definition_id, body["criteria"], **_who())


@blueprint.route("/<definition_id>/checkout", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, RemoteTaskDefinitionSchema)
def checkout(definition_id: str) -> RemoteTaskDefinition:
    """A draft of the next revision."""
    with here().transaction() as session:
        return definitions.checkout_definition(session, definition_id, **_who())


@blueprint.route("/<definition_id>/cancel-draft", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, RemoteTaskDefinitionSchema)
def cancel_draft(definition_id: str) -> RemoteTaskDefinition:
    """Throw the draft away; the newest revision without it."""
    with here().transaction() as session:
        return definitions.cancel_draft(session, definition_id, **_who())


@blueprint.route("/<definition_id>/retire", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, RemoteTaskDefinitionSchema)
def retire(definition_id: str) -> RemoteTaskDefinition:
    """End its use: consumers lose it, its remote tasks are disconnected."""
    with here().transaction() as session:
        return definitions.retire_definition(session, definition_id, **_who())


@blueprint.route("/<definition_id>/revisions/<revision>/archive", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, RemoteTaskDefinitionSchema)
def archive(definition_id: str, revision: str) -> RemoteTaskDefinition:
    """End the use of an inactive revision."""
    with here().transaction() as session:
        return definitions.archive_revision(session, definition_id, revision, **_who())


@blueprint.route("/<definition_id>/revisions/<revision>/copy", methods=["POST"])
@requires("producer.write")
@blueprint.response(201, RemoteTaskDefinitionSchema)
def copy(definition_id: str, revision: str) -> RemoteTaskDefinition:
    """A definition of its own, as a draft."""
    with here().transaction() as session:
        return definitions.copy_revision(session, definition_id, revision, **_who())
