"""Standard Webhooks 1.0.0 signatures: HMAC `v1`, several live secrets, the clock an argument.

Written here because the reference package takes one secret, a fixed clock, and raises foreign errors on malformed
headers; `tests/contract` holds that package against this module in both directions.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from bridge.errors import SignatureInvalid
from bridge.vocabulary import HEADER_ID, HEADER_SIGNATURE, HEADER_TIMESTAMP, TIMESTAMP_TOLERANCE_S

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of a secret, not one


def new_secret(random_bytes: bytes) -> str:
    """The text form of a secret; 24 to 64 random bytes."""
    if not 24 <= len(random_bytes) <= 64:
        raise ValueError("a webhook secret has 24 to 64 bytes")
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def sign(body: bytes, *, message_id: str, now_s: int, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers that prove `body` to whoever holds one of `secrets`."""
    signatures = " ".join(f"v1,{_digest(secret, message_id, str(now_s), body)}" for secret in secrets)
    return {HEADER_ID: message_id, HEADER_TIMESTAMP: str(now_s), HEADER_SIGNATURE: signatures}


def verify(body: bytes, headers: Mapping[str, str], *, now_s: float, secrets: Sequence[str]) -> str:
    """The message id, when one of the signatures was made with one of `secrets` within the tolerance.

    Raises SignatureInvalid with the reason. Header names are matched in lower case, as `docs/wire.md` writes them.
    """
    try:
        message_id, timestamp, signatures = (headers[h] for h in (HEADER_ID, HEADER_TIMESTAMP, HEADER_SIGNATURE))
    except KeyError as missing:
        raise SignatureInvalid(f"header {missing.args[0]} is missing") from None
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise SignatureInvalid("webhook-timestamp is not a number of seconds")
    skew_s = now_s - int(timestamp)
    if abs(skew_s) > TIMESTAMP_TOLERANCE_S:
        raise SignatureInvalid(
            f"webhook-timestamp is {skew_s:+.0f} s away from this clock, {TIMESTAMP_TOLERANCE_S} s are allowed"
        )
    offered = [
        value.encode() for version, _, value in (s.partition(",") for s in signatures.split()) if version == "v1"
    ]
    expected = [_digest(secret, message_id, timestamp, body).encode() for secret in secrets]
    # Every pair is compared, so that the time taken does not tell which secret was right.
    if not sum(hmac.compare_digest(one, other) for one in offered for other in expected):
        raise SignatureInvalid("no signature matches")
    return message_id


def _digest(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise SignatureInvalid("a webhook secret is not base64") from None
    signed = b".".join((message_id.encode(errors="surrogateescape"), timestamp.encode(), body))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
