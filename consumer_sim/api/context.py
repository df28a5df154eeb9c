"""Where the endpoints find the instance they work for: `app` attaches it once."""

import flask

from consumer_sim.context import Context

_KEY = "sxg-consumer"


def attach(context: Context, app: flask.Flask) -> None:
    app.extensions[_KEY] = context


def here() -> Context:
    """The context of the app that answers this request."""
    context: Context = flask.current_app.extensions[_KEY]
    return context
