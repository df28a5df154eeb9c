"""Whom we let in: registrations and their tokens, for our own people."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import NewRegistrationSchema, RegistrationRequestSchema, RegistrationSchema
from provider.services import registrations
from provider.services.pages import Page

blueprint = Blueprint(
    "registrations", __name__, url_prefix="/api/v1/registrations", description="Registrations of consumers."
)


@blueprint.route("", methods=["POST"])
@requires("registration.write")
@blueprint.arguments(RegistrationRequestSchema)
@blueprint.response(201, NewRegistrationSchema)
def create(body: dict[str, Any]) -> dict[str, Any]:
    """A new registration with its token, which is shown this once."""
    context, now = here(), here().clock()
    with context.transaction() as session:
        made, token = registrations.create_registration(session, context.guard, **body, actor=flask.g.actor, now=now)
        return registrations.show_registration(made, now=now) | {"token": token}


@blueprint.route("", methods=["GET"])
@requires("connection.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(RegistrationSchema))
def list_all(page: dict[str, Any]) -> dict[str, Any]:
    """All registrations: at which step each stands, why it is stuck, and what to do."""
    now = here().clock()
    with here().database.reading() as session:
        found = registrations.list_registrations(session, limit=page["limit"], after=page["cursor"])
        shown = [registrations.show_registration(one, now=now) for one in found.items]
        return page_document(Page(shown, found.next_key))


@blueprint.route("/<registration_id>", methods=["GET"])
@requires("connection.read")
@blueprint.response(200, RegistrationSchema)
def get(registration_id: str) -> dict[str, Any]:
    """One registration, by its id or its number."""
    with here().database.reading() as session:
        found = registrations.get_registration(session, registration_id)
        return registrations.show_registration(found, now=here().clock())


@blueprint.route("/<registration_id>/reissue", methods=["POST"])
@requires("registration.write")
@blueprint.response(200, NewRegistrationSchema)
def reissue(registration_id: str) -> dict[str, Any]:
    """A new token in place of one that is lost or too old; by id or number."""
    now = here().clock()
    with here().transaction() as session:
        made, token = registrations.reissue_token(session, registration_id, actor=flask.g.actor, now=now)
        return registrations.show_registration(made, now=now) | {"token": token}
