"""Where the pages find the instance they work for, and who asks."""

import flask
from flask_login import current_user

from provider.context import Context


def here() -> Context:
    """The context of the app that answers this request."""
    context: Context = flask.current_app.extensions["sxg-provider"]
    return context


def actor() -> str:
    """Whoever is signed in, as the audit log knows them."""
    return f"user/{current_user.name}"
