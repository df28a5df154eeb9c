"""Live choices: definitions and lists for our own people, and what a consumer may choose while it fills in a form."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import connected, requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document
from provider.api.schemas_choices import (
    DEFINITION_PAGE,
    ChoicesQuerySchema,
    ChoicesSchema,
    DefinitionRequestSchema,
    DefinitionSchema,
    EditDefinitionSchema,
    RowsRequestSchema,
    RowsSchema,
)
from provider.models.choices import ChoiceDefinition
from provider.services import choice_definitions, choice_lookup
from provider.services.connections import as_id

Document = dict[str, Any]

blueprint = Blueprint(
    "choice_definitions", __name__, url_prefix="/api/v1/choice-definitions",
    description="What consumers choose from while they fill in a form.",
)  # fmt: skip
exchange = Blueprint(
    "exchange_choices", __name__, url_prefix="/exchange/v1/catalog-items",
    description="For consumers: what can be chosen in a form.",
)  # fmt: skip


@exchange.route("/<item_id>/choices", methods=["GET"])
@connected
@exchange.arguments(ChoicesQuerySchema, location="query")
@exchange.response(200, ChoicesSchema)
def find(asked: Document, item_id: str) -> Document:
    """What you may choose for one variable of the form of an item: rows of yours alone."""
    identity, pointer = as_id("catalog item", item_id), asked.pop("variable")
    with here().database.reading() as session:
        found = choice_lookup.find_choices(
            session, flask.g.connection, identity, asked.pop("revision"), pointer, **asked
        )
    return {"items": found.items, "more": found.more, "max_age_s": choice_lookup.MAX_AGE_S}


@blueprint.route("", methods=["GET"])
@requires("producer.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, DEFINITION_PAGE)
def list_all(page: Document) -> Document:
    """Definitions by name."""
    with here().database.reading() as session:
        return page_document(choice_definitions.list_definitions(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(DefinitionRequestSchema)
@blueprint.response(201, DefinitionSchema)
def create(body: Document) -> ChoiceDefinition:
    """Say what can be chosen; variables of forms name it."""
    with here().transaction() as session:
        return choice_definitions.create_definition(session, body, flask.g.actor, here().clock())


@blueprint.route("/<name>", methods=["GET"])
@requires("producer.read")
@blueprint.response(200, DefinitionSchema)
def get(name: str) -> ChoiceDefinition:
    """One definition."""
    with here().database.reading() as session:
        return choice_definitions.get_definition(session, name)


@blueprint.route("/<name>/edit", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(EditDefinitionSchema)
@blueprint.response(200, DefinitionSchema)
def edit(body: Document, name: str) -> ChoiceDefinition:
    """Change it for all forms that use it; its name and its source stay."""
    with here().transaction() as session:
        return choice_definitions.edit_definition(session, name, body, flask.g.actor, here().clock())


@blueprint.route("/<name>", methods=["DELETE"])
@requires("producer.write")
@blueprint.response(204)
def delete(name: str) -> None:
    """Forget it with its list; not while a form uses it."""
    with here().transaction() as session:
        choice_definitions.delete_definition(session, name, flask.g.actor, here().clock())


@blueprint.route("/<name>/rows", methods=["PUT"])
@requires("producer.write")
@blueprint.arguments(RowsRequestSchema)
@blueprint.response(200, RowsSchema)
def replace_rows(body: Document, name: str) -> Document:
    """Put these rows in place of all that the list has."""
    with here().transaction() as session:
        count = choice_definitions.replace_rows(session, name, body["rows"], flask.g.actor, here().clock())
        return {"rows": count}
