"""Where the pages find the instance they work for."""

import flask

from consumer_sim.context import Context


def here() -> Context:
    """The context of the app that answers this request."""
    context: Context = flask.current_app.extensions["sxg-consumer"]
    return context
