"""What was done, with a link to what is done next."""

from typing import Any, cast

import flask


def flash_next(done: str, label: str, url: str) -> None:
    """Say it above the next page. The link is kept in parts: a session holds data, never markup."""
    flask.flash(cast(Any, {"text": done, "label": label, "url": url}), "success")
