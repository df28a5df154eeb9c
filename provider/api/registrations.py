"""Whom we let in: registrations and their tokens, for our own people."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import NewRegistrationSchema, RegistrationRequestSchema, RegistrationSchema
from provider.models.access import Registration
from provider.services import registrations

blueprint = Blueprint(
    "registrations", __name__, url_prefix="/api/v1/registrations", description="Registrations of consumers."
)


@blueprint.route("", methods=["POST"])
@requires("registration.write")
@blueprint.arguments(RegistrationRequestSchema)
@blueprint.response(201, NewRegistrationSchema)
def create(body: dict[str, Any]) -> dict[str, Any]:
    """A new registration with its token, which is shown this once."""
    with here().transaction() as session:
        made, token = registrations.create_registration(session, **body, actor=flask.g.actor, now=here().clock())
        return _with_token(made, token)


@blueprint.route("", methods=["GET"])
@requires("connection.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(RegistrationSchema))
def list_all(page: dict[str, Any]) -> dict[str, Any]:
    """All registrations."""
    with here().database.reading() as session:
        return page_document(registrations.list_registrations(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("/<registration_id>/reissue", methods=["POST"])
@requires("registration.write")
@blueprint.response(200, NewRegistrationSchema)
def reissue(registration_id: str) -> dict[str, Any]:
    """A new token in place of one that is lost or too old."""
    with here().transaction() as session:
        return _with_token(
            *registrations.reissue_token(session, registration_id, actor=flask.g.actor, now=here().clock())
        )


def _with_token(registration: Registration, token: str) -> dict[str, Any]:
    columns = {column.name: getattr(registration, column.name) for column in Registration.__table__.columns}
    return {**columns, "token": token}
