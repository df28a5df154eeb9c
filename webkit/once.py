"""A secret that is shown once, on the page after the one that made it: reloading neither repeats the making nor the
showing.

Between the two pages it waits in the session, encrypted: who reads the database does not read it.
"""

from base64 import urlsafe_b64encode
from hashlib import sha256

import flask
from cryptography.fernet import Fernet, InvalidToken

from webkit.site import here

_KEY = "shown-once"


def keep(name: str, secret: str) -> None:
    """For the next page that takes it by this name. A session keeps one secret, the last."""
    flask.session[_KEY] = {"name": name, "sealed": _seal().encrypt(secret.encode()).decode()}


def take(name: str) -> str | None:
    """The secret, this once; None where there is none of this name."""
    kept = flask.session.get(_KEY) or {}
    if kept.get("name") != name:
        return None
    del flask.session[_KEY]
    try:
        return _seal().decrypt(kept["sealed"].encode()).decode()
    except InvalidToken:  # the instance has other keys than when it was kept
        return None


def _seal() -> Fernet:
    return Fernet(urlsafe_b64encode(sha256(f"{_KEY}/{here().secret_key}".encode()).digest()))
