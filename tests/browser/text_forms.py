"""Every form that a crawl finds and that takes text: what it is, on which pages it stands, and how it is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.browser.browsing import Person
from tests.browser.crawl import Routes

_TEXTS = """form => [...form.elements].filter(one => one.name &&
  ["text", "search", "textarea", "email", "url", "password", "tel"].includes(one.type) || one.type === "file")"""
_FORMS = f"""() => [...document.forms].map((form, place) => ({{
  place, method: form.method, path: new URL(form.action).pathname,
  texts: ({_TEXTS})(form).map(one => ({{ name: one.name, limit: one.maxLength }})),
}})).filter(form => form.texts.length)"""
_SEND = f"""([place, text, called]) => {{
  const form = document.forms[place];
  form.noValidate = true;
  for (const one of ({_TEXTS})(form)) {{
    if (one.type !== "file") one.value = text;
    else {{
      const files = new DataTransfer();
      files.items.add(new File([text], called));
      one.files = files.files;
    }}
  }}
  form.requestSubmit(form.querySelector("button:not([type='button'])"));
}}"""


@dataclass(frozen=True)
class Kind:
    """The same form on whichever page: where it goes, and the texts that are asked for."""

    action: str
    method: str
    names: tuple[str, ...]


@dataclass
class TextForms:
    """Those of one side. `limits` are the lengths that fields allow; -1 where the server alone counts."""

    routes: Routes
    pages: dict[Kind, list[str]] = field(default_factory=lambda: defaultdict(list))
    limits: dict[tuple[str, str], int] = field(default_factory=dict)

    def note(self, person: Person, path: str) -> None:
        """What stands on the open page."""
        for kind, form in self._on(person):
            self.pages[kind].append(path)
            self.limits |= {(kind.action, one["name"]): one["limit"] for one in form["texts"]}

    def send(self, person: Person, kind: Kind, text: str, called: str) -> bool:
        """Open a page that has the form and send it with this in every text field, and in a file that is `called` so.

        False where no page has it any more.
        """
        for path in self.pages[kind]:
            person.open(path)
            place = next((form["place"] for found, form in self._on(person) if found == kind), None)
            if place is not None:
                with person.page.expect_navigation():
                    person.page.evaluate(_SEND, [place, text, called])
                return True
        return False

    def _on(self, person: Person) -> Iterator[tuple[Kind, dict[str, Any]]]:
        for form in person.page.evaluate(_FORMS):
            action = self.routes.action(form["path"], form["method"].upper())
            yield Kind(action, form["method"], tuple(one["name"] for one in form["texts"])), form
