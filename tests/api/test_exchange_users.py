"""What consumers say of their users over the wire, and what becomes of a request that names one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from provider.models.orders import ProviderTask
from tests.api.provider_client import make_app, user_headers
from tests.api.test_exchange_tasks import TASKS, Consumer
from tests.factories import make_request, make_router_item
from tests.persona_factories import make_persona, told_user

USERS = "/exchange/v1/authorised-users"


@pytest.fixture
def consumer(database_url: str, tmp_path: Path) -> Iterator[Consumer]:
    consumer = Consumer(make_app(database_url, tmp_path))
    yield consumer
    consumer.database.close()


@pytest.fixture
def buyer(consumer: Consumer) -> str:
    """A persona that the consumer's item asks for."""
    with consumer.database.transaction() as session:
        consumer.item = make_router_item(session, consumer.id)
        consumer.item.persona_ids = [make_persona(session).id]
        return str(consumer.item.persona_ids[0])


def test_a_named_user_orders_and_the_request_keeps_who_it_was(consumer: Consumer, buyer: str) -> None:
    told = told_user([buyer], groups=["Field service"])
    answer = consumer.post(USERS, told)
    assert answer.status_code == 200, answer.text
    expected = {name: value for name, value in told.items() if name != "id"}
    assert answer.get_json() == expected | {
        "authorised_user_id": told["id"], "approval": "approved", "approved_persona_ids": [buyer], "reason": None,
    }  # fmt: skip
    who = {"name": "Ada Lovelace", "authorised_user_id": told["id"]}
    assert consumer.post(TASKS, make_request(consumer.item, 1, requested_by=who)).status_code == 201
    with consumer.database.reading() as session:
        assert session.query(ProviderTask).one().requested_by == who
    assert consumer.get(USERS).get_json()["items"] == [answer.get_json()]


@pytest.mark.parametrize("who", [{}, {"authorised_user_id": str(uuid4())}])
def test_a_request_of_somebody_else_is_refused_with_a_pointer(consumer: Consumer, buyer: str, who: Any) -> None:
    answer = consumer.post(TASKS, make_request(consumer.item, 1, requested_by={"name": "Ada", **who}))
    document = answer.get_json()
    assert (answer.status_code, document["code"]) == (422, "invalid_fields")
    assert [(one["pointer"], one["code"]) for one in document["errors"]] == [
        ("/requested_by/authorised_user_id", "not_authorised")
    ]
    assert buyer not in answer.text


def test_the_limit_is_told_with_the_refusal(consumer: Consumer, buyer: str) -> None:
    admin = user_headers(consumer.client.application, "exchange_admin")
    rules = f"/api/v1/connections/{consumer.id}/authorised-user-rules"
    decided = {"approval": "automatic", "limit": 0}
    assert consumer.client.put(rules, json=decided, headers=admin).get_json() == decided
    assert consumer.client.get(rules, headers=admin).get_json() == decided
    document = consumer.post(USERS, told_user([buyer])).get_json()
    assert (document["status"], document["code"], document["limit"]) == (409, "authorised_user_limit", 0)


def test_people_of_the_provider_make_choose_rename_and_delete_personas(consumer: Consumer, buyer: str) -> None:
    admin, url = user_headers(consumer.client.application, "exchange_admin"), "/api/v1/personas"
    made = consumer.client.post(url, json={"name": "Seller"}, headers=admin)
    assert made.status_code == 201
    assert consumer.client.post(url, json={"name": "Seller"}, headers=admin).status_code == 422
    one = f"{url}/{made.get_json()['id']}"
    assert consumer.client.put(one, json={"name": "Vendor"}, headers=admin).get_json()["name"] == "Vendor"
    assert [row["name"] for row in consumer.client.get(url, headers=admin).get_json()["items"]] == ["Buyer", "Vendor"]
    assert consumer.client.delete(one, headers=admin).status_code == 204
    in_use = consumer.client.delete(f"{url}/{buyer}", headers=admin)
    assert (in_use.status_code, in_use.get_json()["code"]) == (409, "persona_in_use")
    viewer = user_headers(consumer.client.application, "viewer")
    assert consumer.client.post(url, json={"name": "X"}, headers=viewer).status_code == 403
