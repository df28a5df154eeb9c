"""Who may use the API for people and their programs: whoever brings the instance's token."""

import hmac

import flask

from bridge.web import Blueprint, Problem, problem_response
from consumer_sim.api.context import here

_REALM = {"WWW-Authenticate": 'Bearer realm="consumer"'}


def protect(blueprint: Blueprint) -> Blueprint:
    """Lets nobody to the blueprint's routes without the token."""
    blueprint.before_request(_refuse_strangers)
    return blueprint


def _refuse_strangers() -> flask.Response | None:
    kind, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        return problem_response(
            Problem(401, "unauthorized", "Unauthorized", "Send the token as a bearer token.", headers=_REALM)
        )
    if not hmac.compare_digest(token.strip().encode(errors="replace"), here().config.api_token.encode()):
        return problem_response(Problem(403, "forbidden", "Forbidden", "This is not the token of this instance."))
    return None
