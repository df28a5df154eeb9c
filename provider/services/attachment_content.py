"""What is in a consumer's files, as it arrives piece by piece; and what is in ours, for whoever fetches it.

No transaction is open while a piece is written: the disk is slow, and records must not wait for it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from sqlalchemy.orm import Session

from bridge import failpoints
from bridge.attachments import AttachmentLimits, AttachmentState, check_beginning, clean_name
from bridge.database import Database
from bridge.errors import AttachmentRefused
from bridge.files import FileStore, Kept
from provider.domain.errors import Conflict, FieldError, InvalidFields, NotFound
from provider.models.attachments import Attachment
from provider.services.attachments import check_order, find_own
from provider.services.errors import FileRefused

Document = dict[str, Any]


def take_piece(
    database: Database,
    transaction: Callable[[], AbstractContextManager[Session]],
    files: FileStore,
    connection_id: str,
    external_id: str,
    offset: int,
    piece: bytes,
) -> Document:
    """Add a piece to a consumer's file; the last one makes it whole. `state` and `received_bytes` tell how far it is.

    Raises NotFound, OffsetDiffers, InvalidFields for more than was announced, Conflict for a file that was refused,
    AttachmentRefused for one that is not what was announced.
    """
    with database.reading() as session:
        attachment = find_own(session, connection_id, external_id)
    if not attachment.from_consumer:
        raise NotFound("attachment", external_id)
    if attachment.state == AttachmentState.THERE:
        return {"state": attachment.state, "received_bytes": attachment.size_bytes}
    if attachment.state == AttachmentState.REFUSED:
        raise Conflict("not_announced", "this file was refused; announce it again before it is sent")
    if offset + len(piece) > attachment.size_bytes:
        message = f"ends behind the file, which was announced with {attachment.size_bytes} bytes"
        raise InvalidFields([FieldError("/offset", "too_large", message)])
    received = files.append(attachment.id, offset, piece)
    failpoints.hit("attachment.after_piece")
    if received < attachment.size_bytes:
        return {"state": str(AttachmentState.ON_ITS_WAY), "received_bytes": received}
    _finish(transaction, files, attachment)
    return {"state": str(AttachmentState.THERE), "received_bytes": received}


def keep_file(
    database: Database, files: FileStore, number: str, name: str, stream: IO[bytes], limits: AttachmentLimits
) -> Kept:
    """Take in a file of ours for an order. Raises NotFound, FileRefused."""
    with database.reading() as session:
        check_order(session, number)
    try:
        return files.keep(stream, clean_name(name), limits)
    except AttachmentRefused as refusal:
        raise FileRefused(refusal.code, refusal.message) from None


def find_content(files: FileStore, attachment: Attachment) -> Path:
    """Where a file lies that is here. Raises NotFound: it is still on its way, refused, or gone from the disk."""
    is_here = attachment.state == AttachmentState.THERE or not attachment.from_consumer
    path = files.find(attachment.sha256) if is_here else None
    if path is None:
        raise NotFound("file of attachment", attachment.external_id)
    return path


def _finish(
    transaction: Callable[[], AbstractContextManager[Session]], files: FileStore, attachment: Attachment
) -> None:
    """Raises AttachmentRefused, which is then also told by the record."""
    refusal = _refusal_of(files, attachment)
    failpoints.hit("attachment.before_commit")
    with transaction() as session:
        row = find_own(session, attachment.connection_id, attachment.external_id, lock=True)
        row.state = AttachmentState.REFUSED if refusal else AttachmentState.THERE
        row.problem = refusal.message if refusal else None
    files.discard(attachment.id)
    if refusal:
        raise refusal


def _refusal_of(files: FileStore, attachment: Attachment) -> AttachmentRefused | None:
    beginning = files.finish(attachment.id, attachment.sha256)
    if beginning is None:
        return AttachmentRefused("content_differs", "What arrived is not what was announced: its hash differs.")
    try:
        check_beginning(attachment.name, beginning)
    except AttachmentRefused as refusal:
        return refusal
    return None
