"""The people of both sides from the command line: names, roles, tokens, and the password of the pages."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from bridge.database import Database
from consumer_sim.models import User as Person
from consumer_sim.ui.site import UserAccounts as ConsumerAccounts
from provider.models.access import User
from provider.ui.site import UserAccounts as ProviderAccounts
from sxg.cli import main
from tests.api.test_cli import assert_fails, run
from webkit.accounts import PASSWORD_LEAST, PASSWORD_MOST, sign_in
from webkit.models import PageSession

PASSWORD = "correct horse battery"
ROLE = {"provider": "order_manager", "consumer": "requester"}


@pytest.fixture(params=["provider", "consumer"])
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database(side: str, tmp_path: Path) -> dict[str, str]:
    env = {"SXG_DATABASE_URL": f"sqlite:///{tmp_path / 'data.db'}"}
    assert run("migrate", side, env=env).exit_code == 0
    return env


def add(side: str, database: dict[str, str], *more: str, **env: str) -> Result:
    return run("user", "add", "ada", "--side", side, "--role", ROLE[side], *more, env=database | env)


def may_sign_in(side: str, database: dict[str, str], password: str) -> bool:
    accounts = ProviderAccounts() if side == "provider" else ConsumerAccounts()
    opened = Database(database["SXG_DATABASE_URL"])
    try:
        with opened.reading() as session:
            return sign_in(session, accounts, "ada", password) is not None
    finally:
        opened.close()


def open_session(side: str, database: dict[str, str]) -> None:
    """As if ada had signed in, and somebody else too."""
    opened = Database(database["SXG_DATABASE_URL"])
    with opened.transaction() as session:
        account_id = session.scalars(select(User.id if side == "provider" else Person.id)).one()
        for number, owner in enumerate((account_id, "somebody-else")):
            session.add(PageSession(id_hash=str(number), account_id=owner, data="{}", created_at_s=1, seen_at_s=1))
    opened.close()


def sessions(database: dict[str, str]) -> list[str | None]:
    opened = Database(database["SXG_DATABASE_URL"])
    try:
        with opened.reading() as session:
            return list(session.scalars(select(PageSession.account_id)))
    finally:
        opened.close()


def test_the_password_of_the_environment_opens_the_pages(side: str, database: dict[str, str]) -> None:
    added = add(side, database, "--password", SXG_PASSWORD=PASSWORD)
    said = "ada is added; the token for the API, shown this once:\n" if side == "provider" else ""
    assert (added.exit_code, added.stderr) == (0, said)
    assert added.stdout.startswith("sxu_") if side == "provider" else added.stdout == "ada is added\n"
    assert may_sign_in(side, database, PASSWORD)
    assert not may_sign_in(side, database, PASSWORD + "x")


def test_without_password_nobody_can_sign_in(side: str, database: dict[str, str]) -> None:
    assert add(side, database, SXG_PASSWORD=PASSWORD).exit_code == 0
    assert not may_sign_in(side, database, PASSWORD)
    (found,) = json.loads(run("user", "list", "--side", side, "--json", env=database).stdout)
    assert found == {"name": "ada", "roles": [ROLE[side]], "active": True, "password": False}


def test_it_is_asked_for_twice_and_not_shown(side: str, database: dict[str, str]) -> None:
    arguments = ["user", "add", "ada", "--side", side, "--role", ROLE[side], "--password"]
    typed = f"{PASSWORD}\n{PASSWORD} mistyped\n{PASSWORD}\n{PASSWORD}\n"
    added = CliRunner().invoke(main, arguments, env=database | {"SXG_PASSWORD": ""}, input=typed)
    assert added.exit_code == 0, added.output
    assert PASSWORD not in added.output
    assert "do not match" in added.stderr
    assert "Password" not in added.stdout, "a script keeps what is on standard output"
    assert may_sign_in(side, database, PASSWORD)


@pytest.mark.parametrize("length", [PASSWORD_LEAST - 1, PASSWORD_MOST + 1])
def test_passwords_that_are_too_short_or_too_long_are_one_line(
    side: str, database: dict[str, str], length: int
) -> None:
    line = f"error: a password has 12 to 200 characters, this one has {length}"
    assert_fails(add(side, database, "--password", SXG_PASSWORD="x" * length), 2, line)
    assert run("user", "list", "--side", side, env=database).stdout == "", "nobody was added"


@pytest.mark.parametrize("length", [PASSWORD_LEAST, PASSWORD_MOST])
def test_the_shortest_and_the_longest_password_are_taken(side: str, database: dict[str, str], length: int) -> None:
    assert add(side, database, "--password", SXG_PASSWORD="x" * length).exit_code == 0
    assert may_sign_in(side, database, "x" * length)


def test_a_new_password_takes_the_place_of_the_former_and_ends_their_sessions(
    side: str, database: dict[str, str]
) -> None:
    add(side, database, "--password", SXG_PASSWORD=PASSWORD)
    open_session(side, database)
    changed = run("user", "password", "ada", "--side", side, env=database | {"SXG_PASSWORD": "another horse"})
    assert (changed.exit_code, changed.stdout) == (0, "ada has a new password\n")
    assert may_sign_in(side, database, "another horse") and not may_sign_in(side, database, PASSWORD)
    assert sessions(database) == ["somebody-else"]


def test_who_is_disabled_is_signed_out_and_stays_out(side: str, database: dict[str, str]) -> None:
    add(side, database, "--password", SXG_PASSWORD=PASSWORD)
    open_session(side, database)
    assert run("user", "disable", "ada", "--side", side, env=database).exit_code == 0
    assert sessions(database) == ["somebody-else"]
    assert not may_sign_in(side, database, PASSWORD)
    assert run("user", "list", "--side", side, env=database).stdout == f"ada  {ROLE[side]}  (disabled)\n"


def test_what_cannot_be_is_one_line_and_changes_nothing(side: str, database: dict[str, str]) -> None:
    of = ("--side", side)
    assert_fails(run("user", "password", "bob", *of, env=database | {"SXG_PASSWORD": PASSWORD}), 1,
                 "error: there is no user bob")  # fmt: skip
    assert_fails(run("user", "disable", "bob", *of, env=database), 1, "error: there is no user bob")
    unknown = run("user", "add", "bob", *of, "--role", "wizard", env=database)
    assert (unknown.exit_code, unknown.stdout, len(unknown.stderr.splitlines())) == (1, "", 1)
    assert ROLE["consumer"] in unknown.stderr or ROLE["provider"] in unknown.stderr
    add(side, database)
    assert_fails(add(side, database), 1, "error: there is a user ada already")
    assert count(side, database) == 1


@pytest.mark.parametrize("name", ["", " ada", "ada ", "a\nb", "a\x00b", "x" * 121])
def test_names_that_nobody_could_sign_in_with_are_refused(side: str, database: dict[str, str], name: str) -> None:
    line = "error: a name is 1 to 120 characters that can be seen, without blanks around it"
    assert_fails(run("user", "add", name, "--side", side, "--role", ROLE[side], env=database), 2, line)


def count(side: str, database: dict[str, str]) -> int:
    opened = Database(database["SXG_DATABASE_URL"])
    try:
        with opened.reading() as session:
            return session.scalar(select(func.count(User.id if side == "provider" else Person.id))) or 0
    finally:
        opened.close()
