"""What helps at a consumer against each kind of trouble with a connection."""

from consumer_sim.services.users import Permission
from webkit.advice import Advice


def _look(text: str) -> Advice:
    return Advice(text, "To the connection", "/connections/{connection_id}", Permission.CONNECTION_READ)


ADVICE = {
    "diverged": _look(
        "Nothing is sent. Tell the provider's Exchange admin: both sides must be compared before it goes on."
    ),
    "parked": _look(
        "Look at what is parked at the connection, and send it again when its reason is gone. What the provider will "
        "never take can be given up there."
    ),
    "failing": _look("Nothing is lost, and it is tried again and again. If it lasts, tell the provider."),
    "paused_there": _look("Nothing is lost, and everything goes on when the provider resumes it. Ask it why."),
    "paused": _look("Everything is kept, and goes on when the connection does."),
    "noted": _look("Tell the provider's Exchange admin: both sides should be compared."),
    "copy_of_them": _look(
        "Ask the provider. If its database was restored, accept it and compare both sides; if it is a copy, have it "
        "stopped, and refuse it."
    ),
    "we_are_a_copy": _look(
        "Is this a copy, for tests? Then stop it, or revoke its connections here. Is it the original, restored? Then "
        "ask the provider to accept it."
    ),
    "late": _look(
        "Nothing is lost. If it lasts, ask whoever runs this instance whether its worker and sweeper do, and tell the "
        "provider."
    ),
    "held": _look("Nothing is lost. They are sent once the other side is upgraded."),
    "differs": _look("Tell the provider's Exchange admin: this record differs on both sides."),
    "outbound_down": _look("Nothing is lost, and it is tried again and again. If it lasts, tell the provider."),
    "inbound_down": _look("Ask the provider whether its sweeper runs, and whether it reaches our public address."),
    "slow": _look("Everything arrives, later. If it lasts, tell the provider."),
    "connecting_complete": _look(
        "Is the address right, and the provider up? Then resume. If the token was used, or ran out, ask the provider "
        "for a new one and connect with that."
    ),
    "token_refused": _look(
        "It was mistyped, used already, or it ran out. Enter it again at the connection, or ask the provider's "
        "Exchange admin for another one."
    ),
    "connecting_verify": _look(
        "The provider must reach this instance at its public address. See to that, then resume."
    ),
}
"""By the kinds of `bridge.ailments`, and the step at which connecting stopped."""
