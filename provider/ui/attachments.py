"""Files of orders, and of tasks without one: attach one, fetch one, offer one again. Their pages list them."""

from typing import Any

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user

from bridge.downloads import download, upload_limit
from provider.services import attachments
from provider.services.attachment_content import find_content, keep_file
from provider.services.connections import as_id
from provider.ui.context import here
from webkit.pages import Pages
from webkit.uploads import FileForm

pages = Pages("attachments", __name__)


@pages.form("/orders/<number>/attach", "comment.write", upload_limit=lambda: upload_limit(here().attachment_limits))
def attach(number: str) -> ResponseReturnValue:
    """Give the consumer a file; a page of its own only when something is wrong with it."""
    return _take(number)


@pages.form("/cases/<number>/attach", "comment.write", upload_limit=lambda: upload_limit(here().attachment_limits))
def attach_to_case(number: str) -> ResponseReturnValue:
    """The same for a task without an order."""
    return _take(number)


def _take(number: str) -> ResponseReturnValue:
    form, limits = FileForm(), here().attachment_limits
    if form.done(lambda: _attach(number, form.chosen)):
        return _back(number)
    with here().database.reading() as session:
        attachments.check_order(session, number)
    page = flask.render_template("provider/attach.html", number=number, form=form, limits=limits, owner=_owner(number))
    return page, 422 if form.is_submitted() else 200


@pages.page("/attachments/<attachment_id>", "order.read")
def fetch(attachment_id: str) -> ResponseReturnValue:
    with here().database.reading() as session:
        attachment = attachments.get_attachment(session, as_id("attachment", attachment_id))
    return download(find_content(here().files, attachment), attachment.name)


@pages.action("/cases/<number>/attachments/<attachment_id>/retry", "comment.write")
def retry_of_case(number: str, attachment_id: str) -> ResponseReturnValue:
    return retry(number, attachment_id)


@pages.action("/orders/<number>/attachments/<attachment_id>/retry", "comment.write")
def retry(number: str, attachment_id: str) -> ResponseReturnValue:
    with here().transaction() as session:
        attachments.retry_attachment(session, as_id("attachment", attachment_id), now=here().clock())
    return _back(number)


def rows_for_page(order: dict[str, Any]) -> list[dict[str, Any]]:
    """The files of an order, or of a case, as its page lists them, with what can be done."""
    return [_row(order["number"], one) for one in order["attachments"]]


def _row(number: str, one: dict[str, Any]) -> dict[str, Any]:
    ours, there = not one["from_consumer"], one["state"] == "there"
    may_retry = ours and one["state"] == "refused" and current_user.may("comment.write")
    return {
        **one, "author_name": one["author"]["name"], "author_company": one["author"]["company"],
        "problem": one["reason"], "ours": ours,
        "url": flask.url_for("attachments.fetch", attachment_id=one["id"]) if ours or there else None,
        "retry": flask.url_for(_retry(), number=number, attachment_id=one["id"]) if may_retry else None,
    }  # fmt: skip


def _retry() -> str:
    return "attachments.retry_of_case" if flask.request.path.startswith("/cases/") else "attachments.retry"


def _attach(number: str, chosen: Any) -> None:
    context, limits = here(), here().attachment_limits
    name = chosen.filename or "file"
    kept = keep_file(context.database, context.files, number, name, chosen.stream, limits)
    said: dict[str, Any] = {"name": name, "media_type": chosen.mimetype, "kept": kept, "limits": limits}
    with context.transaction() as session:
        attachments.attach_file(session, number, **said, author_name=current_user.name, now=context.clock())


def _back(number: str) -> ResponseReturnValue:
    return flask.redirect(f"{_owner(number)}#conversation", 303)


def _owner(number: str) -> str:
    """The page that the file is listed on."""
    noun = "cases" if flask.request.path.startswith("/cases/") else "orders"
    return flask.url_for(f"{noun}.show", number=number)
