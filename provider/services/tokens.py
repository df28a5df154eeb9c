"""Bearer secrets: 32 random bytes with a prefix that tells what they open. Only their SHA-256 is stored."""

import hashlib
import secrets

REGISTRATION = "sxr_"
ACCESS = "sxa_"
USER = "sxu_"
CLIENT_SECRET = "sxc_"  # noqa: S105 - the public prefix of a secret, not one


def new_token(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What is stored. With 256 random bits a plain hash needs neither salt nor stretching."""
    return hashlib.sha256(token.encode()).hexdigest()
