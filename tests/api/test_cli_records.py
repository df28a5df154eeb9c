"""The commands for items, cases, remote tasks, contracts, people and choices against real instances."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from consumer_sim.services import groups
from provider.services.authorised_users import set_rules, take_authorised_user
from provider.services.revisions import checkout_producer
from provider.services.transforms import change_transforms, reset_transforms
from sxg.cli import main
from tests.api.provider_client import context_of, make_app, user_headers
from tests.case_factories import make_authored_item, make_case
from tests.choice_factories import make_definition as make_choices
from tests.consumer_factories import API_TOKEN, connected_consumer
from tests.contract_factories import make_contract
from tests.factories import AGENT, NOW, make_consumer, make_order, make_router_item
from tests.persona_factories import make_persona, told_user
from tests.remote_worlds import TABLES, make_definition, tie, told_task

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[flask.Flask]:
    """One for all: each test has connections and records of its own."""
    directory = tmp_path_factory.mktemp("records")
    made = make_app(f"sqlite:///{directory / 'test.db'}", directory)
    yield made
    context_of(made).database.close()


@contextmanager
def terminal(app: flask.Flask, token: str) -> Iterator[Run]:
    """A person at a terminal, with address and token in the environment."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    settings: dict[str, str | None] = {name: None for name in os.environ if name.startswith("SXG_")}
    settings |= {"SXG_URL": f"http://127.0.0.1:{server.port}", "SXG_TOKEN": token}

    def run(*arguments: str, exit_code: int = 0) -> Result:
        result = CliRunner().invoke(main, list(arguments), env=settings)
        assert result.exit_code == exit_code, result.output
        return result

    yield run
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def run(app: flask.Flask) -> Iterator[Run]:
    token = user_headers(app, "exchange_admin", "order_manager")["Authorization"].removeprefix("Bearer ")
    with terminal(app, token) as run:
        yield run


def lines(result: Result) -> list[list[str]]:
    """The table, its cells without the blanks between the columns."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in result.stdout.splitlines()]


def assert_refused(result: Result, *parts: str) -> None:
    """In one line, with these parts."""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert all(part in result.stderr for part in parts), result.stderr


# --- items


def test_items_are_listed_published_each_judged_by_itself_and_taken_back(app: flask.Flask, run: Run) -> None:
    with context_of(app).database.transaction() as session:
        offered = make_authored_item(session, make_consumer(session, "ITEMS").id, name="Offered").identity
        checkout_producer(session, offered, AGENT, NOW)
        draft = make_authored_item(session, name="New line")  # for nobody yet
        draft.state, draft.criteria, draft.published_at = "draft", None, None
        new = draft.identity
    drafts = lines(run("producer", "list", "--state", "draft"))[1:]
    assert {(row[0], row[1], row[-1]) for row in drafts} == {(offered, "2", "Offered"), (new, "1", "New line")}
    assert len(lines(run("producer", "list"))) > 3
    assert json.loads(run("producer", "show", "New line").stdout)["identity"] == new
    told = run("producer", "publish", offered, new, exit_code=1)
    assert "Revision 2 is published" in told.stdout, "to whom it was for already"
    assert_refused(told, "New line: ")
    assert "New line: Revision 1 is published" in run("producer", "publish", "New line", "--all-consumers").stdout
    assert run("producer", "retire", "new line").stdout == "New line: retired\n"
    assert_refused(run("producer", "show", "Moon", exit_code=1), "there is no item Moon")


def test_criteria_that_are_no_json_or_say_two_things_are_wrong_usage(run: Run) -> None:
    assert "not JSON" in run("producer", "publish", "New line", "--criteria", "{", exit_code=2).stderr
    both = ("--all-consumers", "--criteria", '{"companies": ["ACME"]}')
    assert "say two things" in run("producer", "publish", "New line", *both, exit_code=2).stderr


# --- cases and scratchpads


def test_cases_are_listed_opened_and_shown_and_texts_left_on_them(app: flask.Flask, run: Run) -> None:
    _, _, number = make_case(context_of(app).database, "CASES")
    rows = lines(run("case", "list", "--state", "received"))
    assert (rows[0][0], [number, "CASES Ltd"] in [row[:2] for row in rows]) == ("number", True)
    opened = run("case", "open", "--consumer", "CASES", "--priority", "high", "Works in Berlin").stdout
    assert opened.endswith(": Received\n")
    shown = json.loads(run("case", "show", opened.partition(":")[0]).stdout)
    assert [shown[name] for name in ("short_description", "priority")] == ["Works in Berlin", "high"]
    assert_refused(run("case", "close", number, "--reason", "Old.", exit_code=1), "409")
    assert_refused(run("case", "open", "--consumer", "Moon", "x", exit_code=1), "there is no connection Moon")
    assert run("scratchpad", "set", number, "carrier", "UPS").stdout == f"{number}: carrier = UPS\n"
    assert lines(run("scratchpad", "list", number))[1][:3] == ["carrier", "UPS", "False"]
    assert json.loads(run("scratchpad", "list", number, "--json").stdout)["items"][0]["value"] == "UPS"


# --- remote tasks


def test_what_waits_is_listed_with_why_and_tried_again(app: flask.Flask, run: Run) -> None:
    database = context_of(app).database
    with database.transaction() as session:
        connection = make_consumer(session, "TASKS").id
        definition = make_definition(session, "Incidents")
        good = tie(session, connection, told_task(definition, 1, "TASKS")).number
        change_transforms(session, connection, TABLES, actor=AGENT, now=NOW)
        waiting = tie(session, connection, told_task(definition, 2, "TASKS")).number
    listed = run("remote-task", "list", "--trouble").stdout
    assert waiting in listed and good not in listed
    assert "no row for “critical”" in listed
    assert_refused(run("remote-task", "retry", "--all", exit_code=1), waiting, "no row for “critical”")
    with database.transaction() as session:
        reset_transforms(session, connection, actor=AGENT, now=NOW)
    assert run("remote-task", "retry", "--all").stdout == f"{waiting}: nothing waits any more\n"
    assert run("remote-task", "retry", "--all").stdout == "nothing waits\n"
    assert_refused(run("remote-task", "retry", good, exit_code=1), "nothing_waits")
    assert "name remote tasks, or say --all" in run("remote-task", "retry", exit_code=2).stderr


def test_one_is_stopped_and_goes_on(app: flask.Flask, run: Run) -> None:
    with context_of(app).database.transaction() as session:
        connection = make_consumer(session, "STOPS").id
        number = tie(session, connection, told_task(make_definition(session, "Stopped"), 1, "STOPS")).number
    stopped = run("remote-task", "disconnect", number, "--reason", "It floods us.").stdout
    assert stopped == f"{number}: disconnected\n"
    assert [row[0] for row in lines(run("remote-task", "list", "--status", "disconnected"))] == ["number", number]
    assert json.loads(run("remote-task", "show", number).stdout)["stopped_here"] == "It floods us."
    assert run("remote-task", "connect", number).stdout == f"{number}: connected\n"


def test_a_definition_is_published_to_some_and_ended(app: flask.Flask, run: Run) -> None:
    with context_of(app).database.transaction() as session:
        make_definition(session, "Alarms", published=False)
    assert "say whom it is for" in run("remote-task-definition", "publish", "Alarms", exit_code=2).stderr
    published = run("remote-task-definition", "publish", "Alarms", "--criteria", '{"companies": ["ACME"]}').stdout
    assert published == "Alarms: published\n"
    assert run("remote-task-definition", "retire", "Alarms").stdout == "Alarms: retired\n"
    shown = json.loads(run("remote-task-definition", "show", "Alarms").stdout)
    assert shown["revisions"][0]["state"] == "retired"
    assert ["retired", "Alarms"] in [row[2:] for row in lines(run("remote-task-definition", "list"))]


# --- mappings


def test_words_of_a_consumer_are_shown_tried_put_in_force_and_given_up(
    app: flask.Flask, run: Run, tmp_path: Path
) -> None:
    connection_id = make_order(context_of(app).database, prefix="WORDS").connection_id
    of, file = ("--consumer", "WORDS"), tmp_path / "words.json"
    words = json.loads(run("mapping", "show", *of).stdout)
    file.write_text(json.dumps(words))
    assert "nothing in the file is other" in run("mapping", "try", *of, str(file)).stdout
    row = words["tables"]["order_state"]["rows"]["new"]
    row["state"] = "gone"
    file.write_text(json.dumps(words))
    assert_refused(run("mapping", "put", *of, str(file), exit_code=1), f"{file}: /tables/order_state/rows/new/state: ")
    row |= {"state": "received", "state_label": "In our queue"}
    file.write_text(json.dumps(words))
    tried = run("mapping", "try", *of, str(file)).stdout
    assert "tables: 1 changes, 3 messages looked at" in tried
    assert "WORDS-PT0000001: Received (received) -> In our queue (received)" in tried
    put = run("mapping", "put", *of, str(file)).stdout
    assert put.startswith("tables: its own, version ")
    assert put.endswith("transforms: those of everybody\n"), "what is everybody's anyway is not copied"
    assert json.loads(run("mapping", "show", *of).stdout) == words
    token = user_headers(app, "process_admin")["Authorization"].removeprefix("Bearer ")  # who sees no connections
    told = run("mapping", "reset", "--consumer", connection_id, "--token", token).stdout
    assert told == "tables: those of everybody\ntransforms: those of everybody\n"
    file.write_text("[]")
    assert_refused(run("mapping", "put", *of, str(file), exit_code=1), "an object with tables or transforms")


# --- contracts


def test_contracts_are_taken_in_once_and_a_mistake_is_a_line_with_its_place(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "contracts.json"
    wanted: list[dict[str, Any]] = [
        {"name": "Gold", "company": "ACME", "starts_on": "2026-01-01"},
        {"name": "Silver", "company": "ACME", "starts_on": "2026-13-01"},
    ]
    file.write_text(json.dumps(wanted))
    assert_refused(run("contract", "import", str(file), exit_code=1), f"{file}: /1/starts_on: ")
    file.write_text(json.dumps([wanted[0], wanted[1] | {"starts_on": "2026-02-01"}]))
    taken = lines(run("contract", "import", str(file), "--activate"))
    assert [row[1:] for row in taken[1:]] == [["Gold", "ACME", "active"], ["Silver", "ACME", "active"]]
    assert lines(run("contract", "import", str(file), "--activate")) == taken, "again is no news"
    assert [row[1] for row in lines(run("contract", "list", "--state", "active"))].count("Gold") == 1
    file.write_text("{}")
    assert_refused(run("contract", "import", str(file), exit_code=1), "a list of contracts")


def test_a_contract_is_shown_and_ended(app: flask.Flask, run: Run) -> None:
    with context_of(app).database.transaction() as session:
        number = make_contract(session, make_consumer(session, "SOLD").id, name="Bronze").number
    assert json.loads(run("contract", "show", number).stdout)["state"] == "active"
    assert run("contract", "cancel", number, "--reason", "Sold.").stdout == f"{number}: canceled\n"


# --- people


def test_a_user_is_approved_and_withdrawn_by_name(app: flask.Flask, run: Run) -> None:
    with context_of(app).database.transaction() as session:
        connection, persona = make_consumer(session, "USERS"), make_persona(session, "Buyer")
        make_router_item(session, connection.id).persona_ids = [persona.id]
        session.flush()
        set_rules(session, connection.id, approval="by_person", limit=None, actor=AGENT, now=NOW)
        take_authorised_user(session, connection.id, told_user([persona.id]), now=NOW)
    assert lines(run("persona", "list"))[1][1:] == ["Buyer"]
    of = ("--consumer", "USERS")
    assert lines(run("authorised-user", "list", *of))[1][1:] == ["Ada Lovelace", "True", "requested"]
    assert run("authorised-user", "approve", *of, "ada lovelace").stdout == "Ada Lovelace: approved\n"
    withdrawn = run("authorised-user", "withdraw", *of, "Ada Lovelace", "--reason", "Left.", "--json").stdout
    assert (json.loads(withdrawn)["approval"], json.loads(withdrawn)["reason"]) == ("refused", "Left.")
    assert_refused(run("authorised-user", "approve", *of, "Bob", exit_code=1), "there is no authorised user Bob")


def test_two_of_one_name_have_to_be_told_apart(app: flask.Flask, run: Run) -> None:
    with context_of(app).database.transaction() as session:
        both = [make_consumer(session, prefix) for prefix in ("ONE", "TWO")]
        for connection in both:
            connection.name = "Twins"
        ids = [connection.id for connection in both]
    refused = run("authorised-user", "list", "--consumer", "Twins", exit_code=1)
    assert_refused(refused, "2 connections are called Twins", *ids)
    assert len(lines(run("authorised-user", "list", "--consumer", "TWO"))) == 1


def test_groups_are_shown_at_the_consumer(sqlite_url: str, tmp_path: Path) -> None:
    with connected_consumer(sqlite_url, tmp_path) as one:
        with one.context.database.transaction() as session:
            group_id = groups.create_group(session, "Field service", now=NOW).id
        with terminal(one.app, API_TOKEN) as run:
            assert lines(run("group", "list"))[1] == [group_id, "Field service", "0"]
            assert json.loads(run("group", "show", group_id).stdout)["name"] == "Field service"


# --- choices


def test_a_list_of_choices_gets_a_new_table(app: flask.Flask, run: Run, tmp_path: Path) -> None:
    with context_of(app).database.transaction() as session:
        make_choices(session)
    file = tmp_path / "centres.csv"
    file.write_text("value,display,city\nham1,Hamburg One,Hamburg\nham2,Hamburg Two,Hamburg\n")
    assert run("choices", "load", "data-centres", str(file)).stdout == "data-centres has 2 rows now\n"
    assert lines(run("choices", "list"))[1][:3] == ["data-centres", "list", "display"]
    assert json.loads(run("choices", "show", "data-centres").stdout)["source"] == "list"
    file.write_text("value,display\nham1,One\nham1,Two\n")
    assert "/rows/1/value" in run("choices", "load", "data-centres", str(file), exit_code=1).stderr
    file.write_bytes(b"value\n\xff")
    assert_refused(run("choices", "load", "data-centres", str(file), exit_code=1), "not UTF-8")
