"""Addresses of a connection, changed by people on pages of both sides: proven first, the former one stays till then."""

from collections.abc import Iterator
from pathlib import Path

import flask
import pytest
from lxml import html

from bridge import signing
from bridge.models import Connection
from tests.api.page_client import signed_in, text_of
from tests.api.provider_client import Callback, callback_server, connect, context_of, make_app
from tests.consumer_factories import NOW, SECRET, Call, Consumer, connected_consumer, played_provider


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


@pytest.fixture
def callback() -> Iterator[Callback]:
    with callback_server() as callback:
        yield callback


def test_our_people_send_events_elsewhere_once_the_address_has_proven_itself(
    app: flask.Flask, callback: Callback
) -> None:
    admission, _ = connect(app, callback)
    url, admin = f"/connections/{admission['connection_id']}", signed_in(app, "eve", "exchange_admin")
    assert admin.read(url).xpath("//a[text()='Change the address']/@href") == [f"{url}/callback"]
    page = admin.read(f"{url}/callback")
    assert page.xpath("//input[@name='callback_url']/@value") == [callback.url]
    for wrong in ("ftp://x", "http://10.1.2.3/events"):
        answer = admin.post(f"{url}/callback", {"callback_url": wrong})
        assert answer.status_code == 422
        assert html.fromstring(answer.get_data()).xpath("//input[contains(@class, 'is-invalid')]/@value") == [wrong]
    with callback_server() as moved:
        answer = admin.post(f"{url}/callback", {"callback_url": moved.url})
        assert answer.status_code == 422
        assert "did not prove itself" in text_of(html.fromstring(answer.get_data()))
        assert "The last try to change it failed" in text_of(admin.read(f"{url}/callback"))
        moved.secrets = callback.secrets
        assert admin.post(f"{url}/callback", {"callback_url": moved.url}).status_code == 303
        assert moved.url in text_of(admin.read(url))


def test_who_may_not_sees_no_way_to_it(app: flask.Flask, callback: Callback) -> None:
    admission, _ = connect(app, callback)
    url, viewer = f"/connections/{admission['connection_id']}", signed_in(app, "vera", "viewer")
    assert not viewer.read(url).xpath("//a[text()='Change the address']")
    assert viewer.get(f"{url}/callback").status_code == 403


@pytest.fixture
def one(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


def peer_url(one: Consumer) -> str | None:
    with one.context.database.reading() as session:
        return session.get_one(Connection, one.connection_id).peer_url


def test_a_consumers_people_call_the_provider_elsewhere_once_it_has_proven_itself(one: Consumer) -> None:
    url, admin = f"/connections/{one.callback_id}", signed_in(one.app, "eve", "admin")
    before = peer_url(one)
    assert admin.read(url).xpath("//a[text()='Change the address']/@href") == [f"{url}/address"]
    with played_provider() as moved:
        answer = admin.post(f"{url}/address", {"provider_url": moved.url})
        assert answer.status_code == 422
        assert "It did not prove to be this provider" in text_of(html.fromstring(answer.get_data()))
        assert peer_url(one) == before

        def prove(call: Call) -> tuple[int, dict[str, str]]:
            body = f"proof:{call.body['nonce']}".encode()
            return 200, signing.sign(body, message_id="p", now_s=int(NOW.timestamp()), secrets=[SECRET])

        moved.answer = prove  # type: ignore[method-assign,assignment]
        assert admin.post(f"{url}/address", {"provider_url": f"{moved.url}/"}).status_code == 303
        assert peer_url(one) == moved.url
    assert admin.post(f"{url}/address", {"provider_url": "http://10.1.2.3"}).status_code == 422


def test_a_consumers_people_tell_the_provider_where_we_are(one: Consumer) -> None:
    url, admin = f"/connections/{one.callback_id}", signed_in(one.app, "eve", "admin")
    with played_provider() as provider:
        with one.context.database.transaction() as session:
            session.get_one(Connection, one.connection_id).peer_url = provider.url
        admin.read(url)
        assert admin.post(f"{url}/address/tell").status_code == 303
        [call] = provider.calls_to("/connection/callback")
    assert call.body == {"callback_url": f"http://127.0.0.1:1/exchange/v1/connections/{one.callback_id}/events"}
