"""The processes of an instance: the web server, workers, the sweeper, and the schema of its database."""

import gc
import signal
import sys
import threading
from importlib import import_module
from types import ModuleType

import click

from bridge.config import InstanceConfig

SIDE = click.Choice(["provider", "consumer"])

_SETTINGS = """\b
Settings (environment):
  SXG_DATABASE_URL   sqlite:////path/to/file.db or postgresql://user:password@host/name
  SXG_DATA_DIR       a directory of this instance's own, for its key file
  SXG_PUBLIC_URL     the address under which the other side reaches this instance
  SXG_INSTANCE_NAME  a name for programs, such as acme-provider
  SXG_DISPLAY_NAME   the name that people read, on both sides; else that of the instance
  SXG_REDIS_URL      redis://...; empty: no Redis, the sweeper delivers
  SXG_EGRESS_ALLOW   private networks that may be called, also over plain http, as in 10.0.0.0/8,127.0.0.0/8
  SXG_LEASE_S        how long a worker holds a connection (30)
  SXG_SWEEP_S        how often the sweeper looks (5)
"""
_CONSUMER_SETTINGS = (
    _SETTINGS + "  SXG_API_TOKEN      the bearer token of the consumer's own API, 16 characters or more\n"
)


def _serving(command: click.Command) -> click.Command:
    """The options of a web server."""
    options = [
        click.option("--bind", default="127.0.0.1:8000", show_default=True, help="HOST:PORT to listen on."),
        click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes."),
        click.option("--threads", type=click.IntRange(1, 256), default=8, show_default=True, help="Threads in each."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command(epilog=_SETTINGS)
def provider(bind: str, workers: int, threads: int) -> None:
    """Serve the provider instance over HTTP, by gunicorn, until told to stop.

    \b
    Example:
      export SXG_DATABASE_URL=sqlite:////var/lib/sxg/provider.db SXG_DATA_DIR=/var/lib/sxg/provider
      export SXG_PUBLIC_URL=https://exchange.example SXG_INSTANCE_NAME=provider
      sxg migrate provider && sxg provider --bind 127.0.0.1:8000
    """
    _serve("provider", bind, workers, threads)


@click.command(epilog=_CONSUMER_SETTINGS)
def consumer(bind: str, workers: int, threads: int) -> None:
    """Serve the simulated consumer instance over HTTP, by gunicorn, until told to stop.

    \b
    Example:
      export SXG_DATABASE_URL=sqlite:////var/lib/sxg/consumer.db SXG_DATA_DIR=/var/lib/sxg/consumer
      export SXG_PUBLIC_URL=https://acme.example SXG_INSTANCE_NAME=acme SXG_API_TOKEN=...
      sxg migrate consumer && sxg consumer --bind 127.0.0.1:8001
    """
    _serve("consumer", bind, workers, threads)


provider = _serving(provider)
consumer = _serving(consumer)


@click.command(epilog=_SETTINGS)
@click.argument("side", type=SIDE)
@click.option(
    "--lane", type=click.Choice(["main", "slow"]), default="main", show_default=True,
    help="main: connections that answer within 2 s. slow: the others, several at once, 20 s each.",
)  # fmt: skip
def worker(side: str, lane: str) -> None:
    """Deliver what is due, woken by Redis, until told to stop.

    Run at least one worker for each lane and instance, on as many hosts as you like. Without Redis there is nothing to
    run: the sweeper delivers by itself.

    \b
    Examples:
      sxg worker provider
      sxg worker provider --lane slow
    """
    from sxg.failures import USAGE, CommandFailed  # noqa: PLC0415

    config = _read(side, lane)
    if not config.redis_url:
        reason = "it is empty, and without Redis there is no worker: the sweeper delivers"
        raise CommandFailed(f"setting SXG_REDIS_URL: {reason}", exit_code=USAGE)
    _worker_of(side).run_worker(config, lane)


@click.command(epilog=_SETTINGS)
@click.argument("side", type=SIDE)
def sweep(side: str) -> None:
    """Find what is due and was not woken up; deliver it here when there is no Redis. Until told to stop.

    \b
    Example:
      sxg sweep provider
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _worker_of(side).run_sweeper(_read(side, "sweeper"), stop)


@click.command()
@click.argument("side", type=SIDE)
@click.option(
    "--database-url",
    envvar="SXG_DATABASE_URL",
    show_envvar=True,
    required=True,
    help="sqlite:///... or postgresql://...",
)
def migrate(side: str, database_url: str) -> None:
    """Bring an instance's database to the newest schema. Safe to repeat; all or nothing.

    \b
    Example:
      SXG_DATABASE_URL=postgresql://sxg:...@localhost/provider sxg migrate provider
    """
    from sxg import databases  # noqa: PLC0415 - loads SQLAlchemy and Alembic

    databases.check_url(database_url)
    revision = databases.migrate(side, database_url)
    click.echo(f"the database of the {side} has revision {revision}")


def _read(side: str, service: str) -> InstanceConfig:
    from bridge.logs import configure_logging  # noqa: PLC0415
    from sxg.schema import check_migrated  # noqa: PLC0415
    from sxg.settings import check_lease, read_config  # noqa: PLC0415

    config = read_config(side)
    check_lease(config)
    check_migrated(side, config.database_url)
    configure_logging(f"{side}-{service}")
    return config


def _worker_of(side: str) -> ModuleType:
    """A process loads its own side only."""
    return import_module("provider.worker" if side == "provider" else "consumer_sim.worker")


def _serve(side: str, bind: str, workers: int, threads: int) -> None:
    """Become gunicorn: the supervisor, or whoever started us, then signals it directly."""
    from gunicorn.app import wsgiapp as gunicorn  # type: ignore[import-untyped]  # noqa: PLC0415 - for servers only

    config = _read(side, "web")
    argv = gunicorn_command(f"sxg.wsgi:{side}()", bind, workers, threads)
    if config.failpoint:
        argv += ["--config", "python:sxg.crashing"]
    # Within this process, not a new one: what it has loaded, it shares with the workers that gunicorn forks.
    # Frozen, for the collector of each worker would write to all of it, and so copy it.
    gc.freeze()
    sys.argv = argv[2:]
    gunicorn.run()


def gunicorn_command(app: str, bind: str, workers: int, threads: int) -> list[str]:
    """How every web process of ours is served; `app` as in `sxg.wsgi:provider()`."""
    return [
        sys.executable, "-m", "gunicorn", app, "--bind", bind, "--worker-class", "gthread",
        "--workers", str(workers), "--threads", str(threads), "--no-control-socket", "--keep-alive", "30",
        "--graceful-timeout", "8", "--log-level", "warning",
    ]  # fmt: skip
