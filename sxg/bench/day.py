"""A small day of work for a deployment that was just started: each of its processes has done what it is there for."""

import json
from importlib.resources import files
from typing import Any
from urllib.request import urlopen

from sxg import databases
from sxg.client import Client
from sxg.demo.cast import until
from sxg.deployment import Deployment

_ITEM = "po-mobile-backup"
_BUYER = {"name": "Ada Lovelace", "email": "ada@acme.example"}
_PAGES = ("/metrics", "/openapi.json")

Document = dict[str, Any]


def work_a_day(deployment: Deployment, orders: int) -> None:
    """Connect the consumer, sell it one item that often, each order until it is closed at the consumer, and look on.

    Raises CommandFailed when the other side does not hear of something in time.
    """
    token = databases.add_user(deployment.provider.database_url, "bench", ["admin"])
    provider, consumer = deployment.provider_client(token), deployment.consumer_client()
    try:
        _connect(deployment, provider, consumer)
        item = _sell(provider, consumer)
        for _ in range(orders):
            _order(provider, consumer, item)
    finally:
        provider.close()
        consumer.close()
    for instance in deployment.instances.values():
        for page in _PAGES:
            with urlopen(instance.url + page, timeout=10) as answer:  # noqa: S310 - our own address
                answer.read()


def _connect(deployment: Deployment, provider: Client, consumer: Client) -> None:
    contact = {"contact_name": _BUYER["name"], "contact_email": _BUYER["email"]}
    registration = provider.post("/registrations", {"company": "ACME", **contact})
    body = {"provider_url": deployment.provider.url, "token": registration["token"], "number_prefix": "ACME"}
    consumer.post("/connections", body)


def _sell(provider: Client, consumer: Client) -> Document:
    """The item as the consumer has it, ready to be ordered."""
    catalog = json.loads((files("sxg") / "data" / "managed_service_provider.json").read_text(encoding="utf-8"))
    provider.post("/catalog/import", catalog)
    offering = next(one for one in provider.pages("/product-offerings") if one["external_id"] == _ITEM)
    producers = provider.pages("/remote-record-producers")
    identity = next(one["identity"] for one in producers if one["name"] == offering["name"])
    provider.post(f"/remote-record-producers/{identity}/publish", {"criteria": {"all_consumers": True}})
    item = until(lambda: next(consumer.pages("/catalog-items"), None), "the item at the consumer")
    activated: Document = consumer.post(f"/catalog-items/{item['id']}/activate")
    return {**item, **activated}


def _order(provider: Client, consumer: Client, item: Document) -> None:
    wanted = [one for one in item["form"]["variables"] if one["mandatory"] and one["default"] is None]
    answers = {one["key"]: one["options"][0]["value"] if one["options"] else _BUYER["email"] for one in wanted}
    body = {"catalog_item_id": item["id"], "quantity": 1, "characteristics": answers, "requested_by": _BUYER}
    request = f"/requests/{consumer.post('/requests', {**body, 'parts': {}})['id']}"
    number = until(lambda: consumer.get(request)["order_number"], "the order")
    provider.post(f"/orders/{number}/approve")

    def complete_what_is_open() -> bool:
        for task in provider.pages(f"/order-tasks?order={number}"):
            if task["state"] == "open":
                provider.post(f"/order-tasks/{task['number']}/complete")
        return bool(provider.get(f"/orders/{number}")["state"] == "completed")

    until(complete_what_is_open, "the completed order")
    until(lambda: consumer.get(request)["state"] == "closed", "the closed request")
