"""`sxg order` and `sxg order-task` against a real instance."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from sxg.cli import main
from tests.api.provider_client import context_of, make_app, user_headers
from tests.factories import make_order, read_order

Run = Callable[..., Result]


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


@pytest.fixture
def run(app: flask.Flask) -> Iterator[Run]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    token = user_headers(app, "order_manager", "fulfilment_agent")["Authorization"].removeprefix("Bearer ")
    settings: dict[str, str | None] = {name: None for name in os.environ if name.startswith("SXG_")}
    settings |= {"SXG_URL": f"http://127.0.0.1:{server.port}", "SXG_TOKEN": token}

    def run_command(*arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), env=settings)
        assert result.exit_code == exit_code, result.output
        return result

    yield run_command
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_order_is_cancelled_at_once_before_it_is_approved(app: flask.Flask, run: Run) -> None:
    number = make_order(context_of(app).database).order_number
    assert run("order", "cancel", number, "--reason", "By phone.").stdout == f"{number}: Cancelled\n"
    refused = run("order", "cancel", number, "--reason", "Again.", exit_code=1)
    assert len(refused.stderr.splitlines()) == 1


def test_a_cancellation_that_is_assessed_is_declined_or_approved(app: flask.Flask, run: Run) -> None:
    number = make_order(context_of(app).database, approved=True).order_number
    assert "Assessing cancellation" in run("order", "cancel", number, "--reason", "By phone.").stdout
    told = run("order", "decline-cancellation", number, "--reason", "It is built in.", "--json").stdout
    assert json.loads(told)["state"] == "in_progress"
    run("order", "cancel", number, "--reason", "All the same.")
    assert run("order", "approve-cancellation", number, "--message", "As you wish.").stdout == f"{number}: Cancelled\n"


def test_a_task_is_cancelled_and_one_that_is_not_there_is_one_line(app: flask.Flask, run: Run) -> None:
    database = context_of(app).database
    number = make_order(database, approved=True).order_number
    task = read_order(database, number).order_tasks[0].number
    assert run("order-task", "cancel", task, "--reason", "Not needed.").stdout == f"{task}: Cancelled\n"
    refused = run("order-task", "cancel", "TASK9999999", "--reason", "x", exit_code=1)
    assert "TASK9999999" in refused.stderr
