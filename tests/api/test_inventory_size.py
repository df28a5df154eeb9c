"""An inventory answers alike whether another consumer has ten products or 50,000: to consumers and to our people."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from uuid import uuid4

import flask
import pytest
from sqlalchemy import insert, select

from bridge.database import Database
from bridge.ids import new_id
from provider.models.access import AccessToken
from provider.models.inventory import Product, ProductChange
from provider.services.tokens import new_token, token_hash
from tests.api.page_client import CountedStatements, signed_in
from tests.api.provider_client import context_of, make_app
from tests.factories import NOW
from tests.inventory_factories import all_products, make_action, make_owner
from tests.jobs.test_plans import scans, statements_of

MANY = 50_000
ROUNDS = 15
PAGE_LIMIT_S = 1.0
"""Of a page over 50,000 products on a busy machine; `make page-times` says what it takes on a quiet one."""


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(database_url, tmp_path)
    yield app
    context_of(app).database.close()


def sign_in(database: Database, connection_id: str) -> dict[str, str]:
    token = new_token("sxa_")
    with database.transaction() as session:
        expires_at = NOW + timedelta(days=1)
        session.add(AccessToken(token_hash=token_hash(token), connection_id=connection_id, expires_at=expires_at))
    return {"Authorization": f"Bearer {token}"}


def multiply(database: Database, connection_id: str, count: int) -> None:
    """Give a consumer so many products like its first, at the same place."""
    with database.transaction() as session:
        first = session.scalars(select(Product).where(Product.connection_id == connection_id)).first()
        assert first is not None
        known = {column.key: getattr(first, column.key) for column in Product.__table__.columns}
        ids = [new_id() for _ in range(count)]
        rows = [known | {"id": id, "number": f"PRDX{number:07d}", "unit": number + 2} for number, id in enumerate(ids)]
        session.execute(insert(Product), rows)
        step = {"action": "add", "to_state": "active", "provider_task_id": first.provider_task_id, "at": NOW}
        session.execute(insert(ProductChange), [step | {"product_id": id} for id in ids])


def test_what_one_consumer_has_does_not_slow_down_another(app: flask.Flask) -> None:
    """Nor our people, who look through everybody's."""
    database, client, viewer = context_of(app).database, app.test_client(), signed_in(app, "vera", "viewer")
    small = make_small(database)
    (mine,) = (one for one in all_products(database) if one.connection_id == small)
    me = sign_in(database, small)
    calls = (
        "/exchange/v1/products",
        "/exchange/v1/products?location=Berlin office",
        f"/exchange/v1/products/{mine.id}",
    )

    def measure() -> tuple[list[int], float]:
        counts, took = [], []
        for url in calls:
            with CountedStatements(app) as counted:
                assert client.get(url, headers=me).status_code == 200
            counts.append(counted.count)
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for url in calls:
                client.get(url, headers=me)
            took.append(time.perf_counter() - start)
        return counts, median(took)

    pages = (
        "/products", "/products?q=PRD0000002", "/products?company=SMALL Ltd", "/products?sort=name",
        "/products?location=Berlin office&state=active", f"/products/{mine.number}",
    )  # fmt: skip

    def look() -> tuple[list[int], float]:
        counts, took = [], []
        for url in pages:
            start = time.perf_counter()
            with CountedStatements(app) as counted:
                assert viewer.get(url).status_code == 200, url
            took.append(time.perf_counter() - start)
            counts.append(counted.count)
        return counts, max(took)

    few_on_pages, _ = look()
    few_counts, few_s = measure()
    multiply(database, next(one.connection_id for one in all_products(database) if one.connection_id != small), MANY)
    with statements_of(database.engine) as seen:
        many_counts, many_s = measure()
    assert many_counts == few_counts
    assert many_s < 3 * few_s + 0.05, f"{few_s * 1000:.0f} ms became {many_s * 1000:.0f} ms"
    growing = {"products", "product_changes", "inventory_operations"}
    read = [found for statement in list(seen.values()) for found in scans(database, statement, growing)]
    assert [one for one in read if not one.endswith("(connection_id=?)")] == []  # one's own are read in their order
    many_on_pages, slowest_s = look()
    assert many_on_pages == few_on_pages
    assert slowest_s < PAGE_LIMIT_S, f"{slowest_s * 1000:.0f} ms"
    with CountedStatements(app) as counted:
        body, key = make_action("suspend", 2, "SMALL"), {"Idempotency-Key": str(uuid4())}
        answer = client.post(f"/exchange/v1/products/{mine.id}/actions", json=body, headers=me | key)
        assert answer.status_code == 201, answer.text
    assert counted.count <= 35


def make_small(database: Database) -> str:
    """One consumer that will have many products, and one that has one; the second."""
    make_owner(database, "LARGE")
    return make_owner(database, "SMALL")
