"""The start page: what is waiting, and for whom."""

import flask

from webkit.pages import SIGNED_IN, Pages

pages = Pages("start", __name__)


@pages.page("/", SIGNED_IN)
def show() -> str:
    return flask.render_template("provider/start.html")
