"""The flow board: our calls to each provider, and what providers tell us, as it happens."""

from dataclasses import replace

import flask

from bridge.flow_recent import read_passing, read_pulses
from consumer_sim.services.link_trouble import tell_here
from consumer_sim.services.receipts import read_receipts
from consumer_sim.services.users import Permission
from consumer_sim.ui.context import here
from webkit.pages import Pages

pages = Pages("flow", __name__)


@pages.page("/flow", Permission.CONNECTION_READ)
def show() -> str:
    with here().database.reading() as session:
        found = read_pulses(session, here().clock())
        passing, receipts = read_passing(session), read_receipts(session)
    pulses = [replace(pulse, ailments=tell_here(pulse.ailments)) for pulse in found]
    return flask.render_template("consumer/flow.html", pulses=pulses, passing=passing, receipts=receipts)
