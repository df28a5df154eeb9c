"""The command `sxg bench`: what can be measured on this machine, each claim beside its naive baseline."""

from importlib import import_module

import click

_COMMANDS = {
    "sync": ("sxg.bench.command", "Measure synchronisation: batched engine, one job per event, latency."),
    "intake": ("sxg.bench.intake", "Measure intake: orders per second, beside an endpoint that only inserts."),
    "memory": ("sxg.bench.memory", "Measure the memory of a provider and one consumer with all their processes."),
}


class _LazyGroup(click.Group):
    """Loads a measurement when it is asked for: they load both sides."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, no_args_is_help=True)
def bench() -> None:
    """Measure on this machine; the figures are written to reports/."""
