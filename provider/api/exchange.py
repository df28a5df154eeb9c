"""What consumers call to connect and to see what they may order. `docs/wire.md` describes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flask

from bridge.models import Connection
from bridge.web import Blueprint
from provider.api.auth import connected, known, public
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import (
    ActivationSchema,
    ActivationStateSchema,
    AdmissionSchema,
    CatalogItemSchema,
    IntroductionSchema,
    LinkSchema,
)
from provider.domain.errors import DomainError
from provider.models.catalog import Entitlement
from provider.services import connections, entitlements, registrations, revisions
from provider.services.registrations import Introduction

blueprint = Blueprint("exchange", __name__, url_prefix="/exchange/v1", description="For consumers: connect, see items.")


@blueprint.route("/registrations/complete", methods=["POST"])
@public
@blueprint.arguments(IntroductionSchema)
@blueprint.response(201, AdmissionSchema)
def complete(body: dict[str, Any]) -> dict[str, Any]:
    """Credentials for a registration token. Until the callback is verified, repeating it voids what it gave before."""
    context, token = here(), body.pop("token")
    said = Introduction(**{name: str(value) for name, value in body.items()})
    with _refusals_noted(token=token), context.transaction() as session:
        admission = registrations.complete_registration(
            session, context.keyring, context.guard, token, said, now=context.clock()
        )
        return {**_link(admission.connection), "client_id": admission.connection.client_id, **_secrets(admission)}


@blueprint.route("/connection", methods=["GET"])
@known
@blueprint.response(200, LinkSchema)
def get_connection() -> dict[str, Any]:
    """The state of your connection."""
    with here().database.reading() as session:
        return _link(connections.get_connection(session, flask.g.connection))


@blueprint.route("/connection/verify", methods=["POST"])
@known
@blueprint.response(200, LinkSchema)
def verify() -> dict[str, Any]:
    """Challenge your callback, and open the connection when it answers."""
    context = here()
    with context.database.reading() as session:
        challenge = registrations.prepare_challenge(session, context.identity, flask.g.connection, now=context.clock())
    with _refusals_noted(connection_id=flask.g.connection):
        registrations.send_challenge(context.carrier(), challenge)
        with context.transaction() as session:
            return _link(registrations.activate_connection(session, challenge, now=context.clock()))


@blueprint.route("/catalog-items", methods=["GET"])
@connected
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(CatalogItemSchema))
def list_items(page: dict[str, Any]) -> dict[str, Any]:
    """The items you are entitled to."""
    with here().database.reading() as session:
        found = entitlements.list_catalog_items(session, flask.g.connection, limit=page["limit"], after=page["cursor"])
        return page_document(found)


@blueprint.route("/catalog-items/<item_id>", methods=["GET"])
@connected
@blueprint.response(200, CatalogItemSchema)
def get_item(item_id: str) -> dict[str, Any]:
    """One item with its form."""
    with here().database.reading() as session:
        identity = connections.as_id("catalog item", item_id)
        return entitlements.show_catalog_item(session, flask.g.connection, identity)


@blueprint.route("/catalog-items/<item_id>/activation", methods=["POST"])
@connected
@blueprint.arguments(ActivationSchema)
@blueprint.response(200, ActivationStateSchema)
def report_activation(body: dict[str, Any], item_id: str) -> dict[str, Any]:
    """Tell what you did with an item. It may be repeated; it decides nothing about ordering."""
    context, identity = here(), connections.as_id("catalog item", item_id)
    with context.transaction() as session:
        return _activation(
            revisions.accept_activation(session, flask.g.connection, identity, **body, now=context.clock())
        )


@contextmanager
def _refusals_noted(**whose: str) -> Iterator[None]:
    """What a consumer is refused on its way in is kept with its registration, where our people see why it is stuck."""
    try:
        yield
    except DomainError as refusal:
        with here().transaction() as session:
            registrations.note_problem(session, str(refusal), **whose, now=here().clock())
        raise


def _link(connection: Connection) -> dict[str, Any]:
    identity = here().identity
    return {
        "connection_id": connection.id,
        "state": connection.state,
        "number_prefix": connection.number_prefix,
        "provider": {"instance_id": identity.id, "name": identity.name},
    }


def _secrets(admission: registrations.Admission) -> dict[str, str]:
    return {"client_secret": admission.client_secret, "webhook_secret": admission.webhook_secret}


def _activation(entitlement: Entitlement) -> dict[str, Any]:
    return {
        "item_id": entitlement.identity,
        "state": entitlement.consumer_state,
        "revision": entitlement.revision,
        "active_revision": entitlement.active_revision,
    }
