"""What people see and press to keep connections well, on both sides' pages."""

from collections.abc import Iterator
from pathlib import Path

import flask
import pytest

from bridge.identity import Keyring
from bridge.issues import Finding, note_finding
from bridge.models import Connection, Heartbeat
from provider.services.rotations import list_rotations
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.consumer_factories import connected_consumer
from tests.factories import NOW, make_connection

EPOCH = "00000000-0000-4000-8000-00000000000b"


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


def add_connection(app: flask.Flask, **columns: str) -> str:
    context = context_of(app)
    with context.database.transaction() as session:
        connection = make_connection(session)
        connection.secrets = context.keyring.seal({"webhook": ["whsec_x"]})
        for name, value in columns.items():
            setattr(connection, name, value)
        beat = {"connection_id": connection.id, "beat_at": NOW, "every_s": 30.0, "answered_at": NOW}
        session.add(Heartbeat(direction="out", missed=2, error="no answer at all", **beat))
        session.add(Heartbeat(direction="in", round_trip_s=3.0, told={"waiting": 4}, **beat))
        note_finding(session, Finding(connection.id, "differs", "toy/1: other events than ours", "toy/1"), now=NOW)
        return connection.id


def press(visitor: Visitor, page: str, action: str, **data: str) -> int:
    visitor.get(page)
    return int(visitor.post(action, data, headers={"Referer": f"http://localhost{page}"}).status_code)


def test_a_connection_shows_both_directions_and_what_is_wrong_with_what_helps(app: flask.Flask) -> None:
    connection_id = add_connection(app)
    viewer = signed_in(app, "vera", "viewer")
    said = text_of(viewer.read(f"/connections/{connection_id}"))
    assert "To them Down no answer at all" in said
    assert "From them Slow" in said
    assert "Toy/1: other events than ours" in said
    assert "Compare both sides" in said
    assert "Change both secrets" not in said
    listed = text_of(viewer.read("/issues"))
    assert "ACME IT" in listed and "1 time " in listed
    assert "Nothing was resolved yet" in text_of(viewer.read("/issues?resolved=1"))
    assert "Down" in text_of(viewer.read("/flow"))


def test_an_admin_asks_for_new_secrets_by_a_button_others_may_not(app: flask.Flask) -> None:
    connection_id = add_connection(app)
    page = f"/connections/{connection_id}"
    assert press(signed_in(app, "vera", "viewer"), page, f"{page}/rotate") == 403
    admin = signed_in(app, "eve", "exchange_admin")
    assert press(admin, page, f"{page}/rotate") == 303
    with context_of(app).database.reading() as session:
        assert [one.state for one in list_rotations(session, connection_id)] == ["wanted", "wanted"]
    assert "Webhook secret: The other side is asked for it" in text_of(admin.read(page))


@pytest.mark.parametrize(("verdict", "known"), [("accept", EPOCH), ("refuse", None)])
def test_a_refused_copy_is_accepted_or_stays_refused_by_a_button(
    app: flask.Flask, verdict: str, known: str | None
) -> None:
    connection_id = add_connection(app, refused_epoch=EPOCH)
    page, admin = f"/connections/{connection_id}", signed_in(app, "eve", "exchange_admin")
    assert "It is a copy" in text_of(admin.read(page))
    assert press(admin, page, f"{page}/epoch/{verdict}") == 303
    with context_of(app).database.reading() as session:
        connection = session.get_one(Connection, connection_id)
        assert (connection.peer_epoch, connection.refused_epoch) == (known, None)
    assert "It is a copy" not in text_of(admin.read(page))


def test_a_consumers_admin_sees_health_and_ends_a_connection_after_saying_why(sqlite_url: str, tmp_path: Path) -> None:
    with connected_consumer(sqlite_url, tmp_path) as one:
        with one.context.database.transaction() as session:
            connection = session.get_one(Connection, one.connection_id)
            assert isinstance(one.context.keyring, Keyring)
            connection.refused_epoch = EPOCH
            beat = {"connection_id": connection.id, "beat_at": NOW, "every_s": 30.0, "answered_at": NOW}
            session.add(Heartbeat(direction="out", round_trip_s=0.1, **beat))
        admin = signed_in(one.app, "ada", "admin")
        page = f"/connections/{one.connection_id}"
        said = text_of(admin.read(page))
        assert "To the provider Up" in said
        assert "Accept the restored provider" in said
        assert "Nothing is wrong with any connection" in text_of(admin.read("/issues"))
        assert press(admin, page, f"{page}/epoch/refuse") == 303
        assert press(admin, page, f"{page}/revoke", reason="") == 422
        assert press(admin, page, f"{page}/revoke", reason="The contract ended.") == 303
        said = text_of(admin.read(page))
        assert "This connection has ended" in said
        assert "The contract ended." in said
        assert press(signed_in(one.app, "rob", "requester"), "/", f"{page}/revoke", reason="x") == 403
