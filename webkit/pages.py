"""A blueprint whose views are pages: each says who may see it, unsafe ones need the CSRF token, errors are pages too.

pages = Pages("orders", __name__)

@pages.page("/orders", "order.read")
def list_all() -> str: ...

@pages.action("/orders/<number>/approve", "order.approve")
def approve(number: str) -> Response: ...
"""

import re
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import urlsplit

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response as BaseResponse

from webkit.sessions import PROGRAMS
from webkit.site import Refusal, here
from webkit.words import sentence

View = TypeVar("View", bound=Callable[..., Any])

MARK = "sxg_access"
"""The attribute of a view that tells who may call it, as for the views of the API."""
PUBLIC = "public"
SIGNED_IN = "signed_in"

_PARTS_LIMIT = 5000
"""Fields of a form that may hold files: a table has many."""
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_UNSAFE_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_TOKEN = re.compile(rb"<input[^>]*csrf_token[^>]*>")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Pages(flask.Blueprint):
    """Pages of one subject. `permission` is one that the instance knows, `SIGNED_IN` or `PUBLIC`."""

    def __init__(self, name: str, import_name: str, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self._body_limits: dict[str, int] = {}
        self._upload_limits: dict[str, Callable[[], int]] = {}
        self.before_request(self._set_limit)
        self.before_request(_check_text)
        self.after_request(_finish)
        self.register_error_handler(Exception, error_page)

    def page(self, rule: str, permission: str) -> Callable[[View], View]:
        """A view that shows something: GET."""
        return self._guarded(rule, permission, ["GET"])

    def action(
        self, rule: str, permission: str, upload_limit: Callable[[], int] | None = None
    ) -> Callable[[View], View]:
        """A view that changes something: POST, with the CSRF token of this session; and files, as for a form."""
        return self._limited(self._guarded(rule, permission, ["POST"]), None, upload_limit)

    def form(
        self, rule: str, permission: str, body_limit_bytes: int | None = None,
        upload_limit: Callable[[], int] | None = None,
    ) -> Callable[[View], View]:  # fmt: skip
        """A view that shows a form and takes it: GET and POST. With a limit of its own it may be sent more than others,
        so that what is too long for a field can be said beside the field; with `upload_limit`, files as well, which
        never stand in memory, from people who are signed in.
        """
        return self._limited(self._guarded(rule, permission, ["GET", "POST"]), body_limit_bytes, upload_limit)

    def _limited(
        self, decorate: Callable[[View], View], body_limit_bytes: int | None, upload_limit: Callable[[], int] | None
    ) -> Callable[[View], View]:
        def limited(view: View) -> View:
            if body_limit_bytes is not None:
                self._body_limits[f"{self.name}.{view.__name__}"] = body_limit_bytes
            if upload_limit is not None:
                self._upload_limits[f"{self.name}.{view.__name__}"] = upload_limit
            return decorate(view)

        return limited

    def _set_limit(self) -> None:
        """Before anything reads the body."""
        upload_limit = self._upload_limits.get(flask.request.endpoint or "")
        if upload_limit is not None and current_user.is_authenticated:
            flask.request.max_content_length, flask.request.max_form_parts = upload_limit(), _PARTS_LIMIT
        limit = self._body_limits.get(flask.request.endpoint or "")
        if limit is not None:
            flask.request.max_content_length = flask.request.max_form_memory_size = limit

    def _guarded(self, rule: str, permission: str, methods: list[str]) -> Callable[[View], View]:
        def decorate(view: View) -> View:
            @wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
                refused = _refuse(permission)
                if refused is not None:
                    return refused
                if flask.request.method in _UNSAFE:
                    flask.current_app.extensions["csrf"].protect()
                try:
                    answer: ResponseReturnValue = view(*args, **kwargs)
                except here().refusals as error:
                    if methods != ["POST"]:
                        raise
                    return _go_back(here().refusal_of(error))
                return answer

            setattr(guarded, MARK, f"page:{permission}")
            self.add_url_rule(rule, endpoint=view.__name__, view_func=guarded, methods=methods)
            return view

        return decorate


def error_page(error: Exception) -> ResponseReturnValue:
    """What went wrong, as a page in the instance's own layout."""
    if isinstance(error, CSRFError):
        error = BadRequest("This page was open for too long, or in two sign-ins. Go back, reload it, and try again.")
    refusal = here().refusal_of(error)
    return _show_refusal(refusal)


def show_missing() -> ResponseReturnValue | None:
    """For an address that no route has: a page for people; programs get what they get for every other error."""
    if not isinstance(missing := flask.request.routing_exception, NotFound):
        return None
    accepted = flask.request.accept_mimetypes
    # Not `accepted.best`: of Chromium's that is the one with a parameter, which werkzeug takes for the most specific.
    wants_page = accepted["text/html"] > accepted["application/json"]
    if not wants_page or flask.request.path.startswith(PROGRAMS):
        return None
    return _finish(flask.make_response(error_page(missing)))


def _show_refusal(refusal: Refusal, ask: tuple[str, ...] = ()) -> ResponseReturnValue:
    page = flask.render_template("webkit/error.html", refusal=refusal, ask=ask)
    headers = {name: value for name, value in refusal.headers.items() if name.lower() != "www-authenticate"}
    return page, refusal.status, headers


def _refuse(permission: str) -> ResponseReturnValue | None:
    """The answer for those who may not; None for those who may."""
    if permission == PUBLIC:
        return None
    if not current_user.is_authenticated:
        return _send_to_sign_in()
    if permission == SIGNED_IN or current_user.may(permission):
        return None
    with here().database.reading() as session:
        ask = tuple(here().accounts.whom_to_ask(session, permission))
    return flask.render_template("webkit/forbidden.html", permission=permission, ask=ask), 403


def _send_to_sign_in() -> ResponseReturnValue:
    if flask.request.headers.get("X-Live"):
        return "", 401  # a page that looks after itself: its script loads it anew, and people see the sign-in
    back = flask.request.full_path.rstrip("?") if flask.request.method == "GET" else None
    return flask.redirect(flask.url_for("signin.sign_in", next=back), 303)


def _go_back(refusal: Refusal) -> ResponseReturnValue:
    """A button that was refused: the page it was on, as it is by now, and why above it."""
    came_from = urlsplit(flask.request.referrer or "")
    if came_from.netloc != flask.request.host or refusal.status in (403, 404):
        return _show_refusal(refusal)
    flask.flash(sentence(refusal.detail or refusal.title), "danger")
    return flask.redirect(came_from._replace(scheme="", netloc="").geturl() or "/", 303)


def _check_text() -> None:
    """Neither database keeps these; as a 400 here they are no field's error later."""
    for values in (flask.request.args, flask.request.form):
        if any(_UNSAFE_TEXT.search(text) for _, texts in values.lists() for text in texts):
            flask.abort(400, "A value holds control characters; remove them.")


def _finish(response: flask.Response) -> flask.Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    is_page = flask.request.method == "GET" and response.status_code == 200 and response.mimetype == "text/html"
    if is_page and not response.is_streamed:
        # The token is written differently each time; for whether anything changed it does not count.
        response.set_etag(sha256(_TOKEN.sub(b"", response.get_data())).hexdigest()[:32])
        return _conditional(response)
    return response


def _conditional(response: flask.Response) -> flask.Response:
    made: BaseResponse = response.make_conditional(flask.request.environ)
    assert isinstance(made, flask.Response)  # noqa: S101 - for the types: it returns itself
    return made
