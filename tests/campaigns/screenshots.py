"""Pictures of every page at two widths: `make screenshots`, which is this module run as a program.

    python -m tests.campaigns.screenshots --output docs/screenshots/all

Only the few that the README shows are kept in docs/screenshots itself: `--keep docs/screenshots` renews those.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from sxg.demo import answers
from tests.browser import day
from tests.browser.browsing import PHONE, WIDE, Browsing, Person, screenshot
from tests.browser.crawl import Routes, crawl
from tests.e2e.stage import Stage

WIDTHS = {"wide": WIDE, "phone": PHONE}
LOW = {"width": 1200, "height": 640}
NAMES = {"provider": "Northwind", "consumer": "ACME IT"}
KEPT = (
    ("waiting", "provider", "Start", "", LOW),
    ("order", "provider", "Orders", answers.SD_WAN, LOW),
    ("flow", "provider", "Flow", "", LOW),
    ("order-form", "consumer", "Catalog", answers.SD_WAN, LOW),
    ("request", "consumer", "Requests", answers.SD_WAN, LOW),
    ("request-phone", "consumer", "Requests", answers.SD_WAN, PHONE),
)
"""Those for the README: name, whose, the place in the menu, the row there whose link is followed, and the width."""


def take_pictures(browsing: Browsing, output: Path) -> int:
    """One page of each route; how many pictures there are."""
    count = 0
    for side, person in (("provider", browsing.provider()), ("consumer", browsing.consumer())):
        routes = Routes(side)
        for width, viewport in WIDTHS.items():
            person.page.set_viewport_size(viewport)
            for route, _ in crawl(person, routes):
                count += _take(person, output / f"{side}-{route}-{width}.png")
    return count


def _take(person: Person, path: Path) -> bool:
    """False where the route has its picture already: the first one is that of the newest record."""
    if path.exists():
        return False
    screenshot(person, path)
    return True


def take_kept(browsing: Browsing, output: Path) -> None:
    """Only what is seen without scrolling: the README shows them small."""
    for name, side, place, what, viewport in KEPT:
        person = browsing.provider() if side == "provider" else browsing.consumer()
        person.page.set_viewport_size(WIDE)
        person.open("/")
        person.go(place)
        if what:
            person.click(person.page.locator("tr", has_text=what).get_by_role("link").first)
            person.page.wait_for_load_state()
        person.page.set_viewport_size(viewport)
        person.page.screenshot(path=output / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/screenshots/all"))
    parser.add_argument("--keep", type=Path, help="where the six for the README go")
    given = parser.parse_args()
    shutil.rmtree(given.output, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="sxg-pictures-") as name:
        stage = Stage(Path(name))
        for program, environment in stage.deployment.environments.items():
            environment["SXG_DISPLAY_NAME"] = NAMES.get(program.partition("-")[0], "")
        with stage:
            day.trade(stage)
            with Browsing(stage) as browsing:
                count = take_pictures(browsing, given.output)
                if given.keep:
                    take_kept(browsing, given.keep)
    print(f"{count} pictures in {given.output}")


if __name__ == "__main__":
    main()
