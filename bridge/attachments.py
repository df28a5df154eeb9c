"""What an attachment may be: its name, its type, its size; and what is refused, in words for whoever sent it.

Both instances hold what comes in against their own limits. A name is only ever shown: files lie under their hash
(`bridge.files`), and are served as downloads that no browser opens.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bridge.errors import AttachmentRefused


class AttachmentState(StrEnum):
    """How far a file got, as both sides say it."""

    ON_ITS_WAY = "on_its_way"
    THERE = "there"
    REFUSED = "refused"


MIB = 1024 * 1024
CHUNK_LIMIT_BYTES = MIB
"""A piece of a file, as it crosses: as much as is lost when a transfer breaks, and as is held in memory."""
DEFAULT_LIMIT_BYTES = 25 * MIB
DEFAULT_TYPES = (
    "csv", "docx", "eml", "gif", "jpeg", "jpg", "json", "log", "md", "odp", "ods", "odt", "pdf", "png", "pptx", "txt",
    "xlsx", "xml", "zip",
)  # fmt: skip
MEDIA_TYPE = "application/octet-stream"
NAME_LIMIT = 150
_BEGINNING_BYTES = 4096

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SIGNATURES: Mapping[str, tuple[bytes, ...]] = {
    "pdf": (b"%PDF-",), "png": (b"\x89PNG\r\n\x1a\n",), "gif": (b"GIF87a", b"GIF89a"),
    **dict.fromkeys(("jpg", "jpeg"), (b"\xff\xd8\xff",)),
    **dict.fromkeys(("zip", "docx", "xlsx", "pptx", "odt", "ods", "odp"), _ZIP),
}  # fmt: skip
_TEXTS = frozenset({"csv", "eml", "json", "log", "md", "txt", "xml"})
_NO_PART_OF_A_NAME = frozenset('<>:"|?*')
_DEVICES = frozenset({"aux", "con", "nul", "prn", *(f"{one}{n}" for one in ("com", "lpt") for n in range(1, 10))})


@dataclass(frozen=True, slots=True)
class AttachmentLimits:
    """What one instance takes in. `types` are endings of names, in lower case and without the dot."""

    size_bytes: int = DEFAULT_LIMIT_BYTES
    types: tuple[str, ...] = DEFAULT_TYPES
    per_task: int = 100

    def check(self, name: str, size_bytes: int, *, already: int = 0) -> None:
        """Raises AttachmentRefused; `already` is how many the request has."""
        if size_bytes < 1:
            raise AttachmentRefused("empty", "The file is empty.")
        if size_bytes > self.size_bytes:
            raise AttachmentRefused("too_large", f"The file is larger than {tell_size(self.size_bytes)}.")
        if type_of(name) not in self.types:
            known = ", ".join(self.types)
            raise AttachmentRefused("type_not_allowed", f"Files of this type are not taken. These are: {known}.")
        if already >= self.per_task:
            raise AttachmentRefused("too_many", f"There are {already} files already, and no more are taken.")


def check_beginning(name: str, beginning: bytes) -> None:
    """Raises AttachmentRefused for a file that is not what its name says, as far as its beginning tells."""
    kind = type_of(name)
    signatures = _SIGNATURES.get(kind)
    is_other = signatures is not None and not beginning.startswith(signatures)
    if is_other or (kind in _TEXTS and b"\0" in beginning[:_BEGINNING_BYTES]):
        raise AttachmentRefused("wrong_content", f"What is in the file is not what .{kind} says.")


def type_of(name: str) -> str:
    """The ending of a name, by which types are told."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def clean_name(name: str) -> str:
    """A name that is safe to show and to save under anywhere: no path, no control or direction marks, no device."""
    text = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    text = "".join(one for one in text if one == " " or _may_stand(one))
    text = " ".join(text.split()).strip(". ")
    stem, dot, ending = text.rpartition(".")
    if len(text) > NAME_LIMIT:
        text = f"{stem[: NAME_LIMIT - len(ending) - 1]}{dot}{ending}" if 0 < len(ending) < 20 else text[:NAME_LIMIT]
    if not text or text.partition(".")[0].lower() in _DEVICES:
        text = f"file {text}".strip()
    return text


def _may_stand(one: str) -> bool:
    return one not in _NO_PART_OF_A_NAME and unicodedata.category(one)[0] not in "CZ"


def tell_size(size_bytes: int) -> str:
    """For people: in whole units, as far as it is one."""
    for unit, size in (("MiB", MIB), ("KiB", 1024)):
        if size_bytes >= size:
            return f"{size_bytes / size:.1f} {unit}".replace(".0 ", " ")
    return f"{size_bytes} bytes"
