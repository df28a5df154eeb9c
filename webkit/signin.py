"""Signing in and out."""

from urllib.parse import urlsplit

import flask
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user
from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired, Length

from webkit import accounts
from webkit.forms import Form
from webkit.pages import PUBLIC, Pages
from webkit.sessions import sweep_sessions
from webkit.site import here

FAILURES = parse_many("10 per minute; 60 per hour")
"""What an address may guess wrong. Each process counts for itself, and forgets when it ends."""
_WRONG = "No account here has this name and password."


class SignInForm(Form):
    name = StringField(
        "Name", [InputRequired("Your name here."), Length(max=120)], render_kw={"autocomplete": "username"}
    )
    password = PasswordField(
        "Password",
        [InputRequired("Your password."), Length(max=accounts.PASSWORD_MOST)],
        render_kw={"autocomplete": "current-password"},
    )


def make_pages() -> Pages:
    """For one app, whose guessers it counts."""
    pages = Pages("signin", __name__)
    guesses = FixedWindowRateLimiter(MemoryStorage())

    @pages.form("/sign-in", PUBLIC)
    def sign_in() -> ResponseReturnValue:
        """The way in. Who is in already goes on."""
        form, address = SignInForm(), flask.request.remote_addr or ""
        if form.is_submitted() and not all(guesses.test(limit, address) for limit in FAILURES):
            raise TooManyRequests("Too many wrong passwords came from your address; wait a minute.")
        if current_user.is_authenticated or (form.validate_on_submit() and _enter(form)):
            return flask.redirect(_way_on(), 303)
        if not form.is_submitted():
            return flask.render_template("webkit/sign_in.html", form=form)
        for limit in FAILURES:
            guesses.hit(limit, address)
        return flask.render_template("webkit/sign_in.html", form=form), 422

    @pages.action("/sign-out", PUBLIC)
    def sign_out() -> ResponseReturnValue:
        logout_user()
        flask.session.clear()
        return flask.redirect(flask.url_for("signin.sign_in"), 303)

    return pages


def _enter(form: SignInForm) -> bool:
    site = here()
    with site.database.reading() as session:
        account = accounts.sign_in(session, site.accounts, form.name.data.strip(), form.password.data)
    if account is None:
        form.form_errors.append(_WRONG)
        return False
    with site.database.transaction() as session:
        sweep_sessions(session, site.clock())
    flask.session.clear()
    login_user(account)
    flask.current_app.session_interface.regenerate(flask.session)  # type: ignore[attr-defined]
    return True


def _way_on() -> str:
    """Where they wanted to go, if that is a page of ours."""
    wanted = flask.request.args.get("next", "")
    parts = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return wanted if is_ours else "/"
