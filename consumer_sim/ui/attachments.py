"""Files of requests: attach one, fetch one, try again. They are listed on the request's page."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user

from bridge.downloads import download, upload_limit
from consumer_sim.models_attachments import Attachment
from consumer_sim.services import attachments, tasks
from consumer_sim.services.request_search import get_found
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.pages import Pages
from webkit.uploads import FileForm

pages = Pages("attachments", __name__)
_ONE = "/attachments/<uuid:connection_id>/<uuid:attachment_id>"


@pages.form(
    "/requests/<uuid:connection_id>/<uuid:task_id>/attach", Permission.REQUEST_WRITE,
    upload_limit=lambda: upload_limit(here().config.attachments),
)  # fmt: skip
def attach(connection_id: UUID, task_id: UUID) -> ResponseReturnValue:
    """Give the provider a file; a page of its own only when something is wrong with it."""
    form, place = FileForm(), {"connection_id": str(connection_id), "task_id": str(task_id)}
    if form.done(lambda: _attach(place, form.chosen)):
        return _go_to(**place)
    with here().database.reading() as session:
        found = get_found(session, **place)
    told: dict[str, Any] = {"found": found, "place": place, "limits": here().config.attachments}
    return flask.render_template("consumer/attach.html", form=form, **told), 422 if form.is_submitted() else 200


@pages.page(_ONE, Permission.REQUEST_READ)
def fetch(connection_id: UUID, attachment_id: UUID) -> ResponseReturnValue:
    with here().database.reading() as session:
        found = attachments.get_attachment(session, str(attachment_id), connection_id=str(connection_id))
    return download(attachments.find_content(here().files, found), found.name)


@pages.action(f"{_ONE}/retry", Permission.REQUEST_WRITE)
def retry(connection_id: UUID, attachment_id: UUID) -> ResponseReturnValue:
    with here().database.transaction() as session:
        found = attachments.get_attachment(session, str(attachment_id), connection_id=str(connection_id), lock=True)
        attachments.retry_attachment(session, found, now=here().clock())
    return _go_to(str(connection_id), found.task_id)


def rows_for_page(found: Sequence[Attachment], *, can_retry: bool = True) -> list[dict[str, Any]]:
    """The files of a request as its page lists them, with what can be done."""
    return [_row(one, can_retry and current_user.may(Permission.REQUEST_WRITE)) for one in found]


def _row(one: Attachment, can_retry: bool) -> dict[str, Any]:
    names = (
        "name",
        "sha256",
        "size_bytes",
        "author_name",
        "author_company",
        "created_at",
        "state",
        "problem",
        "moved_bytes",
    )
    place: dict[str, Any] = {"connection_id": one.connection_id, "attachment_id": one.id}
    may_retry = one.state == "refused" and can_retry
    return {
        **{name: getattr(one, name) for name in names}, "ours": one.own, "moved_bytes": one.moved_bytes,
        "url": flask.url_for("attachments.fetch", **place) if one.own or one.state == "there" else None,
        "retry": flask.url_for("attachments.retry", **place) if may_retry else None,
    }  # fmt: skip


def _attach(place: dict[str, str], chosen: Any) -> None:
    context, limits = here(), here().config.attachments
    with context.database.reading() as session:
        name = attachments.check_talking(get_found(session, **place).task, chosen.filename or "file", limits)
    said: dict[str, Any] = {"name": name, "media_type": chosen.mimetype, "author_name": current_user.name}
    said |= {"kept": context.files.keep(chosen.stream, name, limits), "limits": limits}
    with context.database.transaction() as session:
        task = tasks.lock_task(session, **place)
        attachments.attach_file(session, task, **said, company=context.identity.name, now=context.clock())


def _go_to(connection_id: str, task_id: str) -> ResponseReturnValue:
    place: dict[str, Any] = {"connection_id": connection_id, "task_id": task_id}
    return flask.redirect(flask.url_for("requests.show", **place, _anchor="conversation"), 303)
