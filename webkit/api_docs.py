"""The instance's OpenAPI document, to read and to try out: Swagger UI below our own Content-Security-Policy."""

import flask

from webkit.pages import PUBLIC, Pages

pages = Pages("api_docs", __name__)


@pages.page("/api-docs", PUBLIC)
def show() -> str:
    return flask.render_template("webkit/api_docs.html")
