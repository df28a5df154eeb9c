"""The pages where people of a provider make personas, let items ask for them, and approve users of consumers."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import flask
import pytest

from bridge.database import Database
from provider.models.catalog import RemoteRecordProducer
from provider.models.personas import AuthorisedUser, Persona
from provider.services.authorised_users import set_rules, take_authorised_user
from tests.api.page_client import CountedStatements, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import AGENT, NOW, import_small_catalog, publish_to_all
from tests.persona_factories import make_guarded_item, make_persona, told_user


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


def named(database: Database, count: int = 1) -> tuple[str, list[str]]:
    """A connection whose users are approved by people, and the ids of some that wait."""
    with database.transaction() as session:
        prefix = f"P{uuid4().hex[:6].upper()}"
        connection, _, persona_ids = make_guarded_item(session, f"Buyer {prefix}", prefix=prefix)
        set_rules(session, connection.id, approval="by_person", limit=None, actor=AGENT, now=NOW)
        told = [told_user(persona_ids, name=f"Ada {number}", groups=["Field service"]) for number in range(count)]
        for one in told:
            take_authorised_user(session, connection.id, one, now=NOW)
        return connection.id, [one["id"] for one in told]


def user_of(database: Database, connection_id: str, user_id: str) -> AuthorisedUser:
    with database.reading() as session:
        return session.get_one(AuthorisedUser, (connection_id, user_id))


def test_an_item_asks_for_a_persona_that_was_just_made(app: flask.Flask, database: Database) -> None:
    with database.transaction() as session:
        import_small_catalog(session)
        identity = publish_to_all(session).identity
    admin = signed_in(app, "boss", "exchange_admin")
    assert "/personas" in admin.read("/producers").xpath("//a/@href")
    assert "There are no personas" in text_of(admin.read("/personas"))
    admin.read("/personas/new")
    assert admin.post("/personas/new", {"name": " "}).status_code == 422
    assert admin.post("/personas/new", {"name": "Buyer", "description": "Orders lines."}).status_code == 303
    admin.read("/personas/new")
    assert admin.post("/personas/new", {"name": "Buyer"}).status_code == 422
    assert "There is a persona Buyer already." in admin.page
    url = f"/producers/{identity}/personas"
    assert url in admin.read(f"/producers/{identity}").xpath("//a/@href")
    (persona_id,) = admin.read(url).xpath("//input[@name='persona_ids']/@value")
    assert admin.post(url, {"persona_ids": "x"}).status_code == 422
    assert admin.post(url, {"persona_ids": persona_id}).status_code == 303
    page = text_of(admin.read(f"/producers/{identity}"))
    assert "Buyer" in page and "Other personas may order it." in page
    assert "Business Line" in text_of(admin.read("/personas"))
    admin.post(f"/personas/{persona_id}/delete")
    assert "is asked for by Business Line" in text_of(admin.read("/personas"))
    with database.reading() as session:
        newest = session.query(RemoteRecordProducer).filter_by(identity=identity, state="draft").one()
        assert newest.persona_ids == [persona_id]


def test_a_persona_is_renamed_and_deleted_once_nothing_asks_for_it(app: flask.Flask, database: Database) -> None:
    with database.transaction() as session:
        persona_id = make_persona(session, "Buyer").id
    admin = signed_in(app, "boss", "exchange_admin")
    admin.read(f"/personas/{persona_id}")
    assert admin.post(f"/personas/{persona_id}", {"name": "Seller", "description": ""}).status_code == 303
    assert "Seller" in text_of(admin.read("/personas"))
    assert admin.post(f"/personas/{persona_id}/delete").status_code == 303
    with database.reading() as session:
        assert session.query(Persona).count() == 0
    assert admin.get(f"/personas/{persona_id}").status_code == 404
    assert admin.get("/personas/x").status_code == 404


def test_who_waits_is_found_at_the_start_and_approved_by_a_button(app: flask.Flask, database: Database) -> None:
    connection_id, (ada,) = named(database)
    boss = signed_in(app, "boss", "exchange_admin")
    start = boss.read("/")
    assert "User of a consumer to approve" in text_of(start)
    page = boss.read("/authorised-users?state=requested")
    assert "Ada 0 In Field service" in text_of(page).replace("Ada 0In", "Ada 0 In")
    assert "(not approved)" in text_of(page)
    assert boss.post(f"/connections/{connection_id}/authorised-users/{ada}/approve").status_code == 303
    assert (user_of(database, connection_id, ada).approval, user_of(database, connection_id, ada).decided_by) == (
        "approved", "user/boss",
    )  # fmt: skip
    assert "(not approved)" not in text_of(boss.read("/authorised-users"))


def test_a_refusal_needs_a_reason(app: flask.Flask, database: Database) -> None:
    connection_id, (ada,) = named(database)
    boss = signed_in(app, "boss", "exchange_admin")
    url = f"/connections/{connection_id}/authorised-users/{ada}/refuse"
    boss.read(url)
    assert boss.post(url, {"reason": " "}).status_code == 422
    assert boss.post(url, {"reason": "Left the company."}).status_code == 303
    assert "Left the company." in text_of(boss.read("/authorised-users?state=refused"))
    assert user_of(database, connection_id, ada).approval == "refused"


def test_the_rules_of_a_consumer_are_decided_at_its_connection(app: flask.Flask, database: Database) -> None:
    connection_id, _ = named(database)
    boss = signed_in(app, "boss", "exchange_admin")
    url = f"/connections/{connection_id}/authorised-user-rules"
    assert url in boss.read(f"/connections/{connection_id}").xpath("//a/@href")
    assert boss.read(url).xpath("//input[@checked]/@value") == ["by_person"]
    assert boss.post(url, {"approval": "automatic", "limit": "-1"}).status_code == 422
    assert boss.post(url, {"approval": "automatic", "limit": "5"}).status_code == 303
    page = boss.read(url)
    assert page.xpath("//input[@checked]/@value") == ["automatic"]
    assert page.xpath("//input[@name='limit']/@value") == ["5"]


def test_whoever_may_look_only_decides_nothing(app: flask.Flask, database: Database) -> None:
    connection_id, (ada,) = named(database)
    viewer = signed_in(app, "looker", "viewer")
    page = viewer.read("/authorised-users")
    assert not page.xpath("//main//form[@method='post']")
    assert viewer.get("/personas").status_code == 200
    for url in ("/personas/new", f"/connections/{connection_id}/authorised-user-rules"):
        assert viewer.get(url).status_code == 403, url
    assert viewer.post(f"/connections/{connection_id}/authorised-users/{ada}/approve").status_code == 403


def test_the_lists_cost_as_much_for_many_as_for_few(app: flask.Flask, database: Database) -> None:
    boss, counts = signed_in(app, "boss", "exchange_admin"), []
    for more in (1, 6):
        named(database, more)
        with CountedStatements(app) as counted:
            boss.read("/authorised-users")
            boss.read("/personas")
        counts.append(counted.count)
    assert counts[0] == counts[1]
