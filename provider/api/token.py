"""The token endpoint of OAuth 2.0 (RFC 6749, 4.4): form in, and its own error documents instead of problems."""

from typing import Any

import flask
from werkzeug.exceptions import RequestEntityTooLarge

from bridge.schemas import UNSAFE_TEXT
from bridge.web import Blueprint
from provider.api.auth import public
from provider.api.context import here
from provider.services.connections import issue_token
from provider.services.errors import CredentialsInvalid

blueprint = Blueprint("token", __name__, url_prefix="/exchange/v1", description="For consumers: sign in.")

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def _texts(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": [names[0]]}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_REFUSED = _json("An error of RFC 6749, 5.2.", _texts("error", "error_description"))
_FORM = {"application/x-www-form-urlencoded": {"schema": _texts("grant_type", "client_id", "client_secret")}}
_TOKEN = _texts("access_token", "token_type")
_TOKEN["properties"]["expires_in"] = {"type": "integer", "description": "In seconds."}
_DOC = {
    "requestBody": {"required": True, "content": _FORM},
    "responses": {"200": _json("A bearer token.", _TOKEN), "400": _REFUSED, "401": _REFUSED, "413": _REFUSED},
}


class TokenRefused(Exception):
    """One of the error codes of RFC 6749, 5.2."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


@blueprint.route("/token", methods=["POST"])
@public
@blueprint.doc(**_DOC)
def token() -> flask.typing.ResponseReturnValue:
    """A bearer token for the credentials that onboarding gave."""
    client_id, client_secret = _credentials()
    if UNSAFE_TEXT.search(client_id):
        raise CredentialsInvalid
    with here().transaction() as session:
        bearer, life_s = issue_token(session, client_id, client_secret, now=here().clock())
    return {"access_token": bearer, "token_type": "Bearer", "expires_in": life_s}, 200, _NO_STORE


@blueprint.errorhandler(TokenRefused)
def _refused(error: TokenRefused) -> flask.typing.ResponseReturnValue:
    return {"error": error.code, "error_description": str(error)}, 400, _NO_STORE


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_large(_error: RequestEntityTooLarge) -> flask.typing.ResponseReturnValue:
    return {"error": "invalid_request", "error_description": "the form is too large"}, 413, _NO_STORE


@blueprint.errorhandler(CredentialsInvalid)
def _invalid_client(error: CredentialsInvalid) -> flask.typing.ResponseReturnValue:
    headers = _NO_STORE | {"WWW-Authenticate": 'Basic realm="provider"'}
    return {"error": "invalid_client", "error_description": str(error)}, 401, headers


def _credentials() -> tuple[str, str]:
    """From HTTP Basic or the form, never from both, and each parameter once."""
    form: Any = flask.request.form
    if any(len(form.getlist(name)) > 1 for name in form):
        raise TokenRefused("invalid_request", "a parameter is there more than once")
    if "grant_type" not in form:
        raise TokenRefused("invalid_request", "grant_type is missing; send a form")
    if form["grant_type"] != "client_credentials":
        raise TokenRefused("unsupported_grant_type", "the only grant type is client_credentials")
    basic = flask.request.authorization
    if basic is not None and basic.type == "basic":
        if "client_secret" in form:
            raise TokenRefused("invalid_request", "credentials are in the header and in the form")
        return basic.username or "", basic.password or ""
    return form.get("client_id", ""), form.get("client_secret", "")
