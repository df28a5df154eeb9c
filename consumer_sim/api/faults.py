"""The receiver's fault switch, for tests and the demo."""

from dataclasses import asdict
from typing import Any

from bridge.web import Blueprint
from consumer_sim.api.auth import protect
from consumer_sim.api.context import here
from consumer_sim.api.schemas import FaultSchema
from consumer_sim.services import faults
from consumer_sim.services.faults import Fault

blueprint = protect(Blueprint("faults", __name__, url_prefix="/api/v1", description="Misbehaviour on demand."))


@blueprint.route("/faults", methods=["GET"])
@blueprint.response(200)
def get_fault() -> dict[str, Any]:
    """How the receiver misbehaves now."""
    with here().database.reading() as session:
        return asdict(faults.get_fault(session))


@blueprint.route("/faults", methods=["PUT"])
@blueprint.arguments(FaultSchema)
@blueprint.response(200)
def set_fault(body: dict[str, Any]) -> dict[str, Any]:
    """Turn the switch; `times` counts down with each use."""
    fault = Fault(**body)
    with here().database.transaction() as session:
        faults.set_fault(session, fault)
    return asdict(fault)
