"""What do the figures of intake say, and on which machine? The report as data, as a page, and in four lines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from sxg.bench.intake_rig import BARE, INTAKE
from sxg.bench.report import now_text

GOAL_RATIO = 0.5

_PAGE = """\
# Intake, measured

{measured_at}, commit {commit}. Repeat with `{command}`; `benchmarks/README.md` explains what is compared.

| | orders/s (median) | each round | CPUs idle |
|---|---:|---|---:|
| intake | {intake} |
| bare endpoint | {bare} |

**Ratio {ratio:.2f}.** Goal: at least {goal:g}, {verdict}.

{clients} clients on kept-alive connections, {orders:,} orders of each endpoint in each of {rounds} rounds. Every
acknowledged request has exactly one order. Where CPUs were idle while both waited for the same disk, or something else
was running, the ratio says less.

## Where

| | |
|---|---|
{machine}

## With

{settings}
"""


@dataclass(frozen=True, slots=True)
class Parameters:
    """`orders` of each endpoint in each round."""

    orders: int
    rounds: int
    clients: int


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of one endpoint, all of whose orders were found exactly once."""

    design: str
    orders: int
    seconds: float
    idle_percent: float | None

    @property
    def orders_per_s(self) -> float:
        return self.orders / self.seconds


def describe(
    parameters: Parameters, machine: Mapping[str, Any], settings: Mapping[str, Any], rounds: Sequence[Round]
) -> dict[str, Any]:
    """The report as plain JSON. Figures are medians over the rounds."""
    by_design = {name: _design([each for each in rounds if each.design == name]) for name in (INTAKE, BARE)}
    ratio = round(by_design[INTAKE]["orders_per_s"] / by_design[BARE]["orders_per_s"], 3)
    return {
        "measured_at": now_text(),
        "ratio": ratio,
        "goals": {"ratio": {"at_least": GOAL_RATIO, "reached": ratio >= GOAL_RATIO}},
        **by_design,
        "parameters": asdict(parameters),
        "settings": dict(settings),
        "machine": dict(machine),
    }


def _design(rounds: Sequence[Round]) -> dict[str, Any]:
    return {
        "orders_per_s": round(median(each.orders_per_s for each in rounds), 1),
        "rounds": [
            {
                "orders": each.orders,
                "seconds": round(each.seconds, 3),
                "orders_per_s": round(each.orders_per_s, 1),
                "idle_percent": None if each.idle_percent is None else round(each.idle_percent, 1),
            }
            for each in rounds
        ],
        "ordered_exactly_once": True,
    }


def summary(found: Mapping[str, Any]) -> str:
    goal = found["goals"]["ratio"]
    return (
        f"intake  {found[INTAKE]['orders_per_s']:>10,.0f} orders/s\n"
        f"bare    {found[BARE]['orders_per_s']:>10,.0f} orders/s\n"
        f"ratio   {found['ratio']:>10.2f}   goal: at least {goal['at_least']:g}, {_verdict(goal)}"
    )


def render_page(found: Mapping[str, Any]) -> str:
    """The page of a report as `describe` makes it."""
    goal, parameters, settings = found["goals"]["ratio"], found["parameters"], found["settings"]
    on_server = "" if settings["database"] == "sqlite" else " --database URL"
    return _PAGE.format(
        **parameters,
        measured_at=found["measured_at"],
        commit=found["machine"]["commit"] or "unknown",
        command=f"sxg bench intake{on_server}",
        intake=_row(found[INTAKE]),
        bare=_row(found[BARE]),
        ratio=found["ratio"],
        goal=goal["at_least"],
        verdict=_verdict(goal),
        machine="\n".join(f"| {name} | {_listed(value)} |" for name, value in found["machine"].items()),
        settings="\n".join(f"- {name}: {_listed(value)}" for name, value in settings.items()),
    )


def _row(design: Mapping[str, Any]) -> str:
    rounds = design["rounds"]
    speeds = ", ".join(f"{each['orders_per_s']:,.0f}" for each in rounds)
    idle = [each["idle_percent"] for each in rounds if each["idle_percent"] is not None]
    return f"{design['orders_per_s']:,.0f} | {speeds} | {f'{median(idle):.0f} %' if idle else '?'}"


def _verdict(goal: Mapping[str, Any]) -> str:
    return "reached" if goal["reached"] else "MISSED"


def _listed(value: Any) -> str:
    return ", ".join(f"{name} {inner}" for name, inner in value.items()) if isinstance(value, Mapping) else str(value)
