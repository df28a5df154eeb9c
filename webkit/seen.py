"""Was a record changed while somebody had its form open? What others did meanwhile must not be undone unseen."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from wtforms import HiddenField, SelectField

from webkit.forms import Form


class SeenForm(Form):
    """A form for the fields `TOLD` of a record, which remembers what they held when it was shown."""

    TOLD: Sequence[str] = ()
    seen = HiddenField()

    def look(self, record: Any) -> None:
        """The form shows the record as it is now."""
        self.seen.data = _print(record, self.TOLD)

    def changed_meanwhile(self, record: Any) -> str:
        """What was changed since it was shown, in a sentence; empty for nothing. To be asked of a locked record. What
        it is now counts as seen then: saved again, what stands in the form is what people want.
        """
        before = str(self.seen.data or "").split(",")
        now = _print(record, self.TOLD).split(",")
        pairs = zip(self.TOLD, before, now, strict=False) if len(before) == len(now) else ()
        changed = [name for name, old, new in pairs if old != new]
        if not changed:
            return ""
        self.look(record)
        told = "; ".join(f"{self[name].label.text}: {self._say(name, getattr(record, name))}" for name in changed)
        return f"was changed while you had it open ({told}); look at it, and save again what is to stay"

    def _say(self, name: str, value: Any) -> str:
        choices = self[name].iter_choices() if isinstance(self[name], SelectField) else ()
        labels = {str(one.value): str(one.label) for one in choices}
        text = labels.get(str(value), str(value or "nothing"))
        return text if len(text) <= _SAID_MOST else f"{text[:_SAID_MOST]}…"


_SAID_MOST = 80


def _print(record: Any, names: Sequence[str]) -> str:
    return ",".join(sha256(repr(getattr(record, name)).encode()).hexdigest()[:12] for name in names)
