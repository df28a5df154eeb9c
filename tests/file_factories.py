"""Plain functions about questions that are answered with a file."""

import hashlib
from typing import Any
from uuid import uuid4

PDF = b"%PDF-1.7 plan of the building"


def file_question(key: str = "plan", **facts: Any) -> dict[str, Any]:
    """As the wire tells it."""
    return {
        "key": key, "label": key.title(), "type": "attachment", "mandatory": False, "default": None, "options": [],
        "description": "", "min_cardinality": 0, "max_cardinality": None, "max_size_bytes": 1024, "file_types": ["pdf"],
    } | facts  # fmt: skip


def file_form(*questions: dict[str, Any]) -> dict[str, Any]:
    return {"variables": list(questions), "parts": [], "sets": [], "besides": ["note"]}


def file_answer(content: bytes = PDF, **facts: Any) -> dict[str, Any]:
    """What names a file with this content."""
    return {
        "attachment_id": str(uuid4()), "name": "plan.pdf", "media_type": "application/pdf",
        "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
    } | facts  # fmt: skip
