"""Which problem each refusal is over HTTP: one row for each class."""

from bridge.egress import RefusedAddress
from bridge.errors import (
    AttachmentRefused,
    DatabaseBusy,
    EnvelopeInvalid,
    InstanceCopied,
    NothingToReplay,
    SignatureInvalid,
)
from bridge.forms import FormErrors
from bridge.vocabulary import CODE_COPIED
from bridge.web import ErrorTable, Problem
from consumer_sim.services.errors import (
    ActionRefused,
    ConnectionNotUsable,
    ConsumerError,
    ItemNotOrderable,
    LimitReached,
    MoveRefused,
    NotAuthorised,
    NotFound,
    UserRefused,
)
from consumer_sim.services.receiving import WrongSource


def _form_errors(error: FormErrors) -> Problem:
    errors = [{"pointer": one.pointer, "code": one.code, "message": one.message} for one in error.errors]
    return Problem(422, "invalid_fields", "Invalid Fields", "Some answers do not fit the form; see errors.", errors)


def _refused_address(error: RefusedAddress) -> Problem:
    wrong = [{"pointer": "/provider_url", "code": "address", "message": error.reason}]
    return Problem(422, "invalid_fields", "Invalid Fields", "The provider's address is not one we connect to.", wrong)


def _not_found(error: NotFound) -> Problem:
    return Problem(404, "not_found", "Not Found", str(error))


def _not_orderable(error: ItemNotOrderable) -> Problem:
    return Problem(409, "not_orderable", "Not Orderable", str(error))


def _not_authorised(error: NotAuthorised) -> Problem:
    errors = [{"pointer": "/requested_by", "code": "not_authorised", "message": str(error)}]
    return Problem(403, "not_authorised", "Not Authorised", str(error), errors)


def _limit_reached(error: LimitReached) -> Problem:
    return Problem(409, "authorised_user_limit", "Too Many", str(error), facts={"limit": error.limit})


def _not_usable(error: ConnectionNotUsable) -> Problem:
    return Problem(409, "connection_not_usable", "Connection Not Usable", str(error))


def _move_refused(error: MoveRefused) -> Problem:
    return Problem(409, "not_possible_now", "Not Possible Now", str(error))


def _action_refused(error: ActionRefused) -> Problem:
    return Problem(409, "action_not_allowed", "Not Possible Now", str(error))


def _file_refused(error: AttachmentRefused) -> Problem:
    errors = [{"pointer": "/file", "code": error.code, "message": error.message}]
    return Problem(422, "attachment_refused", "File Refused", error.message, errors, facts={"reason": error.code})


def _bad_signature(error: SignatureInvalid) -> Problem:
    return Problem(401, "signature_invalid", "Signature Invalid", error.reason)


def _copied(error: InstanceCopied) -> Problem:
    return Problem(403, CODE_COPIED, "Instance Copied", str(error))


def _bad_envelope(error: EnvelopeInvalid) -> Problem:
    return Problem(400, "envelope_invalid", "Not a Batch of Events", error.reason)


def _wrong_source(error: WrongSource) -> Problem:
    return Problem(403, "wrong_source", "Wrong Source", str(error))


def _nothing_to_replay(error: NothingToReplay) -> Problem:
    status = 404 if error.state == "unknown" else 409
    return Problem(status, "not_found" if status == 404 else "nothing_to_replay", "Nothing to Send Again", str(error))


def _busy(error: DatabaseBusy) -> Problem:
    return Problem(503, "busy", "Busy", "The database is busy; nothing was changed.", headers={"Retry-After": "1"})


def _other(error: Exception) -> Problem:
    return Problem(409, "refused", "Refused", str(error))


ERROR_TABLE: ErrorTable = {
    FormErrors: _form_errors,
    RefusedAddress: _refused_address,
    NotFound: _not_found,
    ItemNotOrderable: _not_orderable,
    NotAuthorised: _not_authorised,
    LimitReached: _limit_reached,
    ConnectionNotUsable: _not_usable,
    MoveRefused: _move_refused,
    ActionRefused: _action_refused,
    AttachmentRefused: _file_refused,
    UserRefused: _other,
    ConsumerError: _other,
    SignatureInvalid: _bad_signature,
    EnvelopeInvalid: _bad_envelope,
    WrongSource: _wrong_source,
    InstanceCopied: _copied,
    DatabaseBusy: _busy,
    NothingToReplay: _nothing_to_replay,
}
