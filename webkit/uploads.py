"""A form with which people choose one file."""

from typing import Any

from flask_wtf.file import FileField, FileRequired

from webkit.forms import Form


class FileForm(Form):
    """`chosen` is what was sent, to be read once."""

    file = FileField("A file for the other side", [FileRequired("Choose a file first.")])

    @property
    def chosen(self) -> Any:
        """Its `stream`, `filename` and `mimetype`."""
        return self.file.data
