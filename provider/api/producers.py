"""What consumers are offered, for our own people: review, publish to an audience, retire."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import ProducerDetailSchema, ProducerSchema, PublishSchema
from provider.models.catalog import RemoteRecordProducer
from provider.services import producers

blueprint = Blueprint(
    "producers", __name__, url_prefix="/api/v1/remote-record-producers", description="Remote record producers."
)


@blueprint.route("", methods=["GET"])
@requires("producer.read")
@blueprint.arguments(PageSchema, location="query")
@blueprint.response(200, page_schema(ProducerSchema))
def list_all(page: dict[str, Any]) -> dict[str, Any]:
    """All revisions of all items."""
    with here().database.reading() as session:
        return page_document(producers.list_producers(session, limit=page["limit"], after=page["cursor"]))


@blueprint.route("/<identity>", methods=["GET"])
@requires("producer.read")
@blueprint.response(200, ProducerDetailSchema)
def get(identity: str) -> dict[str, Any]:
    """One item with its form and all revisions."""
    with here().database.reading() as session:
        revisions = producers.list_revisions(session, identity)
        return {"identity": revisions[-1].identity, "form": revisions[-1].form, "revisions": revisions}


@blueprint.route("/<identity>/publish", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(PublishSchema)
@blueprint.response(200, ProducerSchema)
def publish(body: dict[str, Any], identity: str) -> RemoteRecordProducer:
    """Publish the draft to an audience, or change the audience of what is published."""
    criteria = {**body["criteria"], **_texts(body["criteria"])}
    with here().transaction() as session:
        return producers.publish_producer(session, identity, criteria, flask.g.actor, here().clock())


@blueprint.route("/<identity>/retire", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, ProducerSchema)
def retire(identity: str) -> RemoteRecordProducer:
    """End ordering of the item."""
    with here().transaction() as session:
        return producers.retire_producer(session, identity, flask.g.actor, here().clock())


def _texts(criteria: dict[str, Any]) -> dict[str, list[str]]:
    return {"connection_ids": [str(id_) for id_ in criteria["connection_ids"]]} if "connection_ids" in criteria else {}
