"""Forms whose errors stand beside their fields, also those that only a service can find."""

from collections.abc import Callable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field

from webkit.site import Refusal, here
from webkit.words import sentence


class Form(FlaskForm):  # type: ignore[misc]
    """A form of Flask-WTF. Its fields are named as the documents of the services are, so that pointers find them."""

    def done(self, action: Callable[[], object]) -> bool:
        """Whether what was sent was right and `action` was not refused; else the errors are in the form.

        A refusal that names fields stands beside them, any other above the form. Everything typed is kept.
        """
        if not self.validate_on_submit():
            return False
        try:
            action()
        except here().refusals as error:
            self.place(here().refusal_of(error))
            return False
        return True

    def place(self, refusal: Refusal) -> None:
        """Put the errors of a refusal where people look for them."""
        for error in refusal.errors or ():
            field = self.find(error.get("pointer", ""))
            message = error["message"]
            if field is None:
                self.form_errors.append(sentence(f"{error.get('pointer', '').strip('/')} {message}"))
            else:
                field.errors = [*field.errors, sentence(message)]
        if not refusal.errors:
            self.form_errors.append(sentence(refusal.detail or refusal.title))

    def find(self, pointer: str) -> Field | None:
        """The field a JSON pointer means: that of its longest beginning that is one, `/a/b` being `a-b` or `a`."""
        steps = pointer.strip("/").split("/")
        for length in range(len(steps), 0, -1):
            for name in ("-".join(steps[:length]), "_".join(steps[:length])):
                if name in self._fields:
                    return self._fields[name]
        return None


def strip(value: Any) -> Any:
    """A filter for text fields: what people paste has blanks around it."""
    return value.strip() if isinstance(value, str) else value
