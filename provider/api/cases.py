"""Provider tasks without an order, for the people who work on them."""

from typing import Any

import flask

from bridge.web import Blueprint
from provider.api.auth import requires
from provider.api.context import here
from provider.api.paging import page_document, page_schema
from provider.api.schemas_cases import (
    CaseDetailSchema,
    CaseQuestionSchema,
    CaseReasonSchema,
    CaseRowSchema,
    CasesQuerySchema,
    NewCaseSchema,
    ProposalSchema,
)
from provider.api.schemas_orders import CommentSchema, TextSchema, WorkNoteSchema
from provider.services import cases, comments
from provider.services.case_search import list_cases, show_case
from provider.services.order_view import work_note_data

blueprint = Blueprint("cases", __name__, url_prefix="/api/v1/cases", description="Provider tasks without an order.")

Document = dict[str, Any]


@blueprint.route("", methods=["GET"])
@requires("case.read")
@blueprint.arguments(CasesQuerySchema, location="query")
@blueprint.response(200, page_schema(CaseRowSchema))
def list_all(page: Document) -> Document:
    """Cases by number."""
    page["after"] = page.pop("cursor")
    with here().database.reading() as session:
        return page_document(list_cases(session, **page))


@blueprint.route("", methods=["POST"])
@requires("case.write")
@blueprint.arguments(NewCaseSchema)
@blueprint.response(201, CaseDetailSchema)
def open_one(body: Document) -> Document:
    """Tell a consumer of something on our own; it is told at once, or as soon as it understands that."""
    body["connection_id"] = str(body["connection_id"])
    with here().transaction() as session:
        opened = cases.open_case(session, **body, actor=flask.g.actor, now=here().clock())
        return show_case(session, opened.task.number)


@blueprint.route("/<number>", methods=["GET"])
@requires("case.read")
@blueprint.response(200, CaseDetailSchema)
def show(number: str) -> Document:
    """One case, by the number of its provider task."""
    with here().database.reading() as session:
        return show_case(session, number)


@blueprint.route("/<number>/take", methods=["POST"])
@requires("case.write")
@blueprint.response(200, CaseDetailSchema)
def take(number: str) -> Document:
    """Make it yours; one that was only received is in work from now on."""
    return _change(number, cases.take_case)


@blueprint.route("/<number>/give-back", methods=["POST"])
@requires("case.write")
@blueprint.response(200, CaseDetailSchema)
def give_back(number: str) -> Document:
    """Make it nobody's, in the state it has."""
    return _change(number, cases.give_back_case)


@blueprint.route("/<number>/ask", methods=["POST"])
@requires("case.write")
@blueprint.arguments(CaseQuestionSchema)
@blueprint.response(200, CaseDetailSchema)
def ask(body: Document, number: str) -> Document:
    """Let it wait for an answer of the consumer."""
    return _change(number, cases.ask_consumer, **body)


@blueprint.route("/<number>/resume", methods=["POST"])
@requires("case.write")
@blueprint.response(200, CaseDetailSchema)
def resume(number: str) -> Document:
    """Go on without the answer."""
    return _change(number, cases.resume_case)


@blueprint.route("/<number>/solution", methods=["POST"])
@requires("case.write")
@blueprint.arguments(ProposalSchema)
@blueprint.response(200, CaseDetailSchema)
def propose(body: Document, number: str) -> Document:
    """Say how it is solved; the consumer accepts or rejects that."""
    return _change(number, cases.propose_solution, **body)


@blueprint.route("/<number>/close", methods=["POST"])
@requires("case.write")
@blueprint.arguments(CaseReasonSchema)
@blueprint.response(200, CaseDetailSchema)
def close(body: Document, number: str) -> Document:
    """Close it with a solution that the consumer does not answer."""
    return _change(number, cases.close_unanswered, **body)


@blueprint.route("/<number>/cancel", methods=["POST"])
@requires("case.write")
@blueprint.arguments(CaseReasonSchema)
@blueprint.response(200, CaseDetailSchema)
def cancel(body: Document, number: str) -> Document:
    """Take back what we opened."""
    return _change(number, cases.withdraw_case, **body)


@blueprint.route("/<number>/comments", methods=["POST"])
@requires("comment.write")
@blueprint.arguments(TextSchema)
@blueprint.response(201, CommentSchema)
def comment(body: Document, number: str) -> Document:
    """Say something to the consumer."""
    author = flask.g.actor.removeprefix("user/")
    with here().transaction() as session:
        cases.lock_case(session, number)
        return comments.add_reply(session, number, text=body["text"], author_name=author, now=here().clock())


@blueprint.route("/<number>/work-notes", methods=["POST"])
@requires("work_note.write")
@blueprint.arguments(TextSchema)
@blueprint.response(201, WorkNoteSchema)
def note(body: Document, number: str) -> Document:
    """Note something that no consumer reads."""
    with here().transaction() as session:
        cases.lock_case(session, number)
        noted = comments.add_work_note(session, number, text=body["text"], author=flask.g.actor, now=here().clock())
        return work_note_data(noted)


def _change(number: str, act: Any, **said: Any) -> Document:
    with here().transaction() as session:
        act(session, number, **said, actor=flask.g.actor, now=here().clock())
        return show_case(session, number)
