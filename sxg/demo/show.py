"""What a person sees of the demo: one line for each step done, and tables at its end; plain text when piped."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WHO_WIDTH = 17
_PIPE_WIDTH = 120
_TIME_WIDTH = 10
_REFRESH_S = 0.25

Rows = Sequence[Sequence[str]]


class Step:
    """What is being done, and what came of it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.outcome = ""
        self._tell = tell

    def is_at(self, detail: str) -> None:
        """What is under way just now; seen on a terminal only."""
        self._tell(detail)

    def says(self, outcome: str) -> None:
        self.outcome = outcome


class Show:
    """Prints to standard output; on a terminal the step under way is shown as well."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(highlight=False)
        # A pipe has no width of its own: wide enough for the tables, so that no line is broken.
        self.console = console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)

    @contextmanager
    def step(self, who: str, what: str) -> Iterator[Step]:
        """Print `what` when it is done, with its outcome and duration; `who` is the role that does it."""
        started = time.monotonic()
        waiting = f"{who:<{_WHO_WIDTH}} {what} ..."
        with self.console.status(Text(waiting), refresh_per_second=1 / _REFRESH_S) as status:
            step = Step(lambda detail: status.update(Text(f"{waiting} {detail}")))
            yield step
        line = Text.assemble(
            (f"{time.monotonic() - started:6.2f} s  ", "dim"), (f"{who:<{_WHO_WIDTH}} ", "cyan"), what,
            (f": {step.outcome}" if step.outcome else "", "bold"),
        )  # fmt: skip
        self.console.print(line, soft_wrap=True)

    def line(self, text: str = "", style: str = "") -> None:
        self.console.print(Text(text, style), soft_wrap=True)

    def detail(self, text: str) -> None:
        """More about the step above."""
        self.console.print(Text(f"{'':{_WHO_WIDTH + _TIME_WIDTH + 1}}{text}", "dim"), soft_wrap=True)

    def heading(self, text: str) -> None:
        self.console.print()
        self.console.print(Text(text, "bold"), soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], groups: Sequence[Rows], right: int = -1) -> None:
        """A rule between two groups of rows; `right` is the column whose numbers are aligned at their end."""
        table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
        for place, column in enumerate(columns):
            table.add_column(column, justify="right" if place == right else "left")
        for rows in groups:
            for row in rows:
                table.add_row(*row)
            table.add_section()
        self.console.print()
        self.console.print(table)
