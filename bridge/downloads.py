"""How a file crosses HTTP, at both instances: taken in pieces, or as a body that is never held in memory; and given as
a download that no browser opens, whatever is in it.
"""

from http import HTTPStatus
from pathlib import Path

import flask

from bridge.attachments import CHUNK_LIMIT_BYTES, MEDIA_TYPE, AttachmentLimits

BINARY = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
"""What OpenAPI says of a body that is a file."""


def download(path: Path, name: str) -> flask.Response:
    """A whole file, or the range that was asked for (RFC 9110, 14)."""
    answer = flask.send_file(
        path, mimetype=MEDIA_TYPE, as_attachment=True, download_name=name, conditional=True, etag=path.name
    )
    if answer.status_code == HTTPStatus.NOT_MODIFIED or flask.request.method == "HEAD":
        answer.close()  # no body is sent, so nobody else closes the file
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def read_piece() -> bytes:
    """The body of this request, if it is not longer than a piece may be: 413."""
    flask.request.max_content_length = CHUNK_LIMIT_BYTES
    return flask.request.get_data(cache=False)


def upload_limit(limits: AttachmentLimits) -> int:
    """How long a body may be that holds a file: a little more than is taken, so that the refusal can be told well."""
    return limits.size_bytes + CHUNK_LIMIT_BYTES


def allow_upload(limits: AttachmentLimits) -> None:
    """Let this request's body be as long as a file needs."""
    flask.request.max_content_length = upload_limit(limits)
