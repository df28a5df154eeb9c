"""A walk over the open page with the keys alone: what is wrong with it for somebody who has no mouse."""

from __future__ import annotations

from tests.browser.browsing import MAIN, Person

_LIST = """() => {
  const isReachable = one => one.type !== "hidden" && !one.matches(":disabled") && one.tabIndex >= 0 &&
    one.checkVisibility() && (one.type !== "radio" || one.checked || one === document.activeElement);
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
  return all.filter(isReachable);
}"""
_FOLLOW = f"""of => {{
  const list = () => ({_LIST})().filter(one => one.closest(of));
  const follow = {{ list: list(), wrong: [], last: -1, left: () => follow.list.length - 1 - follow.last }};
  window.follow = follow;
  window.unfollow?.abort();
  window.unfollow = new AbortController();
  document.addEventListener("focusin", ({{ target }}) => {{
    const style = getComputedStyle(target), what = target.outerHTML.slice(0, 120);
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    if (!outlined && style.boxShadow === "none" && target.type !== "date") follow.wrong.push(`not seen: ${{what}}`);
    if (target !== follow.list[follow.last + 1]) follow.list = list();
    const place = follow.list.indexOf(target);
    if (![0, 1].includes(place - follow.last)) follow.wrong.push(`${{place}} after ${{follow.last}}: ${{what}}`);
    follow.last = place;
  }}, {{ signal: window.unfollow.signal }});
  if (of !== "body") return;
  document.activeElement.blur();
  document.querySelector("a[href='#main']").focus();
}}"""
"""Notes each control that gets the focus: whether that can be seen (Chromium's date has parts that show it themselves),
and whether it is the next one in the order of the page."""


_FOLD = """() => {
  const box = document.activeElement.closest("details");
  return {
    place: [...document.querySelectorAll("details")].indexOf(box), isOpen: box?.open,
    isAtSummary: document.activeElement.matches("summary"),
    controls: box?.querySelectorAll("a, button, textarea, select, input:not([type='hidden'])").length,
  };
}"""
"""Asked in one go: the page may renew its parts at any time."""


def wrong_for_keys(person: Person, is_first: bool = False) -> list[str]:
    """The first control leads past the navigation; from there every control is reached by Tab, in order, and shows it.

    Nothing traps. On the first page the navigation is walked too: it is the same on every page.
    """
    return (_walk(person) if is_first else []) + _skip(person) + _walk(person, of="#main, footer") + _unfold(person)


def _walk(person: Person, of: str = "body") -> list[str]:
    """All controls of these parts, from where the focus is, and one press more, which has to leave the last."""
    page = person.page
    page.evaluate(_FOLLOW, of)
    while left := page.evaluate("follow.left()"):
        before: int = page.evaluate("follow.last")
        for _ in range(left):
            page.keyboard.down("Tab")
        if page.evaluate("follow.last") == before:
            return [*page.evaluate("follow.wrong"), f"Tab goes no further than {_focused(person)}"]
    page.keyboard.up("Tab")
    wrong: list[str] = page.evaluate("follow.wrong")
    last_one = _focused(person)
    for _ in range(5):  # a date has four parts
        page.keyboard.press("Tab")
        if _focused(person) != last_one:
            return wrong
    return [*wrong, f"no way out of {last_one}"]


def _skip(person: Person) -> list[str]:
    """The first link leads to the content, and that is where the next Tab goes on from."""
    person.page.locator("a[href='#main']").press("Enter")
    if person.page.evaluate("document.activeElement.id") == "main":
        return []
    return [f"the first link leads to {_focused(person)}"]


def _unfold(person: Person) -> list[str]:
    """What unfolds does so by Enter, is entered by Tab, and is left by Escape."""
    wrong = []
    for number, summary in enumerate(person.page.locator(f"{MAIN} summary:visible").all()):
        summary.press("Enter")
        if not person.page.evaluate(_FOLD)["isOpen"]:  # it was open
            person.page.keyboard.press("Enter")
        unfolded = person.page.evaluate(_FOLD)
        if unfolded["controls"]:
            person.page.keyboard.press("Tab")
            if person.page.evaluate(_FOLD) != {**unfolded, "isAtSummary": False}:
                wrong.append(f"Tab leads past what the summary {number} unfolds, to {_focused(person)}")
        person.page.keyboard.press("Escape")
        if person.page.evaluate(_FOLD) != {**unfolded, "isOpen": False}:
            wrong.append(f"Escape does not fold what the summary {number} unfolded, or leads to {_focused(person)}")
    return wrong


def _focused(person: Person) -> str:
    found: str = person.page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
    return found
