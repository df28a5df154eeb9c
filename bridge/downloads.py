"""How a file crosses HTTP, at both instances: taken in pieces, or as a body that is never held in memory; and given as
a download that no browser opens, whatever is in it.
"""

from pathlib import Path

import flask

from bridge.attachments import CHUNK_LIMIT_BYTES, MEDIA_TYPE

BINARY = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
"""What OpenAPI says of a body that is a file."""


def download(path: Path, name: str) -> flask.Response:
    """A whole file, or the range that was asked for (RFC 9110, 14)."""
    answer = flask.send_file(
        path, mimetype=MEDIA_TYPE, as_attachment=True, download_name=name, conditional=True, etag=path.name
    )
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def read_piece() -> bytes:
    """The body of this request, if it is not longer than a piece may be: 413."""
    flask.request.max_content_length = CHUNK_LIMIT_BYTES
    return flask.request.get_data(cache=False)


def allow_upload(limit_bytes: int) -> None:
    """Let this request's body be as long as a file of that size needs, with what a form puts around it."""
    flask.request.max_content_length = limit_bytes + CHUNK_LIMIT_BYTES
