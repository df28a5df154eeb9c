"""Where the pages find the instance they work for, and who is at them."""

import flask
from flask_login import current_user

from consumer_sim.context import Context
from consumer_sim.services.drafts import Writer
from consumer_sim.services.users import Permission


def here() -> Context:
    """The context of the app that answers this request."""
    context: Context = flask.current_app.extensions["sxg-consumer"]
    return context


def writer() -> Writer:
    """Who writes drafts here."""
    return Writer(current_user.id, current_user.name, sees_all=current_user.may(Permission.DRAFT_WRITE))
