"""Contracts with consumers, for our own people."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import page_document, page_schema
from provider.api.schemas import ReasonSchema
from provider.api.schemas_contracts import (
    ContractRequestSchema,
    ContractSchema,
    ContractsQuerySchema,
    EditContractSchema,
)
from provider.services import contracts

Document = dict[str, Any]

blueprint = Blueprint(
    "contracts", __name__, url_prefix="/api/v1/contracts", description="What was agreed with consumers."
)


@blueprint.route("", methods=["GET"])
@requires("contract.read")
@blueprint.arguments(ContractsQuerySchema, location="query")
@blueprint.response(200, page_schema(ContractSchema))
def list_all(asked: Document) -> Document:
    """Contracts by number."""
    with here().database.reading() as session:
        found = contracts.list_contracts(session, state=asked["state"], limit=asked["limit"], after=asked["cursor"])
        return page_document(found)


@blueprint.route("", methods=["POST"])
@requires("contract.write")
@blueprint.arguments(ContractRequestSchema)
@blueprint.response(201, ContractSchema)
def create(body: Document) -> Document:
    """A draft; nothing follows from it before it is activated."""
    with here().transaction() as session:
        made = contracts.create_contract(session, body, flask.g.actor, here().clock())
        return contracts.show_contract(session, made.number)


@blueprint.route("/<number>", methods=["GET"])
@requires("contract.read")
@blueprint.response(200, ContractSchema)
def get(number: str) -> Document:
    """One contract with its lines."""
    with here().database.reading() as session:
        return contracts.show_contract(session, number)


@blueprint.route("/<number>/edit", methods=["POST"])
@requires("contract.write")
@blueprint.arguments(EditContractSchema)
@blueprint.response(200, ContractSchema)
def edit(body: Document, number: str) -> Document:
    """Change a draft; of one that is activated the name and the last day."""
    with here().transaction() as session:
        contracts.edit_contract(session, number, body, flask.g.actor, here().clock())
        return contracts.show_contract(session, number)


@blueprint.route("/<number>/activate", methods=["POST"])
@requires("contract.write")
@blueprint.response(200, ContractSchema)
def activate(number: str) -> Document:
    """From its first day on it is in force: at once, or by itself when that day comes."""
    with here().transaction() as session:
        contracts.activate_contract(session, number, flask.g.actor, here().clock())
        return contracts.show_contract(session, number)


@blueprint.route("/<number>/cancel", methods=["POST"])
@requires("contract.write")
@blueprint.arguments(ReasonSchema)
@blueprint.response(200, ContractSchema)
def cancel(body: Document, number: str) -> Document:
    """End it now, for ever."""
    with here().transaction() as session:
        contracts.cancel_contract(session, number, body["reason"], flask.g.actor, here().clock())
        return contracts.show_contract(session, number)
