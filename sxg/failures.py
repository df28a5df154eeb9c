"""Which failures does the command line expect, what does it say about each, and which exit code does a script get?"""

from dataclasses import dataclass

from bridge.config import ConfigurationInvalid
from bridge.errors import BridgeError, DatabaseBusy
from sxg.client import ApiProblem, ClientError, Unreachable

REFUSED, USAGE, UNREACHABLE = 1, 2, 3


@dataclass(frozen=True)
class Failure:
    lines: list[str]
    exit_code: int


class CommandFailed(Exception):
    """A command has said, or says with these lines, why it cannot do what it was asked."""

    def __init__(self, *lines: str, exit_code: int = REFUSED) -> None:
        super().__init__("\n".join(lines))
        self.failure = Failure([f"error: {line}" for line in lines], exit_code)


def explain(error: Exception) -> Failure | None:
    """What to say about an expected failure; None for one that is a mistake of ours and deserves its traceback."""
    if isinstance(error, CommandFailed):
        return error.failure
    if isinstance(error, ConfigurationInvalid):
        return Failure([f"setting {line}" for line in str(error).splitlines()], USAGE)
    if isinstance(error, ApiProblem):
        return Failure([f"error: {error}", *map(_field_line, error.errors)], REFUSED)
    if isinstance(error, ClientError | BridgeError) or _is_a(error, "DomainError", "ConsumerError"):
        again_may_help = isinstance(error, Unreachable | DatabaseBusy)
        return Failure([f"error: {_one_line(error)}"], UNREACHABLE if again_may_help else REFUSED)
    if _is_a(error, "SupervisorError", "EmbeddedRedisError"):
        return Failure(f"error: {error}".splitlines(), REFUSED)  # with the end of a log
    return None


def _field_line(error: object) -> str:
    found = error if isinstance(error, dict) else {}
    return f"  {found.get('pointer') or '/'}: {found.get('message', error)}"


def _is_a(error: Exception, *names: str) -> bool:
    """Asked by name, for errors of rooms that need not be loaded."""
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
