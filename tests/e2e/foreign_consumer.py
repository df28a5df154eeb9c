"""A consumer instance by a foreign hand: one file, written from docs/wire.md alone, without a line of this project.

    python foreign_consumer.py PORT DATABASE

The provider speaks to `/exchange/events`; the other paths steer the consumer. An event and its effect are one
transaction, committed before the answer. A call is kept before it is sent, and sent until its answer is final.
"""

import hashlib
import json
import os
import signal
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import requests
from flask import Flask, request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

PORT, DATABASE = int(sys.argv[1]), sys.argv[2]
TABLES = """
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS inbox (stream TEXT, sequence INT, id TEXT, hash TEXT, digest TEXT, PRIMARY KEY (stream, sequence));
CREATE TABLE IF NOT EXISTS effects (n INTEGER PRIMARY KEY, event TEXT);
CREATE TABLE IF NOT EXISTS calls (n INTEGER PRIMARY KEY, path TEXT, body TEXT, key TEXT, status INTEGER, answer TEXT);
"""  # noqa: E501
WITH_EFFECT = {
    *("exchange.catalog_item.changed", "exchange.catalog_item.removed", "exchange.product.changed"),
    *("exchange.provider_task.state_changed", "exchange.provider_task.comment_added"),
}
FINAL = {
    *("invalid_fields", "number_taken", "already_accepted", "revision_superseded", "not_found"),
    *("idempotency_key_reused", "past_point_of_no_return"),
}
LONGEST_COMMENT = 4000
app = Flask(__name__)
access: dict[str, Any] = {"token": "", "until": 0.0}
death = {"when": ""}


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """All of it, or after an error or a crash nothing."""
    db = sqlite3.connect(DATABASE, timeout=15, isolation_level=None)
    try:
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")
    finally:
        db.close()


def kept(name: str) -> Any:
    with transaction() as db:
        row = db.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
    return json.loads(row[0]) if row else None


def keep(name: str, value: Any) -> None:
    with transaction() as db:
        db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, json.dumps(value)))


# --- events: provider to consumer


@app.post("/exchange/events")
def receive() -> Any:
    link = kept("link")
    try:
        events = Webhook(link["webhook_secret"]).verify(request.get_data(), dict(request.headers))
    except (WebhookVerificationError, ValueError, TypeError):
        return {"error": "not signed by my provider"}, 401
    if any(event["source"] != f"urn:uuid:{link['provider']['instance_id']}" for event in events):
        return {"error": "not from my provider"}, 403
    with transaction() as db:
        verdicts = [{"id": event["id"], **judge(db, event)} for event in events]
        die_if(death["when"] == "before_commit")
    die_if(death["when"] == "before_answer")
    return {"verdicts": verdicts}


def judge(db: sqlite3.Connection, event: dict[str, Any]) -> dict[str, Any]:
    if "stream" not in event:
        challenge = event["data"].get("challenge")
        return {"verdict": "applied"} | ({"challenge": challenge} if challenge else {})
    stream, sequence = event["stream"], event["sequence"]
    found = db.execute("SELECT max(sequence), digest FROM inbox WHERE stream = ?", (stream,)).fetchone()
    last, digest = found[0] or 0, found[1] or "00" * 32
    if sequence > last + 1:
        return {"verdict": "gap", "expected": last + 1}
    if sequence <= last:
        at = (stream, sequence)
        known = db.execute("SELECT id, hash FROM inbox WHERE stream = ? AND sequence = ?", at).fetchone()
        if known[0] == event["id"]:
            return {"verdict": "duplicate"}
        return {"verdict": "conflict", "applied_id": known[0], "applied_contenthash": known[1]}
    if len(event["data"].get("text", "")) > LONGEST_COMMENT:
        fields = [{"pointer": "/data/text", "message": f"at most {LONGEST_COMMENT} characters"}]
        return {"verdict": "rejected", "reason": "the text is too long here", "fields": fields}
    digest = hashlib.sha256(bytes.fromhex(digest) + (event["id"] + event["contenthash"]).encode("ascii")).hexdigest()
    row = (stream, sequence, event["id"], event["contenthash"], digest)
    db.execute("INSERT INTO inbox VALUES (?, ?, ?, ?, ?)", row)
    if event["type"] in WITH_EFFECT:
        db.execute("INSERT INTO effects (event) VALUES (?)", (json.dumps(event),))
    return {"verdict": "applied" if event["type"] in {*WITH_EFFECT, "exchange.tombstone"} else "ignored"}


def die_if(now_is_the_time: bool) -> None:
    if now_is_the_time:
        os.kill(os.getpid(), signal.SIGKILL)


# --- requests: consumer to provider


def exchange(method: str, path: str, body: Any = None, key: str = "") -> requests.Response:
    """A call with a bearer token; when the token is refused, once more with a new one."""
    link, me = kept("link"), kept("me")
    for _ in range(2):
        if access["until"] < time.time():
            form, client = {"grant_type": "client_credentials"}, (link["client_id"], link["client_secret"])
            issued = requests.post(f"{link['url']}/token", data=form, auth=client, headers=me, timeout=20).json()
            access.update(token=issued["access_token"], until=time.time() + issued["expires_in"] - 30)
        headers = {**me, "Authorization": f"Bearer {access['token']}", "Idempotency-Key": key or str(uuid.uuid4())}
        answer = requests.request(method, link["url"] + path, json=body, headers=headers, timeout=20)
        if answer.status_code != 401:
            break
        access["until"] = 0.0
    return answer


def ask(path: str, body: dict[str, Any]) -> int:
    """Keep a call for sending."""
    with transaction() as db:
        row = (path, json.dumps(body), str(uuid.uuid4()))
        return db.execute("INSERT INTO calls (path, body, key) VALUES (?, ?, ?)", row).lastrowid or 0


def send(n: int) -> tuple[int, Any]:
    with transaction() as db:
        path, body, key = db.execute("SELECT path, body, key FROM calls WHERE n = ?", (n,)).fetchone()
    answer = exchange("POST", path, json.loads(body), key)
    said = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    if said.get("code") in FINAL or (answer.ok and said):
        with transaction() as db:
            db.execute("UPDATE calls SET status = ?, answer = ? WHERE n = ?", (answer.status_code, answer.text, n))
    return answer.status_code, said


def keep_sending() -> None:
    """What waits, in the order of asking; the first call without a final answer ends the round."""
    while True:
        time.sleep(0.2)
        with transaction() as db:
            row = db.execute("SELECT min(n) FROM calls WHERE status IS NULL").fetchone()
        try:
            if row[0]:
                send(row[0])
        except (requests.RequestException, ValueError, KeyError) as error:
            print(f"will send again: {error}", flush=True)


# --- for the test


@app.post("/connect")
def connect() -> Any:
    wish, me = request.get_json(), kept("me")
    url = wish["provider_url"] + "/exchange/v1"
    body = {"token": wish["token"], "instance_id": me["Exchange-Instance"], "name": "Foreign Ltd", "version": "1.0"}
    body |= {"number_prefix": "FRGN", "callback_url": f"http://127.0.0.1:{PORT}/exchange/events"}
    answer = requests.post(f"{url}/registrations/complete", json=body, headers=me, timeout=20)
    if answer.status_code == 201:
        keep("link", {"url": url, **answer.json()})
        answer = exchange("POST", "/connection/verify")
    return answer.json(), answer.status_code


@app.post("/order")
def order() -> Any:
    """`times`: send the same call that often at once."""
    wish = request.get_json()
    with transaction() as db:
        count = db.execute("SELECT count(*) FROM calls WHERE path = '/provider-tasks'").fetchone()[0]
    number = f"{kept('link')['number_prefix']}-PT{count + 1:07d}"
    body = {"id": str(uuid.uuid4()), "number": number, "revision": 1, "opened_at": now(), **wish["body"]}
    n = ask("/provider-tasks", body)
    with ThreadPoolExecutor(wish.get("times", 1)) as pool:
        return {"call": n, "sent": body, "answers": list(pool.map(send, [n] * wish.get("times", 1)))}


@app.post("/comment")
def comment() -> Any:
    wish = request.get_json()
    body = {"id": str(uuid.uuid4()), "text": wish["text"], "author": {"name": "Ada Lovelace"}, "created_at": now()}
    return {"call": ask(f"/provider-tasks/{wish['task_id']}/comments", body)}


@app.post("/cancel")
def cancel() -> Any:
    wish = request.get_json()
    return {"call": ask(f"/provider-tasks/{wish['task_id']}/cancel", {"reason": wish["reason"]})}


@app.get("/get")
def get() -> Any:
    answer = exchange("GET", request.args["path"])
    return {"status": answer.status_code, "answer": answer.json()}


@app.post("/die")
def die() -> Any:
    """At the next batch, `before_commit` or `before_answer`."""
    death["when"] = request.get_json()["when"]
    return death


@app.get("/state")
def state() -> Any:
    with transaction() as db:
        calls = {str(n): (code, said) for n, code, said in db.execute("SELECT n, status, answer FROM calls")}
        effects = [json.loads(event) for (event,) in db.execute("SELECT event FROM effects ORDER BY n")]
        inbox = db.execute("SELECT stream, sequence, id, hash, digest FROM inbox ORDER BY stream, sequence").fetchall()
    return {"link": kept("link"), "effects": effects, "inbox": inbox, "calls": calls}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    sqlite3.connect(DATABASE).executescript(TABLES)
    if kept("me") is None:
        keep("me", {"Exchange-Instance": str(uuid.uuid4()), "Exchange-Epoch": str(uuid.uuid4())})
    threading.Thread(target=keep_sending, daemon=True).start()
    app.run("127.0.0.1", PORT, threaded=True)
