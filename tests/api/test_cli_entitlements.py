"""`sxg entitlements` against a real instance: for people, and with --json for programs."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from werkzeug.serving import make_server

from provider.models.criteria import HeldRemoval
from provider.services.entitlements import refresh_entitlements
from sxg.cli import main
from tests.api.provider_client import context_of, make_app, user_headers
from tests.factories import NOW
from tests.service.test_criteria import entitled, make_many, unlabel


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


class Terminal:
    """A person at a terminal, with address and token in the environment."""

    def __init__(self, url: str, token: str) -> None:
        self.settings = {name: None for name in os.environ if name.startswith("SXG_")}
        self.settings |= {"SXG_URL": url, "SXG_TOKEN": token}  # type: ignore[dict-item]

    def run(self, *arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["entitlements", *arguments], env=self.settings)
        assert result.exit_code == exit_code, result.output
        return result

    def lines(self, *arguments: str) -> list[str]:
        return self.run(*arguments).stdout.splitlines()


@pytest.fixture
def terminal(app: flask.Flask) -> Iterator[Terminal]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    token = user_headers(app, "exchange_admin")["Authorization"].removeprefix("Bearer ")
    yield Terminal(f"http://127.0.0.1:{server.port}", token)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def held(app: flask.Flask) -> tuple[str, list[str], str]:
    with context_of(app).database.transaction() as session:
        identity, ids = make_many(session, 6)
        unlabel(session, ids[:5])
        refresh_entitlements(session, NOW)
        return identity, ids, session.scalars(select(HeldRemoval.id)).one()


def test_why_is_a_sentence_and_a_line_for_each_condition(terminal: Terminal, held: tuple[str, list[str], str]) -> None:
    identity, ids, _ = held
    asked = ("explain", "--consumer", ids[5], "--item", "Business Line")
    answer, condition = terminal.lines(*asked)
    assert answer.endswith("may order Business Line: it matches the criteria.")
    assert condition == "  yes Have the label tier with gold: its label tier is gold"
    assert json.loads(terminal.run(*asked, "--json").stdout)["item_id"] == identity


def test_a_dry_run_marks_who_gains_and_loses(terminal: Terminal, held: tuple[str, list[str], str]) -> None:
    _, ids, _ = held
    lines = terminal.lines("preview")
    assert lines[0] == "Business Line"
    assert all(line.startswith("  ? (held for a person) C") for line in lines[1:])
    assert len(lines) == 6
    criteria = json.dumps({"connection_ids": ids})
    assert terminal.lines("preview", "--item", "Business Line", "--criteria", criteria) == [
        "Business Line",
        "  nothing changes",
    ]
    refused = terminal.run("preview", "--item", "Business Line", "--criteria", "{", exit_code=2)
    assert "not JSON" in refused.stderr
    refused = terminal.run("preview", "--item", "Business Line", "--criteria", '{"contracts": ["C-1"]}', exit_code=1)
    assert "/criteria/contracts" in refused.stderr


def test_what_is_held_is_listed_and_decided(
    app: flask.Flask, terminal: Terminal, held: tuple[str, list[str], str]
) -> None:
    identity, ids, removal_id = held
    first, names = terminal.lines("held")
    assert first.startswith(f"{removal_id}  Business Line, only consumers that have the label tier with gold: 5 of 6")
    assert len(names.split(", ")) == 5
    assert terminal.lines("decide", removal_id) == [f"removal {removal_id} is confirmed"]
    assert terminal.lines("held") == ["nothing is held"]
    assert terminal.lines("refresh") == ["0 changed"]
    terminal.run("decide", removal_id, "--keep", exit_code=1)
    with context_of(app).database.reading() as session:
        assert entitled(session, identity) == {ids[5]}
