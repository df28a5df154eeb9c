"""What is an instance, as its pages show it, and how does an app get them? Start here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from itertools import groupby
from typing import Any, Protocol, cast

import flask
from flask_bootstrap import Bootstrap5
from flask_login import LoginManager
from flask_wtf.csrf import CSRFProtect

from webkit import words
from webkit.accounts import Account, Accounts, Stranger
from webkit.advice import Advice
from webkit.sessions import Database, DatabaseSessions

_KEY = "sxg-site"


class Refusal(Protocol):
    """What an error means for people: `bridge.web.Problem` is one."""

    @property
    def status(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def detail(self) -> str | None: ...
    @property
    def errors(self) -> list[dict[str, str]] | None: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Entry:
    """A place in the navigation, shown to those who hold the permission; None: to everybody who is signed in.

    Neighbours of one `group` share a menu of that name, where more than one of them is shown.
    """

    label: str
    endpoint: str
    permission: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Site:
    """One instance. `side` is the word beside its name, and chooses its colour."""

    name: str
    side: str
    database: Database
    accounts: Accounts
    navigation: Sequence[Entry]
    refusals: tuple[type[Exception], ...]
    """Errors that a form answers beside its fields; everything else is a page of its own."""
    advice: Mapping[str, Advice]
    """What helps here, by the kind of the trouble."""
    refusal_of: Callable[[Exception], Refusal]
    clock: Callable[[], datetime]
    secret_key: str
    instance_id: str
    is_https: bool

    def places(self, may: Callable[[str], bool]) -> list[tuple[str | None, list[Entry]]]:
        """The navigation for somebody: the entries of each menu by its name; a place of its own under None."""
        shown = [entry for entry in self.navigation if entry.permission is None or may(entry.permission)]
        menus = [(group, list(entries)) for group, entries in groupby(shown, key=lambda entry: entry.group)]
        return [
            place
            for group, entries in menus
            for place in ([(group, entries)] if group and entries[1:] else [(None, [entry]) for entry in entries])
        ]


def here() -> Site:
    """The site of the app that answers this request."""
    site: Site = flask.current_app.extensions[_KEY]
    return site


def install(app: flask.Flask, site: Site) -> None:
    """Give an app sign-in, sessions, CSRF and everything that templates expect. Its pages are registered after this."""
    from webkit import api_docs, pages, signin  # noqa: PLC0415 - they need `here`

    app.extensions[_KEY] = site
    app.static_url_path = "/static"
    # Cookies know no port: two instances on one host would sign each other's people out. The id tells them apart.
    app.config |= {
        "SECRET_KEY": site.secret_key,
        "SESSION_COOKIE_NAME": f"{'__Host-' if site.is_https else ''}sxg-{site.instance_id[:8]}",
        "SESSION_COOKIE_SECURE": site.is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_REFRESH_EACH_REQUEST": False,
        "WTF_CSRF_CHECK_DEFAULT": False,  # `Pages` asks for the token; the API takes no cookies at all
        "WTF_CSRF_TIME_LIMIT": None,  # the token ends with the session: a page may stay open over lunch
        "BOOTSTRAP_SERVE_LOCAL": True,
    }
    app.session_interface = cast(Any, DatabaseSessions(app, site.database, site.clock))
    Bootstrap5(app)
    CSRFProtect(app)
    _sign_in_manager(site).init_app(app)
    app.register_blueprint(_assets())
    app.register_blueprint(signin.make_pages())
    app.register_blueprint(api_docs.pages)
    app.before_request(pages.show_missing)
    words.install(app, site.clock)
    app.jinja_env.tests["open"] = _is_open
    app.context_processor(lambda: {"site": site, "is_live": bool(flask.request.headers.get("X-Live"))})


def _is_open(entry: Entry) -> bool:
    """Whether the page is this place, or one below it."""
    path, here = flask.url_for(entry.endpoint), flask.request.path
    return here == path or (path != "/" and here.startswith(path))


def _sign_in_manager(site: Site) -> LoginManager:
    manager = LoginManager()
    manager.session_protection = None  # the id is random and kept here; people's addresses change
    manager.anonymous_user = Stranger

    def load(account_id: str) -> Account | None:
        with site.database.reading() as session:
            return site.accounts.find(session, account_id)

    manager.user_loader(load)
    return manager


def _assets() -> flask.Blueprint:
    """Our own templates, scripts and style; and Swagger UI, as its package ships it."""
    assets = flask.Blueprint("webkit", __name__, template_folder="templates", static_folder="static")
    assets.static_url_path = "/static/webkit"
    swagger = flask.Blueprint("swagger", __name__, static_folder=str(resources.files("flask_swagger_ui") / "dist"))
    swagger.static_url_path = "/static/swagger"
    assets.register_blueprint(swagger)
    return assets
