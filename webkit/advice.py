"""What people can do about a trouble: sentences, and the page where it is done. Each instance has its own, by kind."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Advice:
    """`to` is the address of the page, with the names of what the trouble is about in braces. The link says `label`,
    and is for those who hold the permission.
    """

    text: str
    label: str = ""
    to: str = ""
    permission: str = ""

    def url(self, about: Mapping[str, str]) -> str:
        """The address, empty for an advice that leads nowhere."""
        return self.to.format_map(about)
