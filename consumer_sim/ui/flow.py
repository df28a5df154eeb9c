"""The flow board: our calls to each provider, and what providers tell us, as it happens."""

import flask

from bridge.flow_recent import read_passing, read_pulses
from consumer_sim.services.receipts import read_receipts
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.pages import Pages

pages = Pages("flow", __name__)


@pages.page("/flow", Permission.CONNECTION_READ)
def show() -> str:
    with here().database.reading() as session:
        pulses = read_pulses(session, here().clock())
        passing, receipts = read_passing(session), read_receipts(session)
    return flask.render_template("consumer/flow.html", pulses=pulses, passing=passing, receipts=receipts)
