"""Who may order what, for our own people: why, what would change, and what waits for their word."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.schemas_entitlements import (
    DecidedRemovalSchema,
    ExplainQuerySchema,
    ExplanationSchema,
    HeldRemovalsSchema,
    PreviewRequestSchema,
    PreviewSchema,
    RefreshedSchema,
)
from provider.models.criteria import HeldRemoval
from provider.services import entitlement_explanations, held_removals
from provider.services.entitlement_checks import refresh_by_hand

Document = dict[str, Any]

blueprint = Blueprint(
    "entitlements", __name__, url_prefix="/api/v1", description="Who may order what: computed from criteria."
)


@blueprint.route("/entitlements/explain", methods=["GET"])
@requires("producer.read")
@blueprint.arguments(ExplainQuerySchema, location="query")
@blueprint.response(200, ExplanationSchema)
def explain(asked: Document) -> Document:
    """Why a consumer is, or is not, entitled to an item: each condition with what it looked at."""
    with here().database.reading() as session:
        return entitlement_explanations.explain_entitlement(session, asked["consumer"], asked["item"])


@blueprint.route("/entitlements/preview", methods=["POST"])
@requires("producer.read")
@blueprint.arguments(PreviewRequestSchema)
@blueprint.response(200, PreviewSchema)
def preview(asked: Document) -> Document:
    """What computing entitlements now would add and remove, by name, also with other criteria. Nothing is changed."""
    now = here().clock()
    with here().database.reading() as session:
        found = entitlement_explanations.preview_entitlements(session, now, asked["item"], asked["criteria"])
        return {"items": found}


@blueprint.route("/entitlements/refresh", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, RefreshedSchema)
def refresh() -> Document:
    """Compute all entitlements again now; where all is right nothing is changed or sent."""
    with here().transaction() as session:
        return {"changed": refresh_by_hand(session, actor=flask.g.actor, now=here().clock())}


@blueprint.route("/held-removals", methods=["GET"])
@requires("producer.read")
@blueprint.response(200, HeldRemovalsSchema)
def list_held() -> Document:
    """Removals of so many entitlements that a person has to look first."""
    with here().database.reading() as session:
        return {"items": held_removals.list_held_removals(session)[0]}


@blueprint.route("/held-removals/<removal_id>/confirm", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, DecidedRemovalSchema)
def confirm(removal_id: str) -> HeldRemoval:
    """Remove the item from those who still do not match."""
    return _decide(removal_id, confirm=True)


@blueprint.route("/held-removals/<removal_id>/keep", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, DecidedRemovalSchema)
def keep(removal_id: str) -> HeldRemoval:
    """Let them keep the item, until its criteria are changed."""
    return _decide(removal_id, confirm=False)


def _decide(removal_id: str, *, confirm: bool) -> HeldRemoval:
    now, actor = here().clock(), flask.g.actor
    with here().transaction() as session:
        return held_removals.decide_removal(session, removal_id, confirm=confirm, actor=actor, now=now)
