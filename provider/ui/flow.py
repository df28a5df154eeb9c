"""The flow board: what crosses in each direction now, and what holds it up."""

import flask

from bridge.flow_recent import read_passing, read_pulses
from provider.services.flow_arrivals import read_arrivals
from provider.ui.context import here
from webkit.pages import Pages

pages = Pages("flow", __name__)


@pages.page("/flow", "connection.read")
def show() -> str:
    with here().database.reading() as session:
        pulses = read_pulses(session, here().clock())
        passing, arrivals = read_passing(session), read_arrivals(session)
    return flask.render_template("provider/flow.html", pulses=pulses, passing=passing, arrivals=arrivals)
