"""What each refusal is over HTTP: one row for each class. A test holds the table against all classes there are."""

from collections.abc import Callable

from bridge.config import ConfigurationInvalid
from bridge.egress import SendFailed
from bridge.errors import (
    AttachmentRefused,
    DatabaseBusy,
    EnvelopeInvalid,
    EventTooLarge,
    IdempotencyKeyReused,
    InstanceCopied,
    LeaseLost,
    NothingToReplay,
    OffsetDiffers,
    RefusedAddress,
    SecretUnreadable,
    SignatureInvalid,
)
from bridge.failpoints import FailpointReached
from bridge.forms import FormErrors
from bridge.jobs import RedisUnreachable
from bridge.mapping import MappingError, MappingErrors, MappingHole
from bridge.transforms import TransformHole
from bridge.vocabulary import CODE_COPIED, CODE_NOT_ACTIVE
from bridge.web import ErrorTable, Problem
from provider.domain.errors import Conflict, IllegalMove, InvalidFields, NotEntitled, NotFound
from provider.services.errors import (
    ChallengeFailed,
    ConnectionNotActive,
    CredentialsInvalid,
    FileRefused,
    NotAuthenticated,
    NotPermitted,
    RegistrationTokenInvalid,
)

_BEARER = {"WWW-Authenticate": 'Bearer realm="provider"'}
_BASIC = {"WWW-Authenticate": 'Basic realm="provider"'}


def _as(status: int, code: str, title: str, **headers: str) -> Callable[[Exception], Problem]:
    """A row that says what the error says."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda error: Problem(status, code, title, str(error), headers=names)


def _broken(error: Exception) -> Problem:
    """A fault of this instance: the caller can do nothing about it, and its text may not be theirs to read."""
    return Problem(500, "internal_error", "Internal Error", "This instance has a fault; its log tells more.")


def _not_permitted(error: NotPermitted) -> Problem:
    return Problem(403, "forbidden", "Forbidden", str(error), facts={"roles": list(error.roles)})


def _connection_not_active(error: ConnectionNotActive) -> Problem:
    return Problem(403, CODE_NOT_ACTIVE, "Connection Not Active", str(error), facts={"state": error.state})


def _not_found(error: NotFound | NotEntitled) -> Problem:
    """One answer for both: whether somebody else's record exists is not told."""
    return Problem(404, "not_found", "Not Found", f"There is no {error.noun} {error.key}.")


def _invalid_fields(error: InvalidFields | FormErrors) -> Problem:
    errors = [{"pointer": one.pointer, "code": one.code, "message": one.message} for one in error.errors]
    return Problem(422, "invalid_fields", "Invalid Fields", "Some values are not acceptable; see errors.", errors)


def _illegal_move(error: IllegalMove) -> Problem:
    facts = {"current": error.current, "wanted": error.wanted, "legal": list(error.legal)}
    return Problem(409, "illegal_move", "Not Possible Now", str(error), facts=facts)


def _file_refused(error: AttachmentRefused | FileRefused) -> Problem:
    errors = [{"pointer": "/file", "code": error.code, "message": error.message}]
    return Problem(422, "attachment_refused", "File Refused", error.message, errors, facts={"reason": error.code})


def _offset_differs(error: OffsetDiffers) -> Problem:
    facts = {"received_bytes": error.received_bytes}
    return Problem(409, "offset_differs", "Another Piece Is Next", str(error), facts=facts)


def _conflict(error: Conflict) -> Problem:
    return Problem(409, error.code, "Conflict", error.message, facts=error.facts)


def _nothing_to_replay(error: NothingToReplay) -> Problem:
    status = 404 if error.state == "unknown" else 409
    return Problem(status, "not_found" if status == 404 else "nothing_to_replay", "Nothing to Replay", str(error))


ERROR_TABLE: ErrorTable = {
    NotAuthenticated: _as(401, "unauthorized", "Unauthorized", WWW_Authenticate=_BEARER["WWW-Authenticate"]),
    RegistrationTokenInvalid: _as(401, "registration_token_invalid", "Registration Token Invalid"),
    CredentialsInvalid: _as(401, "invalid_client", "Invalid Client", WWW_Authenticate=_BASIC["WWW-Authenticate"]),
    NotPermitted: _not_permitted,
    ConnectionNotActive: _connection_not_active,
    ChallengeFailed: _as(409, "challenge_failed", "Challenge Failed"),
    NotFound: _not_found,
    NotEntitled: _not_found,
    InvalidFields: _invalid_fields,
    FormErrors: _invalid_fields,
    IllegalMove: _illegal_move,
    Conflict: _conflict,
    AttachmentRefused: _file_refused,
    FileRefused: _file_refused,
    OffsetDiffers: _offset_differs,
    RefusedAddress: _as(422, "refused_address", "Refused Address"),
    EnvelopeInvalid: _as(400, "envelope_invalid", "Not a Batch of Events"),
    SignatureInvalid: _as(401, "signature_invalid", "Signature Invalid"),
    EventTooLarge: _as(413, "too_large", "Too Large"),
    IdempotencyKeyReused: lambda error: Problem(
        422, "idempotency_key_reused", "Idempotency Key Reused", "This key was used for another request."
    ),
    NothingToReplay: _nothing_to_replay,
    MappingHole: _as(409, "mapping_hole", "No Mapping"),
    TransformHole: _as(409, "mapping_hole", "No Mapping"),
    MappingError: _as(422, "mapping_invalid", "Mapping Invalid"),
    MappingErrors: _as(422, "mapping_invalid", "Mapping Invalid"),
    SendFailed: _as(502, "send_failed", "Not Reached"),
    DatabaseBusy: lambda error: Problem(
        503, "busy", "Busy", "The database is busy; nothing was changed.", headers={"Retry-After": "1"}
    ),
    InstanceCopied: _as(403, CODE_COPIED, "Instance Copied"),
    LeaseLost: _broken,
    RedisUnreachable: _broken,
    SecretUnreadable: _broken,
    ConfigurationInvalid: _broken,
    FailpointReached: _broken,
}
