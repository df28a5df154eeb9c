"""What consumers call to name the users that may order what asks for personas. `docs/wire.md`, section 4.6."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import connected
from provider.api.context import here
from provider.api.idempotency import answer_once
from provider.api.paging import PageSchema, page_document
from provider.api.schemas_personas import USER_PAGE, AuthorisedUserSchema, ToldUserSchema
from provider.services import authorised_users

blueprint = Blueprint("exchange_users", __name__, url_prefix="/exchange/v1", description="For consumers: their users.")

Document = dict[str, Any]


@blueprint.route("/authorised-users", methods=["POST"])
@connected
@blueprint.arguments(ToldUserSchema)
@blueprint.response(200, AuthorisedUserSchema)
def tell(body: Document) -> flask.Response:
    """Name a user, or say otherwise of one: personas, groups, active or not. What is decided comes as an event, too."""
    me = flask.g.connection
    return answer_once(
        200,
        lambda session, now: authorised_users.user_data(
            authorised_users.take_authorised_user(session, me, body, now=now)
        ),
    )


@blueprint.route("/authorised-users", methods=["GET"])
@connected
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, USER_PAGE)
def list_own(page: Document) -> Document:
    """Your users as they are known here: fetch them again after you lost something."""
    place: Document = {"limit": page["limit"], "after": page["cursor"]}
    with here().database.reading() as session:
        found = authorised_users.list_authorised_users(session, flask.g.connection, **place)
        return page_document(found, authorised_users.user_data)
