"""Two consumers of one provider: neither learns anything of the other, whichever route it asks, whatever it guesses.

Every text that Acme and the provider's people write about Acme holds a canary; Beta must never be sent one. The routes
come from the app, so that one that is added is asked here as well.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import flask
import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from bridge.database import Database
from bridge.models import Delivery
from provider.api.auth import MARK
from provider.domain.roles import Permission
from provider.models.access import AccessToken, Registration
from provider.models.inventory import Product
from provider.models.orders import CustomerOrder
from provider.services import remote_task_definitions as definitions
from provider.services.comments import add_reply, add_work_note
from provider.services.connections import pause_connection, resume_connection, revoke_connection
from provider.services.orders import approve_order, reject_order
from provider.services.tokens import new_token, token_hash
from provider.services.users import add_user, disable_user
from tests.api.provider_client import Clock, context_of, introduce, make_app, user_headers
from tests.api.worlds import endpoint_of
from tests.case_worlds import ANSWER, ENTRY
from tests.factories import AGENT, NOW, make_consumer, make_registration, make_request, make_router_item
from tests.inventory_factories import make_action
from tests.persona_factories import told_user
from tests.remote_worlds import VALUES, make_definition, told_task

CANARY = "CANARY"
EXCHANGE, ADMIN = "/exchange/v1", "/api/v1"
TASKS = f"{EXCHANGE}/provider-tasks"
QUERIES = {"exchange_choices.find": "?revision=1&variable=/characteristics/bandwidth"}
"""What a route has to be asked with."""


class Peer:
    """A connected consumer with an item of its own; what it writes begins with `mark`."""

    def __init__(self, app: flask.Flask, prefix: str, mark: str) -> None:
        self.client: FlaskClient = app.test_client()
        self.database: Database = context_of(app).database
        self.mark = mark
        token = new_token("sxa_")
        with self.database.transaction() as session:
            connection = make_consumer(session, prefix)
            connection.name = f"{mark} connection"
            connection.peer_url = f"https://{mark.lower()}.example/events"
            registration_id, _ = make_registration(session, f"{mark} company")
            session.get_one(Registration, registration_id).connection_id = connection.id
            self.id, self.prefix = connection.id, prefix
            self.item = make_router_item(session, connection.id, description=f"{mark} description")
            self.item.name = self.item.short_description = self.item.category = f"{mark} item"
            expires_at = NOW + timedelta(minutes=15)
            session.add(AccessToken(token_hash=token_hash(token), connection_id=connection.id, expires_at=expires_at))
        self.headers = {"Authorization": f"Bearer {token}"}
        self.numbers = 0

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> TestResponse:
        headers = self.headers | {"Idempotency-Key": key or str(uuid4())}
        return self.client.open(path, method=method, json=body, headers=headers)

    def request(self, **changes: Any) -> dict[str, Any]:
        self.numbers += 1
        who = {"name": f"{self.mark} person", "email": f"{self.mark.lower()}@x.example"}
        texts = {
            "location": {"name": f"{self.mark} site", "street": f"{self.mark} street", "city": f"{self.mark} city"},
            "contacts": [{**who, "phone": f"{self.mark} phone"}],
            "note": f"{self.mark} note",
            "requested_by": who,
        }
        return make_request(self.item, self.numbers, self.prefix, **texts) | changes

    def order(self, **changes: Any) -> dict[str, Any]:
        answer = self.call("POST", TASKS, self.request(**changes))
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.get_json()
        return document

    def comment(self, comment_id: str | None = None) -> dict[str, Any]:
        author = {"name": f"{self.mark} author"}
        at = "2026-11-21T09:00:00.000Z"
        return {"id": comment_id or str(uuid4()), "text": f"{self.mark} text", "author": author, "created_at": at}

    def file(self) -> dict[str, Any]:
        author, at = {"name": f"{self.mark} author"}, "2026-11-21T09:00:00.000Z"
        known = {"media_type": "text/plain", "size_bytes": 1, "sha256": "0" * 64}
        return {"id": str(uuid4()), "name": f"{self.mark} file.txt", **known, "author": author, "created_at": at}

    def correction(self) -> dict[str, Any]:
        left_out = ("id", "number", "catalog_item_id")
        return {name: value for name, value in self.request(revision=2).items() if name not in left_out}


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path, Clock())
    yield app
    context_of(app).database.close()


@pytest.fixture
def database(app: flask.Flask) -> Database:
    return context_of(app).database


@pytest.fixture
def acme(app: flask.Flask) -> Peer:
    return Peer(app, "CANARY", CANARY)


@pytest.fixture
def beta(app: flask.Flask) -> Peer:
    return Peer(app, "BETA", "plain")


@pytest.fixture
def theirs(acme: Peer, database: Database) -> dict[str, str]:
    """Acme's ids by the names that routes give them, after a story that fills every text field."""
    task, rejected, cancelled = acme.order(), acme.order(), acme.order()
    said, attached = acme.comment(), acme.file()
    assert acme.call("POST", f"{EXCHANGE}/authorised-users", body_of(acme, "exchange_users.tell")).status_code == 200
    assert acme.call("POST", f"{TASKS}/{task['task_id']}/attachments", attached).status_code == 201
    assert acme.call("POST", f"{TASKS}/{task['task_id']}/comments", said).status_code == 201
    assert acme.call("POST", f"{TASKS}/{cancelled['task_id']}/cancel", {"reason": "CANARY reason"}).status_code == 200
    with database.transaction() as session:
        add_reply(session, task["order_number"], text="CANARY reply", author_name="CANARY Ann", now=NOW)
        add_work_note(session, task["order_number"], text="CANARY secret note", author=AGENT, now=NOW)
        reject_order(session, rejected["order_number"], reason="CANARY rejection", actor=AGENT, now=NOW)
        approve_order(session, task["order_number"], actor=AGENT, now=NOW)
    with database.reading() as session:
        product_id = session.scalars(select(Product.id)).first() or ""
    return {
        "task_id": task["task_id"],
        "product_id": product_id,
        "item_id": acme.item.identity,
        "rejected": rejected["task_id"],
        "comment_id": said["id"],
        "attachment_id": attached["id"],
        "number": task["number"],
        **tied_to(acme, database),
    }


def tied_to(peer: Peer, database: Database) -> dict[str, str]:
    """A remote task of the peer's, by a definition that is for it alone, with texts in every field."""
    with database.transaction() as session:
        identity = make_definition(session, f"{peer.mark} definition", published=False)
        definitions.publish_definition(session, identity, {"connection_ids": [peer.id]}, actor=AGENT, now=NOW)
    parent = {"id": str(uuid4()), "number": f"{peer.mark}-1"}
    told = told_task(identity, 1, peer.prefix, parent=parent, requested_by={"name": f"{peer.mark} person"})
    assert peer.call("POST", f"{EXCHANGE}/remote-tasks", told).status_code == 201
    path = f"{EXCHANGE}/remote-tasks/{told['id']}"
    assert peer.call("POST", f"{path}/comments", peer.comment()).status_code == 201
    return {"remote_task_id": told["id"], "definition_id": identity}


def routes(app: flask.Flask, prefix: str) -> list[tuple[str, Any]]:
    found = [
        (method, rule)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if rule.rule.startswith(prefix)
    ]
    assert len(found) > 10
    return found


def mark_of(app: flask.Flask, rule: Any) -> str:
    return str(getattr(app.view_functions[rule.endpoint], MARK))


def body_of(peer: Peer, endpoint: str) -> Any:
    """What the route would take from this peer for a record of its own."""
    bodies = {
        "exchange.report_activation": {"state": "inactive", "revision": 1},
        "exchange_tasks.cancel": {"reason": "Mine now."},
        "exchange_tasks.resubmit": peer.correction(),
        "exchange_tasks.add_comment": peer.comment(),
        "exchange_tasks.request_action": make_action("suspend", 30),
        "exchange_attachments.announce": peer.file(),
        "exchange_attachments.settle": {"state": "there"},
        "exchange_tasks.submit": peer.request(),
        "exchange_remote_tasks.report_activation": {"state": "active", "revision": 1},
        "exchange_remote_tasks.change_fields": {"fields": VALUES},
        "exchange_remote_tasks.add_comment": peer.comment(),
        "exchange_remote_tasks.settle_standing": {"stopped": "Mine now."},
        "exchange_remote_tasks.tell_problems": {"problems": [{"key": "priority", "reason": "Mine now."}]},
        "exchange_cases.answer": ANSWER,
        "exchange_cases.acknowledge": {"acknowledged_by": {"name": f"{peer.mark} person"}},
        "exchange_cases.write_entry": ENTRY | {"value": f"{peer.mark} value"},
        "exchange_task_approvals.answer": {
            "approval_id": str(uuid4()),
            "answer": "approve",
            "answered_by": {"name": f"{peer.mark} person"},
        },
        "exchange_users.tell": told_user([], name=f"{peer.mark} person", groups=[f"{peer.mark} group"]),
    }
    return bodies.get(endpoint)


def shape(answer: TestResponse, record_id: str) -> Any:
    """The answer without what each call has of its own."""
    document = json.loads(answer.text.replace(record_id, "<id>"))
    document.pop("instance")
    headers = sorted(name for name, _ in answer.headers if name != "Content-Length")
    return answer.status_code, answer.content_type, headers, document


def dump(
    database: Database, without: tuple[str, ...] = ("idempotency_records", "refused_submissions", "streams", "leases")
) -> dict[str, Any]:
    """Every row of every table but what any call may leave."""
    with database.reading() as session:
        names = session.execute(text("select name from sqlite_master where type = 'table'")).scalars().all()
        return {
            name: sorted(map(repr, session.execute(text(f'select * from "{name}"')).all()))
            for name in names
            if name not in without
        }


# --- records of somebody else


def test_an_id_of_somebody_else_is_answered_like_one_that_nobody_has(
    app: flask.Flask, acme: Peer, beta: Peer, theirs: dict[str, str]
) -> None:
    before, asked = dump(acme.database), 0
    for method, rule in routes(app, EXCHANGE):
        if not rule.arguments:
            continue
        (argument,) = rule.arguments
        ids = {theirs[argument]} | ({theirs["rejected"]} if argument == "task_id" else set())
        for foreign in ids:
            nobodys = str(uuid4())
            end = rule.rule.split(">")[1] + QUERIES.get(endpoint_of(rule), "")
            path, body = f"{rule.rule.split('<')[0]}%s{end}", body_of(beta, endpoint_of(rule))
            answers = [beta.call(method, path % one, body) for one in (foreign, nobodys)]
            assert shape(answers[0], foreign) == shape(answers[1], nobodys), rule
            assert (answers[0].status_code, answers[0].get_json()["code"]) == (404, "not_found"), rule
            assert abs(len(answers[0].data) - len(answers[1].data)) == 0, rule
            asked += 1
    assert asked >= 12
    assert dump(acme.database) == before


@pytest.mark.parametrize("spelling", ["{%s}", "urn:uuid:%s", "%s%%20", "hex", "upper"])
def test_no_spelling_of_a_foreign_id_opens_it(acme: Peer, beta: Peer, theirs: dict[str, str], spelling: str) -> None:
    task_id = theirs["task_id"]
    known = {"hex": task_id.replace("-", ""), "upper": task_id.upper()}
    spelt = known.get(spelling) or spelling % task_id
    assert beta.call("GET", f"{TASKS}/{spelt}").status_code == 404
    assert beta.call("POST", f"{TASKS}/{spelt}/cancel", {"reason": "Mine now."}).status_code == 404


def test_foreign_ids_within_a_body_open_nothing(acme: Peer, beta: Peer, theirs: dict[str, str]) -> None:
    own = beta.order()
    for body, status in (
        (beta.request(catalog_item_id=theirs["item_id"]), 404),
        (beta.request(catalog_item_id=str(uuid4())), 404),
        (beta.request(number=theirs["number"]), 422),
        (beta.request(number="CANARY-PT0000099"), 422),
        (beta.request(parts={theirs["product_id"]: {}}), 422),
        (beta.request(connection_id=acme.id), 422),
        (beta.request(company="CANARY company"), 422),
    ):
        answer = beta.call("POST", TASKS, body)
        assert answer.status_code == status, answer.text
        assert CANARY not in answer.text.replace(theirs["number"], "").replace("CANARY-PT0000099", "").replace(
            "CANARY company", ""
        ), answer.text
    path = f"{TASKS}/{own['task_id']}/resubmit"
    assert beta.call("POST", path, beta.correction() | {"id": theirs["task_id"]}).status_code == 422


def test_an_id_that_another_consumer_uses_is_free_for_a_request(
    acme: Peer, beta: Peer, theirs: dict[str, str], database: Database
) -> None:
    """Consumers mint their ids; that somebody else has minted the same says nothing and stops nobody."""
    before = acme.call("GET", f"{TASKS}/{theirs['task_id']}").data
    made = beta.order(id=theirs["task_id"])
    assert (made["task_id"], made["number"]) == (theirs["task_id"], "BETA-PT0000001")
    assert beta.call("POST", f"{TASKS}/{theirs['task_id']}/cancel", {"reason": "Mine."}).status_code == 200
    assert acme.call("GET", f"{TASKS}/{theirs['task_id']}").data == before
    with database.reading() as session:
        assert session.execute(select(func.count()).select_from(CustomerOrder)).scalar_one() == 4


def test_an_id_that_another_consumer_uses_is_free_for_a_comment(acme: Peer, beta: Peer, theirs: dict[str, str]) -> None:
    path = f"{TASKS}/{beta.order()['task_id']}/comments"
    assert beta.call("POST", path, beta.comment()).status_code == 201
    assert beta.call("POST", path, beta.comment(theirs["comment_id"])).status_code == 201


def test_a_key_of_somebody_else_brings_ones_own_answer(acme: Peer, beta: Peer) -> None:
    key = str(uuid4())
    first = acme.call("POST", TASKS, request := acme.request(), key)
    assert first.status_code == 201
    own = beta.call("POST", TASKS, beta.request(), key)
    assert (own.status_code, own.get_json()["number"]) == (201, "BETA-PT0000001")
    assert beta.call("POST", TASKS, request, key).get_json()["code"] == "idempotency_key_reused"
    assert CANARY not in own.text


def test_forged_cursors_reach_nothing_of_somebody_else(
    app: flask.Flask, acme: Peer, beta: Peer, theirs: dict[str, str]
) -> None:
    """Acme's cursors used by Beta: a place in Beta's own lists, no more."""
    for order in range(2):
        acme.order()
        beta.order()
        assert order < 2
    for path in (TASKS, f"{EXCHANGE}/products", f"{EXCHANGE}/catalog-items", f"{TASKS}/{theirs['task_id']}/comments"):
        cursor = acme.call("GET", f"{path}?limit=1").get_json()["next"]
        answer = beta.call("GET", f"{path}?cursor={cursor or 'WyIiXQ=='}")
        assert answer.status_code in (200, 404, 422)
        assert CANARY not in answer.text, path


# --- canaries


def test_no_text_of_one_consumer_reaches_the_other(
    app: flask.Flask, acme: Peer, beta: Peer, theirs: dict[str, str], database: Database
) -> None:
    own = beta.order()
    ids = {"attachment_id": str(uuid4()), **tied_to(beta, database)}
    ids |= {"task_id": own["task_id"], "item_id": beta.item.identity, "product_id": str(uuid4())}
    heard: list[str] = []
    seen: list[str] = []
    for method, rule in routes(app, EXCHANGE):
        if mark_of(app, rule) == "public":
            continue
        for values in (ids, theirs):
            path = rule.rule
            for argument in rule.arguments:
                path = path.replace(f"<{argument}>", values[argument])
            path += QUERIES.get(endpoint_of(rule), "")
            answer = beta.call(method, path, body_of(beta, endpoint_of(rule)))
            heard.append(f"{answer.headers} {answer.text}")
            seen.append(acme.call("GET", path).text if method == "GET" else "")
    acme.order()
    beta.order()
    approved = beta.order()["order_number"]
    with database.transaction() as session:
        approve_order(session, approved, actor=AGENT, now=NOW)
    with database.reading() as session:
        sent = {
            peer.id: list(session.scalars(select(Delivery.text).where(Delivery.connection_id == peer.id)))
            for peer in (acme, beta)
        }
    assert len(sent[beta.id]) > 5
    for told in (*heard, *map(str, sent[beta.id])):
        for secret in (CANARY, "canary", acme.id, *theirs.values()):
            hidden = (
                told.replace(f"There is no attachment {secret}", "")
                .replace(f"There is no provider task {secret}", "")
                .replace(f"There is no product {secret}", "")
                .replace(f"There is no remote task {secret}", "")
                .replace(f"There is no remote task definition {secret}", "")
            )
            assert secret not in hidden.replace(f"There is no catalog item {secret}", ""), told[:500]
    # So that the absence means something: Acme itself is told all this, but for the notes.
    everything = " ".join(map(str, (*seen, *sent[acme.id])))
    fields = ("note", "site", "street", "phone", "person", "author", "text", "file", "item", "reply", "rejection")
    for told_to_acme in fields:
        assert f"CANARY {told_to_acme}" in everything, told_to_acme
    assert "CANARY secret note" not in everything


# --- whose token opens what


def paths(app: flask.Flask, prefix: str) -> Iterator[tuple[str, str, str]]:
    """Method, path and mark of every route below the prefix."""
    for method, rule in routes(app, prefix):
        path = rule.rule
        for argument in rule.arguments:
            path = path.replace(f"<{argument}>", str(uuid4()))
        yield method, path, mark_of(app, rule)


def test_a_token_of_a_consumer_opens_no_route_of_our_people(app: flask.Flask, acme: Peer) -> None:
    for method, path, mark in paths(app, ADMIN):
        assert mark in set(Permission)
        answer = acme.call(method, path, {})
        assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthorized"), path


def test_a_token_of_our_people_opens_no_route_of_consumers(app: flask.Flask) -> None:
    headers = user_headers(app, "admin")
    for method, path, mark in paths(app, EXCHANGE):
        if mark != "public":
            answer = app.test_client().open(path, method=method, headers=headers, json={})
            assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthorized"), path


def test_a_disabled_user_is_refused_on_every_route(app: flask.Flask, database: Database) -> None:
    with database.transaction() as session:
        _, token = add_user(session, "mallory", ["admin"], actor="system", now=NOW)
    headers = {"Authorization": f"Bearer {token}"}
    found = list(paths(app, ADMIN))
    assert app.test_client().get(f"{ADMIN}/orders", headers=headers).status_code == 200
    with database.transaction() as session:
        disable_user(session, "mallory", actor="system", now=NOW)
    for method, path, _ in found:
        assert app.test_client().open(path, method=method, headers=headers, json={}).status_code == 401, path


@pytest.mark.parametrize("how", ["cookie", "query", "form", "basic", "no kind", "two"])
def test_a_token_counts_in_its_header_only(app: flask.Flask, acme: Peer, how: str) -> None:
    token = acme.headers["Authorization"].removeprefix("Bearer ")
    client = app.test_client()
    ways: dict[str, dict[str, Any]] = {
        "cookie": {"headers": {"Cookie": f"Authorization=Bearer {token}; access_token={token}"}},
        "query": {"query_string": {"access_token": token}},
        "form": {"data": {"access_token": token}, "method": "GET"},
        "basic": {"headers": {"Authorization": f"Basic {token}"}},
        "no kind": {"headers": {"Authorization": token}},
        "two": {"headers": {"Authorization": f"Bearer {token}, Bearer {token}"}},
    }
    assert client.open(TASKS, **ways[how]).status_code == 401


def test_a_paused_connection_is_refused_at_once_and_let_in_again(
    app: flask.Flask, acme: Peer, beta: Peer, database: Database
) -> None:
    with database.transaction() as session:
        pause_connection(session, acme.id, reason="audit", actor=AGENT, now=NOW)
    for method, path, mark in paths(app, EXCHANGE):
        if mark == "connected":
            answer = acme.call(method, path, {})
            assert (answer.status_code, answer.get_json()["code"]) == (403, "connection_not_active"), path
            assert answer.get_json()["state"] == "paused"
    assert acme.call("GET", f"{EXCHANGE}/connection").get_json()["state"] == "paused"
    assert beta.call("GET", TASKS).status_code == 200
    with database.transaction() as session:
        resume_connection(session, acme.id, actor=AGENT, now=NOW)
    assert acme.call("GET", TASKS).status_code == 200


def test_a_revoked_connection_is_refused_at_once_on_every_route(
    app: flask.Flask, acme: Peer, beta: Peer, database: Database
) -> None:
    assert acme.call("GET", TASKS).status_code == 200
    with database.transaction() as session:
        revoke_connection(session, acme.id, reason="over", actor=AGENT, now=NOW)
    for method, path, mark in paths(app, EXCHANGE):
        if mark != "public":
            answer = acme.call(method, path, {})
            assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthorized"), path
    assert beta.call("GET", TASKS).status_code == 200


# --- guessing registration tokens


def test_no_answer_tells_why_a_registration_token_is_refused(app: flask.Flask, database: Database) -> None:
    """Unknown, malformed, expired, replaced, spent, closed: one text, whatever else the body holds."""
    with database.transaction() as session:
        (old_id, old), (_, expired), (spent_id, spent), (closed_id, closed) = (
            make_registration(session) for _ in "1234"
        )
        session.get_one(Registration, old_id).token_hash = token_hash(new_token("sxr_"))
        row = session.get_one(Registration, spent_id)
        row.state, row.token_hash, row.connection_id = "closed_complete", None, make_consumer(session).id
        row = session.get_one(Registration, closed_id)
        row.state, row.token_hash = "closed_incomplete", None
        for row in session.scalars(select(Registration).where(Registration.token_hash == token_hash(expired))):
            row.token_expires_at = NOW
    seen = set()
    for token in (
        old,
        expired,
        spent,
        closed,
        new_token("sxr_"),
        "",
        "x",
        "sxr_",
        "\u00e9" * 100,
        "' or 1=1--",
        "*",
        "%",
    ):
        answer = introduce(app.test_client(), token, "http://127.0.0.1:1/events")
        document = answer.get_json()
        del document["instance"]
        headers = tuple(sorted((k, v) for k, v in answer.headers if k not in {"X-Request-Id", "Content-Length"}))
        seen.add((answer.status_code, json.dumps(document), headers))
    ((status, text_of_all, _),) = seen
    assert (status, json.loads(text_of_all)["code"]) == (401, "registration_token_invalid")
