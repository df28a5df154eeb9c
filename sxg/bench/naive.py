"""The baseline: one RQ job and one POST per event, as one would write it first.

It may do whatever makes it fast without changing the design: SimpleWorker instead of a fork per job, a kept-alive
connection, statements built and secrets decrypted once, no results kept in Redis, a backlog enqueued in pipelines. It
signs as the engine does, sends to the same receiver, and writes to a database with the same settings. It has no lease,
no attempts, no backoff, and loses what Redis loses.

Run as a program, this file is the worker.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from json import loads
from uuid import uuid4

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import bindparam, select, update

from bridge import envelope, signing
from bridge.config import InstanceConfig
from bridge.database import Database
from bridge.egress import AddressGuard, Sender
from bridge.identity import Identity, Keyring, ensure_instance
from bridge.models import Connection, Delivery, table_of
from bridge.vocabulary import BATCH_CONTENT_TYPE, FAST_DEADLINE_S, HEADER_EPOCH, HEADER_INSTANCE, Verdict
from sxg.settings import read_config

_QUEUE = "bench-naive"
_JOB = "sxg.bench.naive.deliver"
_PIPELINE_JOBS = 500
_DELIVERIES = table_of(Delivery)
_IS_IT = _DELIVERIES.c.id == bindparam("delivery_id")
_READ = select(_DELIVERIES.c.text, _DELIVERIES.c.connection_id).where(_IS_IT)
_MARK = update(_DELIVERIES).where(_IS_IT).values(state="delivered", settled_at=bindparam("now"))


class NotApplied(Exception):
    """The receiver did not say that it has applied the event; the job fails."""


class JobQueue:
    """Where a provider of this design puts what it has just committed."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(redis_url)
        self._queue = Queue(_QUEUE, connection=self._redis, serializer=JSONSerializer)

    def put(self, delivery_id: str) -> None:
        self._queue.enqueue(_JOB, delivery_id, result_ttl=0)

    def put_all(self, delivery_ids: Sequence[str]) -> None:
        for start in range(0, len(delivery_ids), _PIPELINE_JOBS):
            ids = delivery_ids[start : start + _PIPELINE_JOBS]
            self._queue.enqueue_many([Queue.prepare_data(_JOB, (each,), result_ttl=0) for each in ids])

    def close(self) -> None:
        self._redis.close()


@dataclass
class _Link:
    """What is known of one connection, read once."""

    url: str
    secrets: list[str]
    sender: Sender


@dataclass
class _Courier:
    """What the jobs of a worker share."""

    database: Database
    identity: Identity
    keyring: Keyring
    guard: AddressGuard
    links: dict[str, _Link] = field(default_factory=dict)

    def deliver(self, delivery_id: str) -> None:
        with self.database.reading() as session:
            text, connection_id = session.connection().execute(_READ, {"delivery_id": delivery_id}).one()
            link = self.links.get(connection_id)
            if link is None:
                link = self.links[connection_id] = self._link(session.get_one(Connection, connection_id))
        self._post(link, delivery_id, text)
        with self.database.transaction() as session:
            session.connection().execute(_MARK, {"delivery_id": delivery_id, "now": datetime.now(UTC)})

    def _post(self, link: _Link, delivery_id: str, text: str) -> None:
        body = envelope.join([text])
        now_s = int(datetime.now(UTC).timestamp())
        headers = signing.sign(body, message_id=f"msg_{uuid4().hex}", now_s=now_s, secrets=link.secrets)
        headers |= {
            "Content-Type": BATCH_CONTENT_TYPE,
            HEADER_INSTANCE: self.identity.id,
            HEADER_EPOCH: self.identity.epoch,
        }
        reply = link.sender.send("POST", link.url, body=body, headers=headers, deadline_s=FAST_DEADLINE_S)
        (judgement,) = envelope.read_answer(loads(reply.body), [delivery_id]).values()
        if reply.status != 200 or judgement.verdict is not Verdict.APPLIED:
            raise NotApplied(f"HTTP {reply.status}, {judgement}")

    def _link(self, connection: Connection) -> _Link:
        sender = Sender(self.guard, user_agent="sxg-bench-naive/1")
        return _Link(connection.peer_url or "", self.keyring.open(connection)["webhook"], sender)


_courier: _Courier | None = None


def deliver(delivery_id: str) -> None:
    """The RQ job: read the row, POST it, mark it."""
    assert _courier is not None, "run_worker installs the courier"  # noqa: S101
    _courier.deliver(delivery_id)


def run_worker(config: InstanceConfig) -> None:
    """Work until told to stop."""
    global _courier  # noqa: PLW0603 - RQ calls module-level functions only
    database = Database(config.database_url)
    with database.transaction() as session:
        identity = ensure_instance(session, config.instance_name, config.data_dir)
    _courier = _Courier(database, identity, Keyring.load(config.data_dir), AddressGuard(config.egress_allow))
    patient = Redis.from_url(config.redis_url, retry=Retry(ExponentialBackoff(cap=1, base=0.05), 60))
    queue = Queue(_QUEUE, connection=patient, serializer=JSONSerializer)
    SimpleWorker([queue], connection=patient, serializer=JSONSerializer).work(logging_level="WARNING")


if __name__ == "__main__":
    # RQ imports this module by its name: the worker must run there, not in the copy that is the program.
    import_module("sxg.bench.naive").run_worker(read_config("provider"))
