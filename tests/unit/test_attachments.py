"""What a file may be called, and which files are refused."""

import pytest

from bridge.attachments import NAME_LIMIT, AttachmentLimits, check_beginning, clean_name, tell_size
from bridge.errors import AttachmentRefused


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("plan.pdf", "plan.pdf"),
        ("Plan für Büro.pdf", "Plan für Büro.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\plan.pdf", "plan.pdf"),
        ("/", "file"),
        ("..", "file"),
        ("a\r\nSet-Cookie: x=1.txt", "aSet-Cookie x=1.txt"),
        ("gpj.\u202eexe.txt", "gpj.exe.txt"),
        ("a\x00b.txt", "ab.txt"),
        ('"><script>.txt', "script.txt"),
        (" . plan.txt . ", "plan.txt"),
        ("con.txt", "file con.txt"),
        ("\u2028", "file"),
    ],
)
def test_a_name_is_safe_to_show_and_to_save(given: str, kept: str) -> None:
    assert clean_name(given) == kept
    assert clean_name(kept) == kept


def test_a_long_name_keeps_its_ending() -> None:
    name = clean_name("x" * 400 + ".pdf")
    assert (len(name), name[-4:]) == (NAME_LIMIT, ".pdf")
    assert clean_name(name) == name


LIMITS = AttachmentLimits(size_bytes=1024 * 1024, types=("pdf", "txt"), per_task=2)


@pytest.mark.parametrize(
    ("name", "size", "already", "code"),
    [
        ("a.pdf", 0, 0, "empty"),
        ("a.pdf", 1024 * 1024 + 1, 0, "too_large"),
        ("a.svg", 5, 0, "type_not_allowed"),
        ("a.pdf.exe", 5, 0, "type_not_allowed"),
        ("pdf", 5, 0, "type_not_allowed"),
        ("a.pdf", 5, 2, "too_many"),
    ],
)
def test_a_refusal_says_why(name: str, size: int, already: int, code: str) -> None:
    with pytest.raises(AttachmentRefused) as refused:
        LIMITS.check(name, size, already=already)
    assert refused.value.code == code
    assert refused.value.message.endswith(".")


def test_what_is_at_the_limits_is_taken() -> None:
    LIMITS.check("A.PDF", 1024 * 1024, already=1)


@pytest.mark.parametrize(
    ("name", "beginning"),
    [("a.pdf", b"MZ\x90"), ("a.png", b"<svg"), ("a.docx", b"%PDF-"), ("a.txt", b"text\0more"), ("a.jpg", b"")],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(name: str, beginning: bytes) -> None:
    with pytest.raises(AttachmentRefused, match="is not what") as refused:
        check_beginning(name, beginning)
    assert refused.value.code == "wrong_content"


@pytest.mark.parametrize(("name", "beginning"), [("a.pdf", b"%PDF-1.7"), ("a.txt", b"text"), ("a.xyz", b"\0")])
def test_a_file_that_is_what_its_name_says_is_taken(name: str, beginning: bytes) -> None:
    check_beginning(name, beginning)


@pytest.mark.parametrize(
    ("size", "told"), [(1, "1 bytes"), (1024, "1 KiB"), (1536, "1.5 KiB"), (25 * 1024 * 1024, "25 MiB")]
)
def test_sizes_are_told_in_whole_units(size: int, told: str) -> None:
    assert tell_size(size) == told
