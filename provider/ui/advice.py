"""What helps at a provider against each kind of trouble with a connection or a registration."""

from provider.domain.registrations import Stage
from webkit.advice import Advice

_CONNECTION, _WRITE = "/connections/{connection_id}", "connection.write"
_REGISTRATION = "/registrations/{number}"


def _look(text: str) -> Advice:
    return Advice(text, "To the connection", _CONNECTION, "connection.read")


def _issue(text: str) -> Advice:
    return Advice(text, "To the registration", _REGISTRATION, "connection.read")


ADVICE = {
    "diverged": _look("Nothing is sent. Compare both sides with the consumer's admin, mend what differs, then resume."),
    "parked": Advice(
        "Send each again when its reason is gone, or skip it.", "Parked deliveries",
        "/deliveries?state=parked&connection={connection_id}", "delivery.read",
    ),
    "failing": _look("Nothing is lost, and it is tried again and again. If it lasts, tell the consumer."),
    "paused_there": _look("Nothing is lost, and everything goes on when the consumer resumes it. Ask it why."),
    "paused": _look("Everything is kept. Resume it when the reason is gone."),
    "noted": _look("Compare both sides with the consumer's admin."),
    "copy_of_them": _look(
        "Ask the consumer. If its database was restored, accept it and compare both sides; if it is a copy, have it "
        "stopped, and refuse it."
    ),
    "we_are_a_copy": _look(
        "Is this a copy, for tests? Then stop it, or revoke its connections here. Is it the original, restored? Then "
        "ask the consumer to accept it."
    ),
    "late": Advice(
        "Look at what waits, and what the consumer said of it. If nothing is sent at all, ask whoever runs this "
        "instance whether its worker and sweeper do.",
        "What waits", "/deliveries?state=pending&connection={connection_id}", "delivery.read",
    ),
    "held": _look("Nothing is lost. They are sent once the other side is upgraded."),
    "differs": _look("Compare both sides with the consumer's admin, and mend what differs."),
    "outbound_down": _look("Nothing is lost. Ask the consumer whether it is up, and whether its address is right."),
    "inbound_down": _look("Ask the consumer whether its sweeper runs, and whether it reaches this instance."),
    "slow": _look("Everything arrives, later. If it lasts, one of the sides needs more processes."),
    Stage.UNUSED: _issue("Hand the token over. If it is lost, issue a new one."),
    Stage.REFUSED: _issue("Have the consumer correct that, and try again with the same token."),
    Stage.EXPIRED: _issue("Issue a new token, and hand it over."),
    Stage.UNPROVEN: _issue("Have the consumer try again. If it lost its credentials, issue a new token."),
    Stage.REVOKED: Advice("Register the consumer anew.", "Register it", "/registrations/new", "registration.write"),
}  # fmt: skip
"""By the kinds of `bridge.ailments` and the stages of `provider.domain.registrations`."""
