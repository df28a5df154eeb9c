"""What the demo tells, and a hand on one that runs."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import requests

MARK = "SXG_TEST_MARK"
STORY = (
    "imports the catalog: 14 product offerings",
    "registers the consumer ACME IT",
    "connects",
    "registers the consumer Globex",
    "offers the SD-WAN Package to ACME IT",
    "receives its remote catalog items, to be activated by hand: 15, 0 of them active",
    "receives its remote catalog items, activated as they come: 14, 14 of them active",
    "activates what it will order",
    "orders 2 x SD-WAN Package for the Berlin office: ACME-PT0000001",
    "asks the consumer",
    "answers",
    "attaches way-to-gate-2.txt: 188 bytes, and the provider has it",
    "attaches visit.txt: 185 bytes, and ACME IT has it",
    "approves ORD0000001",
    "sees ACME-PT0000001: Closed, 10 products Active",
    "opens the SD-WAN Package to whoever has a contract: Globex has none: it has no such contract in force",
    "signs the SD-WAN framework with Globex: CON0000001 is in force",
    "receives the SD-WAN Package by itself: Globex may order SD-WAN Package: it matches the criteria.",
    "orders 1 x Dedicated Internet Access",
    "Globex sees 'Awaiting info' and why: No 10 Gbit/s there",
    "corrects GLOBEX-PT0000001: 1 Gbit/s will do: same number, ORD0000002 in version 2",
    "wants to cancel GLOBEX-PT0000001: shown as 'Work in progress' still: Order ORD0000002 is past the point",
    "sees GLOBEX-PT0000001: Closed, 1 product Active",
    "ties tickets of consumers to incidents: Globex hands over what is critical",
    "opens a critical ticket: The plant is cut off: TKT0000001 is INC0000001, of priority 1 there",
    "moves INC0000001 to 'work_in_progress': TKT0000001 of Globex is 'in_progress', and reads \"We see it.",
    'answers in its ticket: the incident reads "There is none.',
    "moves INC0000001 to 'resolved': TKT0000001 of Globex is 'resolved', and reads \"The line is back.\"",
    "cancels ACME-PT0000002 before it is approved: Cancelled at once",
    "wants to cancel ACME-PT0000003: The office moves: shown as 'Cancelled', and the provider has to agree",
    "agrees to cancel ORD0000004: ACME IT sees 'Work in Progress': Please send the router back.",
    "sees ACME-PT0000003: Cancelled, 1 product Inactive",
    "Globex            goes offline",
    "approves ORD0000005 and asks, unheard",
    "sees ACME-PT0000004: Closed, 5 products Active",
    "notices nothing of Globex's absence",
    "looks at what waits for Globex: 11 events",
    "Globex            is back",
    "all 11 events that waited have arrived in their order",
    "wants to suspend SD-WAN Package PRD0000001: ACME-PT0000005 is ORD0000007, with 5 lines: its parts go along",
    "sees PRD0000001: Suspended",
    "wants to resume SD-WAN Package PRD0000001: ACME-PT0000006 is ORD0000008",
    "sees PRD0000001: Active",
    "chooses of Branch Connect what does not go together: Access: choose at least 1 of Dedicated Internet Access",
    "SIP Trunk needs Dedicated Internet Access",
    "orders 1 x Branch Connect for the Shelbyville warehouse: GLOBEX-PT0000003 is ORD0000009",
    "sees GLOBEX-PT0000003: Closed, 5 products Active",
    "writes an item by hand, the Visit of the data centre: three questions and a table of guests",
    "activates it: and Grace Hopper has to agree before anything is sent",
    "Ada Lovelace wants to ask for it: Visit of the data centre can be ordered by authorised users only",
    "names Ada Lovelace as Host of visitors: the provider has to approve that",
    "approves Ada Lovelace",
    "types 'berl' where a data centre is asked for: the provider has Berlin One (Berlin)",
    "leaves out who comes: Name must be answered",
    "asks for a visit of 2: ACME-PT0000007 waits for Grace Hopper, and nothing is sent",
    "Grace Hopper agrees: the provider has ACME-PT0000007, without an order",
    'solves ACME-PT0000007: "They are expected at gate 2."',
    "accepts it: ACME-PT0000007 is closed",
    "Inventory of ACME IT, by location",
    "Inventory of Globex, by location",
    "What ACME IT was told of its orders",
    "What Globex was told of its orders",
    "sxg compare",
    "ACME IT: both sides are equal: 7 provider tasks, 16 products, 16 catalog items",
    "Globex: both sides are equal: 3 provider tasks, 9 products, 16 catalog items",
    "Pages (each also with",
    "everybody's password: ",
)
SUBMITTED = [("Draft", "Received", ""), ("Submitted", "Received", ""), ("New", "Received", "")]
APPROVED = [("Acknowledged", "Work in Progress", ""), ("In progress", "Work in progress", "")]
FULFILLED = [("point of no return reached", "Work in progress", ""), ("Completed", "Closed", "")]
TOLD = {
    "ACME-PT0000001": [*SUBMITTED, *APPROVED, *FULFILLED],
    "ACME-PT0000002": [*SUBMITTED, ("Cancelled", "Cancelled", "Ordered twice")],
    "ACME-PT0000003": [
        *SUBMITTED, *APPROVED, ("Assessing cancellation", "Cancelled", "The office moves"),
        ("Cancellation in progress", "Work in Progress", "Please send the router back."),
        ("Cancelled", "Cancelled", ""),
    ],
    "ACME-PT0000004": [*SUBMITTED, *APPROVED, *FULFILLED],
    "GLOBEX-PT0000001": [
        *SUBMITTED, ("Rejected", "Awaiting info", "No 10 Gbit/s there"), *SUBMITTED, *APPROVED,
        FULFILLED[0], ("cancellation refused", "Work in progress", ""), FULFILLED[1],
    ],
    "GLOBEX-PT0000003": [*SUBMITTED, *APPROVED, *FULFILLED],
    "GLOBEX-PT0000002": [
        *SUBMITTED, *((state, shown, "Globex was offline") for state, shown, _ in [*APPROVED, *FULFILLED]),
    ],
}  # fmt: skip
INVENTORIES = [
    ("Berlin office", "SD-WAN Controller", "2", "Active"),
    ("", "SD-WAN Edge Device", "4", "Active"),
    ("", "SD-WAN Package", "2", "Active"),
    ("", "SD-WAN Security", "2", "Active"),
    ("Hamburg office", "4G/5G Backup", "1", "Inactive"),
    ("", "Managed Wi-Fi", "1", "Active"),
    ("", "Wi-Fi Access Point", "4", "Active"),
    ("Shelbyville warehouse", "Branch Connect", "1", "Active"),
    ("", "Dedicated Internet Access", "1", "Active"),
    ("", "Managed LAN Switch", "5", "Active"),
    ("", "SIP Trunk", "1", "Active"),
    ("Springfield plant", "Dedicated Internet Access", "1", "Active"),
]

PEOPLE = [
    *(
        ("Northwind Telecom", role)
        for role in ("exchange_admin", "catalog_manager", "order_manager", "fulfilment_agent")
    ),
    *(("ACME IT", name) for name in ("admin", "Ada Lovelace", "Grace Hopper")),
    *(("Globex", name) for name in ("admin", "Hank Scorpio")),
]


def table_rows(output: str, columns: int) -> list[tuple[str, ...]]:
    """The cells of every row of the tables that have so many columns."""
    rows = [tuple(cell.strip() for cell in line.split("│")[1:-1]) for line in output.splitlines() if "│" in line]
    return [row for row in rows if len(row) == columns]


def told(output: str) -> dict[str, list[tuple[str, str, str]]]:
    """What the tables say of each request: order state, what the consumer showed, and the remark."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for first, sequence, state, shown, took_ms, remark in table_rows(output, 6):
        if sequence == "1":
            steps = found[first] = []
        steps.append((state, shown, remark))
        assert int(took_ms) >= 0
    return found


def marked_processes(mark: str) -> list[str]:
    """The command lines of living processes that inherited the mark; a zombie has no environment any more."""
    found = []
    for directory in Path("/proc").iterdir():
        try:
            if directory.name.isdigit() and f"{MARK}={mark}".encode() in (directory / "environ").read_bytes():
                found.append((directory / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


class Demo:
    """`sxg demo` in a session of its own, its output collected while it runs; `sxg` is the command as installed.

    The settings of whoever runs the tests are not handed on.
    """

    def __init__(self, sxg: Path, cwd: Path, *arguments: str) -> None:
        self.mark = str(uuid4())
        self.output = ""
        kept_back = ("SXG_", "PYTHON", "VIRTUAL_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(kept_back)}
        self.process = subprocess.Popen(
            [sxg, "demo", *arguments],
            cwd=cwd,
            env={**inherited, MARK: self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line

    def wait(self, timeout_s: float) -> int:
        code = self.process.wait(timeout_s)
        self._reader.join(5)
        return code

    def is_up(self) -> bool:
        return "data and logs:" in self.output

    def until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)


def stop(demo: Demo, number: signal.Signals) -> None:
    demo.process.send_signal(number)
    assert demo.wait(30) == 0, demo.output
    assert "Traceback" not in demo.output
    assert marked_processes(demo.mark) == []


def entered(output: str) -> dict[tuple[str, str], int]:
    """Sign in with everything that the demo tells: what the start page answers, by company and name."""
    password = re.findall(r"everybody's password: (\S+)", output)[0]
    found = {}
    for company, url, names in re.findall(r"^  (\S.*?) +(http://\S+)  sign in as (.*)$", output, re.MULTILINE):
        for name in names.split(" or "):
            with requests.Session() as browser:
                page = browser.get(f"{url}/sign-in", timeout=10).text
                token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page)[0]
                sent = {"name": name, "password": password, "csrf_token": token}
                answer = browser.post(f"{url}/sign-in", data=sent, timeout=10)
                found[company, name] = answer.status_code if company in answer.text and name in answer.text else 0
    return found


def settings(output: str) -> list[dict[str, str]]:
    """What the demo says to export for the provider, and before `sxg compare` for each consumer."""
    lines = [line for line in output.splitlines() if "export SXG_PROVIDER_URL" in line or "sxg compare  #" in line]
    return [dict(re.findall(r"(SXG_\w+)=(\S+)", line)) for line in lines]


def compare(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`sxg compare` as the demo says."""
    command = [sys.executable, "-m", "sxg", "compare"]
    env = {**os.environ, **variables}
    return subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=60)
