"""`sxg demo`."""

from pathlib import Path

import click


@click.command()
@click.option("--once", is_flag=True, help="One pass without anybody watching; then everything is stopped.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep databases and logs here, and go on from them.",
)
def demo(once: bool, data_dir: Path | None) -> None:
    """Run a provider and two consumers side by side through a day of orders, from the catalog to the inventories.

    Nothing needs to be set up: an embedded Redis and SQLite files in a temporary directory are used, and every process
    is a real one on a free port. At the end the provider is compared with each consumer; they must be equal.

    \b
    Exit codes: 0 all sides are equal, 1 they differ or the story got stuck.

    \b
    Examples:
      sxg demo                     stays up, prints addresses and tokens; Ctrl-C stops everything
      sxg demo --once              ends by itself
      sxg demo --data-dir ./var    keeps its data; the next run goes on from there
    """
    from sxg.demo.run import run  # noqa: PLC0415 - loads rich and the supervisor

    raise click.exceptions.Exit(run(once=once, data_dir=data_dir))
