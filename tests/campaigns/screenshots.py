"""Pictures of every page at two widths: `make screenshots`, which is this module run as a program.

    python -m tests.campaigns.screenshots --output docs/screenshots/all

Only the few that the README shows are kept in docs/screenshots itself: `--keep docs/screenshots` renews those.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from tests.browser import day
from tests.browser.browsing import PHONE, WIDE, Browsing, Person, screenshot
from tests.browser.crawl import Routes, crawl
from tests.e2e.stage import Stage

WIDTHS = {"wide": WIDE, "phone": PHONE}
KEPT = {
    "provider-orders.show-wide.png": "order.png",
    "provider-start.show-wide.png": "waiting.png",
    "provider-connections.show-wide.png": "connection.png",
    "consumer-catalog.order-wide.png": "order-form.png",
    "consumer-requests.show-wide.png": "request.png",
    "consumer-requests.show-phone.png": "request-phone.png",
}
"""Of all pictures, those for the README, and what they are called there."""


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/screenshots/all"))
    parser.add_argument("--keep", type=Path, help="where the six for the README go")
    given = parser.parse_args()
    shutil.rmtree(given.output, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="sxg-pictures-") as name, Stage(Path(name)) as stage:
        day.trade(stage)
        with Browsing(stage) as browsing:
            count = take_pictures(browsing, given.output)
    for source, target in KEPT.items() if given.keep else ():
        shutil.copyfile(given.output / source, given.keep / target)
    print(f"{count} pictures in {given.output}")


if __name__ == "__main__":
    main()
