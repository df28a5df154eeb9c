"""The ids that we give to records: UUIDs of version 7 (RFC 9562), which sort in the order in which they were made."""

from uuid_utils import uuid7


def new_id() -> str:
    """The id of a new record, never given before and greater than any this process gave before.

    New rows then stand together at the end of an index, however many are there already. An id tells when it was made
    and is no secret: what must not be guessed is drawn by `secrets`.
    """
    return str(uuid7())
