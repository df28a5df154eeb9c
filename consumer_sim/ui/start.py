"""The start page: what can be ordered, and what was."""

import flask

from webkit.pages import SIGNED_IN, Pages

pages = Pages("start", __name__)


@pages.page("/", SIGNED_IN)
def show() -> str:
    return flask.render_template("consumer/start.html")
