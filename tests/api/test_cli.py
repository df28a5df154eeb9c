"""Does the command line teach, and does it tell every expected failure in one line, without a traceback?"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from sxg.cli import main

CATALOG = Path(__file__).parents[2] / "sxg" / "data" / "managed_service_provider.json"
NO_SETTINGS = {name: None for name in os.environ if name.startswith("SXG_")}


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, arguments, env={**NO_SETTINGS, **(env or {})})


def assert_fails(result: Result, exit_code: int, *lines: str) -> None:
    """The failure was expected: these are the lines on standard error, and there was no traceback."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.stderr.splitlines() == list(lines)
    assert result.exit_code == exit_code


@dataclass
class Answering:
    """An HTTP server that gives every request the same answer."""

    status: int = 200
    document: Any = None
    content_type: str = "application/json"
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    url: str = ""

    def reply(self, status: int, document: Any, content_type: str = "application/json") -> None:
        self.status, self.document, self.content_type = status, document, content_type


@pytest.fixture
def server() -> Iterator[Answering]:
    answering = Answering()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            answering.seen.append((self.command, self.path, body))
            said = answering.document
            content = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(answering.status)
            self.send_header("Content-Type", answering.content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        answering.url = f"http://127.0.0.1:{http.server_port}"
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        yield answering
        http.shutdown()


# --- help


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in sorted({*group.list_commands(context)} - {"bench"}):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in commands(main)], ids=" ".join)
def test_every_commands_help_explains_and_shows_an_example(path: Sequence[str]) -> None:
    result = run(*path, "--help")
    assert result.exit_code == 0
    assert f"sxg {path[0]}" in result.stdout.partition("\n")[2], "an example"
    assert len(result.stdout.splitlines()[2].strip()) > 20, "a sentence"


def test_the_list_of_commands_says_what_each_does_and_what_exit_codes_mean() -> None:
    result = run("--help")
    for name in main.list_commands(click.Context(main)):
        assert f"\n  {name}" in result.stdout
    assert "Exit codes:" in result.stdout


def test_help_loads_no_command_and_is_there_at_once() -> None:
    code = (
        "import sys, sxg.cli\n"
        "try: sxg.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('flask', 'sqlalchemy', 'requests', 'rich', 'redis') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "[]"


# --- the instance cannot be reached, or refuses


def test_an_unknown_command_is_refused_with_a_hint() -> None:
    result = run("frobnicate")
    assert result.exit_code == 2
    assert "No such command 'frobnicate'" in result.stderr


def test_a_refused_connection_is_one_line() -> None:
    result = run("deliveries", "list", "--url", "http://127.0.0.1:1", "--token", "t")
    assert_fails(result, 3, "error: http://127.0.0.1:1: connecting to 127.0.0.1 port 1: Connection refused")


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://127.0.0.1/", "http://user@127.0.0.1/", "http://192.0.2.1/", "http://"]
)
def test_a_bad_address_is_one_line(url: str) -> None:
    result = run("deliveries", "list", "--url", url, "--token", "t")
    assert result.exit_code == 3
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: ")


def test_networks_that_are_none_are_one_line() -> None:
    result = run("deliveries", "list", "--url", "http://127.0.0.1:1", "--token", "t", "--allow", "10.0.0.1/8")
    assert_fails(result, 1, "error: not a network to allow: 10.0.0.1/8 has host bits set")


def test_a_token_that_cannot_be_sent_is_one_line() -> None:
    result = run("deliveries", "list", "--url", "http://127.0.0.1:1", "--token", "two\nlines")
    assert_fails(result, 1, "error: the token has characters that no token has")


def test_a_wrong_token_is_one_line(server: Answering) -> None:
    problem = {
        "code": "not_authenticated",
        "title": "Not Authenticated",
        "status": 401,
        "detail": "The token is not known.",
    }
    server.reply(401, problem, "application/problem+json")
    result = run("deliveries", "list", env={"SXG_URL": server.url, "SXG_TOKEN": "wrong"})
    assert_fails(result, 1, "error: The token is not known. (401 not_authenticated)")


def test_a_refusal_names_every_field(server: Answering) -> None:
    errors = [{"pointer": "/contact_email", "code": "format", "message": "must be an e-mail address"}]
    server.reply(
        422, {"code": "invalid_fields", "title": "Invalid Fields", "errors": errors}, "application/problem+json"
    )
    given = ["--company", "ACME", "--contact-name", "Ada", "--contact-email", "ada"]
    result = run("registration", "create", *given, "--url", server.url, "--token", "t")
    assert_fails(result, 1, "error: Invalid Fields (422 invalid_fields)", "  /contact_email: must be an e-mail address")


@pytest.mark.parametrize(("status", "said"), [(200, "<html>"), (502, "<html>Bad Gateway</html>"), (404, "{}")])
def test_something_else_that_answers_is_one_line(server: Answering, status: int, said: str) -> None:
    server.reply(status, said, "text/html")
    result = run("deliveries", "list", "--url", server.url, "--token", "t")
    assert result.exit_code == 3
    assert len(result.stderr.splitlines()) == 1
    assert "not like an instance" in result.stderr or "does not answer like an instance" in result.stderr


# --- the catalog


def test_a_catalog_is_imported_and_counted(server: Answering) -> None:
    server.reply(200, {"created": 3, "updated": 0, "unchanged": 1})
    result = run("catalog", "import", str(CATALOG), "--url", server.url, "--token", "t")
    assert (result.exit_code, result.stdout) == (0, f"{CATALOG}: 3 created, 0 updated, 1 unchanged\n")
    assert server.seen == [("POST", "/api/v1/catalog/import", json.loads(CATALOG.read_text()))]


def test_every_mistake_of_a_catalog_is_a_line_with_file_pointer_and_reason(server: Answering, tmp_path: Path) -> None:
    file = tmp_path / "products.json"
    file.write_text("{}")
    errors = [
        {"pointer": "/productOffering/0/name", "code": "required", "message": "is missing"},
        {"pointer": "", "code": "required", "message": "has no specification"},
    ]
    server.reply(
        422, {"code": "invalid_fields", "title": "Invalid Fields", "errors": errors}, "application/problem+json"
    )
    result = run("catalog", "import", str(file), "--url", server.url, "--token", "t")
    assert_fails(result, 1, f"{file}: /productOffering/0/name: is missing", f"{file}: /: has no specification")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'{\n  "productOffering": [,]\n}', ":2: Expecting value (column 23)"),
        (b"", ":1: Expecting value (column 1)"),
        (b"[" * 100_000, ": nested too deeply"),
        (b'{"name": "\xff"}', ": not UTF-8: invalid start byte at byte 10"),
    ],
)
def test_a_file_that_is_not_json_is_told_by_line(tmp_path: Path, content: bytes, fault: str) -> None:
    file = tmp_path / "products.json"
    file.write_bytes(content)
    result = run("catalog", "import", str(file), "--url", "http://127.0.0.1:1", "--token", "t")
    assert_fails(result, 1, f"error: {file}{fault}")


def test_a_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    result = run("catalog", "import", str(tmp_path / "none.json"), "--url", "http://127.0.0.1:1", "--token", "t")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


# --- deliveries


def test_deliveries_are_a_table_for_people_and_a_document_for_programs(server: Answering) -> None:
    delivery = {"id": "d1", "state": "parked", "stream": "product/p", "sequence": 2, "type": "t", "reason": None}
    server.reply(200, {"items": [delivery], "next": None})
    result = run("deliveries", "list", "--state", "parked", "--url", server.url, "--token", "t")
    head, row = result.stdout.splitlines()
    assert head.split() == ["id", "state", "stream", "sequence", "type", "reason"]
    assert row.split() == ["d1", "parked", "product/p", "2", "t"]
    assert server.seen[0][1] == "/api/v1/deliveries?state=parked&limit=50"
    result = run("deliveries", "list", "--json", "--url", server.url, "--token", "t")
    assert json.loads(result.stdout)["items"] == [delivery]


def test_one_delivery_is_asked_for_by_its_id_and_shown_whole(server: Answering) -> None:
    server.reply(200, delivery := {"id": "d/1", "state": "pending", "reason": "Größe"})
    result = run("deliveries", "show", "d/1", "--url", server.url, "--token", "t")
    assert (json.loads(result.stdout), "Größe" in result.stdout) == (delivery, True)
    assert server.seen == [("GET", "/api/v1/deliveries/d%2F1", None)]


def test_a_delivery_is_replayed_and_skipped_by_id(server: Answering) -> None:
    server.reply(200, {})
    assert run("deliveries", "replay", "d/1", "--url", server.url, "--token", "t").exit_code == 0
    skipped = run("deliveries", "skip", "d1", "--reason", "told by phone", "--url", server.url, "--token", "t")
    assert skipped.exit_code == 0
    assert server.seen == [
        ("POST", "/api/v1/deliveries/d%2F1/replay", {}),
        ("POST", "/api/v1/deliveries/d1/skip", {"reason": "told by phone"}),
    ]


# --- the processes and their settings


@pytest.mark.parametrize("command", [["consumer"], ["worker", "consumer"], ["sweep", "consumer"], ["provider"]])
def test_every_wrong_setting_is_named_at_once(command: list[str]) -> None:
    result = run(*command, env={"SXG_DATABASE_URL": "mysql://x", "SXG_PUBLIC_URL": "no", "SXG_LEASE_S": "soon"})
    assert result.exit_code == 2
    named = {line.split(":")[0] for line in result.stderr.splitlines()}
    wanted = ("SXG_DATABASE_URL", "SXG_DATA_DIR", "SXG_INSTANCE_NAME", "SXG_LEASE_S", "SXG_PUBLIC_URL")
    assert {f"setting {name}" for name in wanted} <= named
    assert "Traceback" not in result.output


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Enough for a consumer's process, over a database that is still empty."""
    return {
        "SXG_DATABASE_URL": f"sqlite:///{tmp_path / 'consumer.db'}",
        "SXG_DATA_DIR": str(tmp_path),
        "SXG_PUBLIC_URL": "http://127.0.0.1:8001",
        "SXG_INSTANCE_NAME": "acme",
        "SXG_API_TOKEN": "a-token-of-the-consumer",
    }


def test_a_process_over_an_empty_database_says_how_to_migrate(settings: dict[str, str]) -> None:
    result = run("sweep", "consumer", env=settings)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: the database of the consumer is empty, ")
    assert result.stderr.endswith(" is needed; run: sxg migrate consumer\n")


def test_a_worker_without_redis_says_so(settings: dict[str, str]) -> None:
    assert run("migrate", "consumer", env=settings).exit_code == 0
    reason = "it is empty, and without Redis there is no worker: the sweeper delivers"
    assert_fails(run("worker", "consumer", env=settings), 2, f"error: setting SXG_REDIS_URL: {reason}")


def test_a_lease_that_ends_before_a_slow_answer_is_refused_except_in_crash_tests(settings: dict[str, str]) -> None:
    assert run("migrate", "consumer", env=settings).exit_code == 0
    short = {**settings, "SXG_LEASE_S": "29"}
    reason = "the slowest answer may take 20 s, so a lease must last 30 s or longer"
    assert_fails(run("worker", "consumer", env=short), 2, f"error: setting SXG_LEASE_S: {reason}")
    allowed = run("worker", "consumer", env={**short, "SXG_ALLOW_FAILPOINTS": "1"})
    assert "SXG_REDIS_URL" in allowed.stderr


def test_networks_and_directories_that_cannot_be_used_are_named(settings: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    result = run(
        "sweep", "consumer", env={**settings, "SXG_EGRESS_ALLOW": "10.0.0.1/8", "SXG_DATA_DIR": f"{file}/below"}
    )
    assert_fails(
        result, 2,
        "error: setting SXG_EGRESS_ALLOW: 10.0.0.1/8 has host bits set",
        f"error: setting SXG_DATA_DIR: {file}/below: Not a directory",
    )  # fmt: skip


def test_migrating_is_safe_to_repeat_and_refuses_what_is_no_database(tmp_path: Path) -> None:
    env = {"SXG_DATABASE_URL": f"sqlite:///{tmp_path / 'p.db'}"}
    first, second = run("migrate", "provider", env=env), run("migrate", "provider", env=env)
    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout
    assert_fails(
        run("migrate", "provider", env={"SXG_DATABASE_URL": "mysql://x"}), 2,
        "error: a database URL begins with sqlite:/// or postgresql://",
    )  # fmt: skip
    assert_fails(
        run("migrate", "provider", env={"SXG_DATABASE_URL": "sqlite:////no/such/directory/p.db"}), 2,
        "error: there is no directory /no/such/directory for the database",
    )  # fmt: skip


# --- users


@pytest.fixture
def database(tmp_path: Path) -> dict[str, str]:
    env = {"SXG_DATABASE_URL": f"sqlite:///{tmp_path / 'provider.db'}"}
    assert run("migrate", "provider", env=env).exit_code == 0
    return env


def test_a_user_is_added_listed_and_disabled(database: dict[str, str]) -> None:
    added = run("user", "add", "ada", "--role", "admin", "--role", "viewer", env=database)
    assert added.exit_code == 0
    assert added.stdout.startswith("sxu_"), "nothing but the token, so that a script can keep it"
    assert run("user", "list", env=database).stdout == "ada  admin, viewer\n"
    assert run("user", "disable", "ada", env=database).exit_code == 0
    assert run("user", "list", env=database).stdout == "ada  admin, viewer  (disabled)\n"
    assert json.loads(run("user", "list", "--json", env=database).stdout)[0]["active"] is False


def test_users_that_cannot_be_are_one_line(database: dict[str, str]) -> None:
    run("user", "add", "ada", "--role", "admin", env=database)
    assert_fails(run("user", "add", "ada", "--role", "admin", env=database), 1, "error: there is a user ada already")
    unknown = run("user", "add", "bob", "--role", "wizard", env=database)
    assert unknown.exit_code == 1
    assert unknown.stderr.startswith("error: /roles/0: there is no role wizard; there are admin, ")
    assert_fails(run("user", "disable", "nobody", env=database), 1, "error: there is no user nobody")
