"""The command `sxg`: which commands there are, and how a failure is told. Its module is loaded when one is used."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

# name: (module, what the list of commands says). `--help` of the group must not load any of them.
_COMMANDS = {
    "demo": ("sxg.commands.demo", "Run a provider and two consumers side by side through a day of orders."),
    "provider": ("sxg.commands.instances", "Serve the provider instance over HTTP."),
    "consumer": ("sxg.commands.instances", "Serve the simulated consumer instance over HTTP."),
    "worker": ("sxg.commands.instances", "Deliver what is due, woken by Redis."),
    "sweep": ("sxg.commands.instances", "Find what is due and was not woken up; deliver without Redis."),
    "migrate": ("sxg.commands.instances", "Bring an instance's database to the newest schema."),
    "user": ("sxg.commands.users", "Add, list and disable the people of an instance; set their passwords."),
    "catalog": ("sxg.commands.exchange", "Import or export a catalog."),
    "registration": ("sxg.commands.connections", "Register a consumer, and see how far it came."),
    "connection": ("sxg.commands.connections", "See how connections do; test, pause, resume or revoke one."),
    "provider-connection": (
        "sxg.commands.provider_connections",
        "At a consumer: connect to a provider, and see how far it came.",
    ),
    "producer": ("sxg.commands.producers", "See what consumers are offered; publish drafts, and take items back."),
    "entitlements": ("sxg.commands.entitlements", "See why a consumer may order something, and what would change."),
    "order": ("sxg.commands.orders", "Cancel an order, or settle a cancellation."),
    "order-task": ("sxg.commands.orders", "Cancel a task of an order."),
    "case": ("sxg.commands.cases", "See what is asked for without an order; open a case, and close one."),
    "scratchpad": ("sxg.commands.cases", "Read and write what programs leave on a provider task."),
    "remote-task": ("sxg.commands.remote_tasks", "See what ties incidents to tickets; stop one, try again what waits."),
    "remote-task-definition": (
        "sxg.commands.remote_tasks",
        "See by which rules incidents follow tickets; publish one, or end it.",
    ),
    "contract": ("sxg.commands.contracts", "See what was agreed with consumers; take contracts in, end one."),
    "persona": ("sxg.commands.people", "See what somebody is who may order certain items."),
    "authorised-user": ("sxg.commands.people", "See who of a consumer may order; approve one, or withdraw that."),
    "group": ("sxg.commands.people", "At a consumer: see its groups, whose members hold personas together."),
    "choices": ("sxg.commands.choices", "See what can be chosen from live data; put a new table into a list."),
    "mapping": ("sxg.commands.mappings", "See in which words a consumer reads us; try others, put them in force."),
    "issue": ("sxg.commands.issues", "See what is wrong with connections, and what to do."),
    "deliveries": ("sxg.commands.exchange", "Look at events on their way; replay or skip parked ones."),
    "compare": ("sxg.commands.compare", "Compare both instances record by record."),
    "doctor": ("sxg.commands.doctor", "Say what is healthy on an instance, and what to do about what is not."),
    "leftovers": ("sxg.commands.leftovers", "Save, and remove, what is left of a connection that has ended."),
    "backup": ("sxg.commands.backup", "Save an instance while it runs, and check what was saved."),
    "bench": ("sxg.bench", "Measure."),
}
_OPTIONAL = {"bench"}

_EPILOG = """\b
Exit codes:
  0  done
  1  refused, or the two sides differ
  2  wrong usage or wrong settings (every wrong SXG_* variable is named)
  3  no answer: an instance, a database or Redis cannot be reached

\b
Start here:
  sxg demo --once          a day of orders, from the catalog to both consumers' inventories
  sxg demo                 the same, and the instances stay up for you to try
  sxg COMMAND --help       options and examples of a command
"""


class LazyGroup(click.Group):
    """Loads a command's module when the command is used, and tells every expected failure in plain lines."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in _COMMANDS if name not in _OPTIONAL or find_spec(_COMMANDS[name][0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from sxg.failures import explain  # noqa: PLC0415 - knows every room's errors, so loading it takes a while

            if (failure := explain(error)) is None:
                raise
            for line in failure.lines:
                click.echo(line, err=True)
            ctx.exit(failure.exit_code)


@click.group(
    cls=LazyGroup,
    epilog=_EPILOG,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="service-exchange-gateway", prog_name="sxg")
def main() -> None:
    """Service Exchange Gateway: sell to other organisations' service portals, and keep both sides' records the same.

    An instance is told everything by SXG_* environment variables; see `sxg provider --help`.
    """
