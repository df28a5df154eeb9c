"""What consumers are offered, for our own people: review, publish to an audience, revise, retire."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import PageSchema, page_document, page_schema
from provider.api.schemas import ProducerDetailSchema, ProducerSchema, PublishSchema
from provider.api.schemas_producers import (
    BulkOutcomesSchema,
    BulkPublishSchema,
    EditProducerSchema,
    FormSchema,
    HandWrittenItemSchema,
)
from provider.models.catalog import RemoteRecordProducer
from provider.services import authoring, bulk_publishing, producers, revisions

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


@blueprint.route("", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(HandWrittenItemSchema)
@blueprint.response(201, ProducerSchema)
def author(body: dict[str, Any]) -> RemoteRecordProducer:
    """Write an item by hand, as a draft. Its requests are provider tasks without an order."""
    with here().transaction() as session:
        return authoring.author_producer(session, body, flask.g.actor, here().clock(), here().attachment_limits)


@blueprint.route("/bulk/publish", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(BulkPublishSchema)
@blueprint.response(200, BulkOutcomesSchema)
def publish_many(body: dict[str, Any]) -> dict[str, Any]:
    """Publish the drafts of up to 20 items, each judged by itself."""
    identities = [str(one) for one in body["identities"]]
    with here().transaction() as session:
        now = here().clock()
        found = bulk_publishing.publish_producers(session, identities, body["criteria"], flask.g.actor, now)
        return {"outcomes": found}


@blueprint.route("/<identity>/form", methods=["PUT"])
@requires("producer.write")
@blueprint.arguments(FormSchema)
@blueprint.response(200, ProducerSchema)
def put_form(body: dict[str, Any], identity: str) -> RemoteRecordProducer:
    """What an item written by hand is to ask; of what is published a draft is made first."""
    with here().transaction() as session:
        return authoring.replace_form(session, identity, body, flask.g.actor, here().clock(), here().attachment_limits)


@blueprint.route("/<identity>", methods=["GET"])
@requires("producer.read")
@blueprint.response(200, ProducerDetailSchema)
def get(identity: str) -> dict[str, Any]:
    """One item with its form and all revisions."""
    with here().database.reading() as session:
        found = producers.list_revisions(session, identity)
        return {"identity": found[-1].identity, "form": found[-1].form, "revisions": found}


@blueprint.route("/<identity>/publish", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(PublishSchema)
@blueprint.response(200, ProducerSchema)
def publish(body: dict[str, Any], identity: str) -> RemoteRecordProducer:
    """Publish the draft to an audience, or change the audience of what is published."""
    with here().transaction() as session:
        return producers.publish_producer(session, identity, body["criteria"], flask.g.actor, here().clock())


@blueprint.route("/<identity>/retire", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, ProducerSchema)
def retire(identity: str) -> RemoteRecordProducer:
    """End ordering of the item."""
    with here().transaction() as session:
        return producers.retire_producer(session, identity, flask.g.actor, here().clock())


@blueprint.route("/<identity>/edit", methods=["POST"])
@requires("producer.write")
@blueprint.arguments(EditProducerSchema)
@blueprint.response(200, ProducerSchema)
def edit(body: dict[str, Any], identity: str) -> RemoteRecordProducer:
    """Change the draft; of what is published a draft is made first."""
    with here().transaction() as session:
        return revisions.edit_producer(session, identity, body, flask.g.actor, here().clock())


@blueprint.route("/<identity>", methods=["DELETE"])
@requires("producer.write")
@blueprint.response(204)
def delete(identity: str) -> None:
    """Forget a retired item with all its revisions, for ever."""
    with here().transaction() as session:
        revisions.delete_producer(session, identity, flask.g.actor, here().clock())


@blueprint.route("/<identity>/checkout", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, ProducerSchema)
def checkout(identity: str) -> RemoteRecordProducer:
    """A draft of the next revision; what is published stays until the draft is."""
    with here().transaction() as session:
        return revisions.checkout_producer(session, identity, flask.g.actor, here().clock())


@blueprint.route("/<identity>/cancel-draft", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, ProducerSchema)
def cancel_draft(identity: str) -> RemoteRecordProducer:
    """Throw the draft away; the newest revision without it."""
    with here().transaction() as session:
        return revisions.cancel_draft(session, identity, flask.g.actor, here().clock())


@blueprint.route("/<identity>/revisions/<revision>/archive", methods=["POST"])
@requires("producer.write")
@blueprint.response(200, ProducerSchema)
def archive(identity: str, revision: str) -> RemoteRecordProducer:
    """End ordering of an inactive revision, also for consumers that have not switched."""
    with here().transaction() as session:
        return revisions.archive_revision(session, identity, revision, flask.g.actor, here().clock())


@blueprint.route("/<identity>/revisions/<revision>/copy", methods=["POST"])
@requires("producer.write")
@blueprint.response(201, ProducerSchema)
def copy(identity: str, revision: str) -> RemoteRecordProducer:
    """An item of its own, as a draft."""
    with here().transaction() as session:
        return revisions.copy_revision(session, identity, revision, flask.g.actor, here().clock())
