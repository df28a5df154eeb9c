"""How a list on a page was asked for: search, filters, order and page are all in the address, so it can be linked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import flask

PER_PAGE = 25
_PAGE_MOST = 100_000
_TEXT_MOST = 200


@dataclass(frozen=True)
class Listing:
    """One view of a list. `sort` is one of `sortable`; `filters` holds those that are set, out of `filterable`."""

    sortable: Sequence[str]
    filterable: Sequence[str]
    default: str
    text: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def offset(self) -> int:
        return (self.page - 1) * PER_PAGE

    @property
    def limit(self) -> int:
        return PER_PAGE

    def id_in(self, name: str) -> str | None:
        """The id that a filter holds. What is none becomes one that no record has: databases compare ids with ids."""
        text = self.filters.get(name)
        try:
            return str(UUID(text)) if text else None
        except ValueError:
            return str(UUID(int=0))

    @property
    def place(self) -> dict[str, Any]:
        """What the search of a service takes to give this page: sort, descending, offset, limit."""
        return {"sort": self.sort, "descending": self.descending, "offset": self.offset, "limit": self.limit}

    @property
    def is_narrowed(self) -> bool:
        """Whether search or filters leave something out: an empty list then says so."""
        return bool(self.text or self.filters)

    def pages(self, total: int) -> int:
        return max(1, -(-total // PER_PAGE))

    def url(self, **changes: Any) -> str:
        """The address of this list with other values; None leaves one out. Any change but that of the page goes back
        to the first page.
        """
        ours: dict[str, Any] = {"q": self.text, "sort": self.sort_text, "page": self.page, **self.filters}
        if set(changes) - {"page"}:
            ours["page"] = 1
        wanted = {**ours, **changes}
        hidden = {"page": 1, "sort": self.default}
        kept = {name: value for name, value in wanted.items() if value not in (None, "", hidden.get(name))}
        return flask.url_for(flask.request.endpoint or "", **(flask.request.view_args or {}), **kept)

    def sort_url(self, name: str) -> str:
        """The address sorted by a column; by the one it is sorted by already, the other way round."""
        reverse = name == self.sort and not self.descending
        return self.url(sort=f"-{name}" if reverse else name)

    def direction(self, name: str) -> str:
        """For `aria-sort`."""
        if name != self.sort:
            return "none"
        return "descending" if self.descending else "ascending"

    @property
    def sort_text(self) -> str:
        """As in the address."""
        return f"-{self.sort}" if self.descending else self.sort


def read_listing(sortable: Sequence[str], default: str, filterable: Sequence[str] = ()) -> Listing:
    """What this request asks for. `default` is a column, `-` before it for descending; values that no link of ours
    has fall back to it, and to the first page.
    """
    args = flask.request.args
    wanted = args.get("sort", default)
    name = wanted.removeprefix("-")
    if name not in sortable:
        wanted, name = default, default.removeprefix("-")
    filters = {key: args[key][:_TEXT_MOST] for key in filterable if args.get(key)}
    page = args.get("page", 1, type=int)
    return Listing(
        sortable,
        filterable,
        default,
        text=args.get("q", "").strip()[:_TEXT_MOST],
        sort=name,
        descending=wanted.startswith("-"),
        page=min(max(page, 1), _PAGE_MOST),
        filters=filters,
    )
