"""The people of both instances on their pages: who looks after them, and what each change does at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from sqlalchemy import select

from consumer_sim.models import User as ConsumerUser
from consumer_sim.services.users import ROLES as CONSUMER_ROLES
from provider.domain.roles import ROLES as PROVIDER_ROLES
from provider.models.access import AuditEntry
from provider.models.access import User as ProviderUser
from tests.api.page_client import PASSWORD, CountedStatements, Visitor, add_person, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.consumer_factories import connected_consumer

NEW = "another horse battery"
WORKER = {"provider": "order_manager", "consumer": "requester"}
OTHERS = [("provider", role) for role in PROVIDER_ROLES] + [("consumer", role) for role in CONSUMER_ROLES]


@pytest.fixture(params=["provider", "consumer"])
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def app(side: str, sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    if side == "provider":
        made = make_app(sqlite_url, tmp_path)
        yield made
        context_of(made).database.close()
    else:
        with connected_consumer(sqlite_url, tmp_path) as one:
            yield one.app


@pytest.fixture
def boss(app: flask.Flask) -> Visitor:
    return signed_in(app, "boss", "admin")


def user(app: flask.Flask, name: str) -> Any:
    provider, consumer = app.extensions.get("sxg-provider"), app.extensions.get("sxg-consumer")
    model: Any = ProviderUser if provider else ConsumerUser
    with (provider or consumer).database.reading() as session:  # type: ignore[union-attr]
        return session.scalars(select(model).where(model.name == name)).one()


def url_of(app: flask.Flask, name: str, below: str = "") -> str:
    return f"/users/{user(app, name).id}{below}"


def may_sign_in(app: flask.Flask, name: str, password: str = PASSWORD) -> bool:
    visitor = Visitor(app)
    visitor.get("/sign-in")
    return visitor.post("/sign-in", {"name": name, "password": password}).status_code == 303


def is_signed_in(visitor: Visitor) -> bool:
    return bool(visitor.get("/").status_code == 200)


def names(visitor: Visitor, url: str) -> list[str]:
    return [text_of(link) for link in visitor.read(url).xpath("//main//tbody//td[1]/a")]


# --- who may


@pytest.mark.parametrize(("side", "role"), [pair for pair in OTHERS if pair[1] != "admin"])
def test_nobody_but_an_admin_sees_or_changes_users(app: flask.Flask, side: str, role: str) -> None:
    add_person(app, "boss", "admin")
    other = signed_in(app, "other", role)
    assert other.read("/").xpath("//nav//a[@href='/users']") == []
    mine = url_of(app, "other")
    for url in ("/users", "/users/new", mine):
        assert other.get(url).status_code == 403
        assert "boss (admin)" in other.page
    for url in ("/users/new", *(f"{mine}/{below}" for below in ("roles", "password", "block", "unblock"))):
        assert other.post(url, {"roles": ["admin"], "password": NEW, "again": NEW}).status_code == 403
    assert (user(app, "other").roles, may_sign_in(app, "other")) == ([role], True)


def test_an_admin_finds_the_page_in_the_navigation(boss: Visitor) -> None:
    assert boss.read("/").xpath("//nav//a[@href='/users']")


# --- the list


def test_users_are_listed_searched_narrowed_and_sorted(app: flask.Flask, boss: Visitor, side: str) -> None:
    add_person(app, "Ada", WORKER[side], "viewer")
    add_person(app, "zoe", "viewer")
    boss.read(url_of(app, "zoe"))
    boss.post(url_of(app, "zoe", "/block"))
    assert names(boss, "/users") == ["Ada", "boss", "zoe"]
    assert names(boss, "/users?sort=-name") == ["zoe", "boss", "Ada"]
    assert names(boss, "/users?sort=state") == ["zoe", "Ada", "boss"]
    assert names(boss, "/users?q=AD") == names(boss, f"/users?role={WORKER[side]}") == ["Ada"]
    assert names(boss, "/users?role=viewer") == ["Ada", "zoe"]
    assert names(boss, "/users?state=blocked") == ["zoe"]
    assert names(boss, "/users?state=active") == ["Ada", "boss"]
    assert "No user fits" in text_of(boss.read("/users?q=%25&role=_"))


def test_the_list_takes_as_many_statements_for_many_users_as_for_few(app: flask.Flask, boss: Visitor) -> None:
    counts = []
    for names_of in (range(1), range(1, 20)):
        for number in names_of:
            add_person(app, f"p{number}", "viewer")
        with CountedStatements(app) as counted:
            boss.read("/users")
        counts.append(counted.count)
    assert counts[0] == counts[1]


# --- adding


def test_a_user_is_added_with_roles_and_a_password_and_can_sign_in(app: flask.Flask, boss: Visitor, side: str) -> None:
    boss.read("/users/new")
    roles = ["viewer", WORKER[side]]
    answer = boss.post("/users/new", {"name": " ada ", "roles": roles, "password": NEW, "again": NEW})
    assert (answer.status_code, answer.location) == (303, url_of(app, "ada"))
    assert set(user(app, "ada").roles) == set(roles)
    assert may_sign_in(app, "ada", NEW)
    first, again = boss.read(answer.location), boss.read(answer.location)
    assert bool(first.xpath("//input[@id='token']/@value")) == (side == "provider")
    assert again.xpath("//input[@id='token']") == [], "once"


def test_without_a_password_a_user_cannot_sign_in_until_one_is_set(app: flask.Flask, boss: Visitor) -> None:
    boss.read("/users/new")
    assert boss.post("/users/new", {"name": "ada", "roles": ["viewer"]}).status_code == 303
    assert "no password was set" in text_of(boss.read(url_of(app, "ada")))
    boss.post(url_of(app, "ada", "/password"), {"password": NEW, "again": NEW})
    assert may_sign_in(app, "ada", NEW)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("name", "  ", "A name."),
        ("name", "a\u200bb", "that can be seen"),
        ("name", "x" * 121, "At most 120"),
        ("name", "boss", "There is a user boss already."),
        ("roles", [], "At least one role."),
        ("roles", ["emperor"], "not a valid choice"),
        ("password", "short", "12 to 200 characters"),
        ("again", "different horse battery", "The two differ."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_added(
    app: flask.Flask, boss: Visitor, field: str, value: Any, says: str
) -> None:
    boss.read("/users/new")
    typed: dict[str, Any] = {"name": "ada", "roles": ["viewer"], "password": NEW, "again": NEW} | {field: value}
    answer = boss.post("/users/new", typed)
    assert answer.status_code == 422
    assert says in answer.get_data(as_text=True)
    assert names(boss, "/users") == ["boss"]


# --- changing


def test_other_roles_count_at_once_and_sign_the_user_out(app: flask.Flask, boss: Visitor, side: str) -> None:
    ada = signed_in(app, "ada", "viewer")
    page = boss.read(url_of(app, "ada"))
    assert page.xpath("//input[@name='roles'][@checked]/@value") == ["viewer"]
    assert boss.post(url_of(app, "ada", "/roles"), {"roles": [WORKER[side]]}).status_code == 303
    assert (user(app, "ada").roles, is_signed_in(ada)) == ([WORKER[side]], False)
    answer = boss.post(url_of(app, "ada", "/roles"), {"roles": []})
    assert answer.status_code == 422 and "At least one role." in answer.get_data(as_text=True)
    assert user(app, "ada").roles == [WORKER[side]]


def test_a_new_password_ends_the_former_one_and_its_sessions(app: flask.Flask, boss: Visitor) -> None:
    ada = signed_in(app, "ada", "viewer")
    boss.read(url_of(app, "ada"))
    for wrong in ({"password": "short", "again": "short"}, {"password": NEW, "again": ""}, {}):
        assert boss.post(url_of(app, "ada", "/password"), wrong).status_code == 422
    assert is_signed_in(ada)
    assert boss.post(url_of(app, "ada", "/password"), {"password": NEW, "again": NEW}).status_code == 303
    assert (is_signed_in(ada), may_sign_in(app, "ada"), may_sign_in(app, "ada", NEW)) == (False, False, True)


def test_who_is_blocked_is_out_at_once_and_cannot_come_back_until_unblocked(app: flask.Flask, boss: Visitor) -> None:
    ada, zoe = signed_in(app, "ada", "viewer"), signed_in(app, "zoe", "viewer")
    page = boss.read(url_of(app, "ada"))
    assert page.xpath("//form[contains(@action, '/block')]/@data-confirm") == ["Block ada?"]
    assert boss.post(url_of(app, "ada", "/block")).status_code == 303
    assert (is_signed_in(ada), is_signed_in(zoe), may_sign_in(app, "ada")) == (False, True, False)
    assert "Blocked" in text_of(boss.read(url_of(app, "ada")))
    boss.post(url_of(app, "ada", "/unblock"))
    assert (is_signed_in(ada), may_sign_in(app, "ada")) == (False, True), "the old session stays ended"


def test_the_last_admin_stays(app: flask.Flask, boss: Visitor) -> None:
    own = url_of(app, "boss")
    boss.read(own)
    answer = boss.post(f"{own}/roles", {"roles": ["viewer"]})
    assert answer.status_code == 422
    assert "Only boss may look after users; somebody has to." in answer.get_data(as_text=True)
    assert boss.post(f"{own}/block", headers={"Referer": f"http://localhost{own}"}).location == own
    assert "Only boss may look after users" in text_of(boss.read(own))
    assert (user(app, "boss").roles, user(app, "boss").active) == (["admin"], True)
    add_person(app, "deputy", "admin")
    assert boss.post(f"{own}/block").status_code == 303
    assert not is_signed_in(boss)
    deputy = Visitor(app)
    deputy.get("/sign-in")
    deputy.post("/sign-in", {"name": "deputy", "password": PASSWORD})
    deputy.read(url_of(app, "deputy"))
    assert deputy.post(url_of(app, "deputy", "/roles"), {"roles": ["viewer"]}).status_code == 422, "boss is blocked"


@pytest.mark.parametrize("side", ["provider"])
def test_a_provider_keeps_in_its_log_who_changed_whom(app: flask.Flask, boss: Visitor, side: str) -> None:
    add_person(app, "ada", "viewer")
    boss.read(url_of(app, "ada"))
    boss.post(url_of(app, "ada", "/roles"), {"roles": ["order_agent"]})
    boss.post(url_of(app, "ada", "/block"))
    boss.post(url_of(app, "ada", "/unblock"))
    with context_of(app).database.reading() as session:
        done = select(AuditEntry.action, AuditEntry.detail).where(AuditEntry.actor == "user/boss")
        logged = [tuple(row) for row in session.execute(done.order_by(AuditEntry.id))]
    roles = {"from": ["viewer"], "to": ["order_agent"]}
    assert [action for action, _ in logged] == ["user.roles", "user.disable", "user.enable"]
    assert logged[0][1] == roles
