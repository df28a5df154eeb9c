"""Before the first order: the catalog, two companies that connect, and what is offered to them."""

import json
from collections import defaultdict
from importlib.resources import files
from typing import Any

from sxg.demo import answers
from sxg.demo.cast import Cast, Consumer, until
from sxg.demo.show import Show
from sxg.failures import CommandFailed

Document = dict[str, Any]

ACTIVATED_BY_HAND = (answers.SD_WAN, answers.MOBILE, answers.WIFI, answers.INVENTORY)
"""By ACME; Globex lets what it is offered be activated as it comes."""


class Opening:
    """Each step finds out what an earlier run in the same directory has done, and does the rest."""

    def __init__(self, cast: Cast, show: Show) -> None:
        self.cast = cast
        self.show = show

    def import_catalog(self) -> None:
        document = json.loads((files("sxg") / "data" / "managed_service_provider.json").read_text(encoding="utf-8"))
        with self.show.step("catalog_manager", "imports the catalog") as step:
            counts = self.cast.catalog_manager.post("/catalog/import", document)
            offerings = list(self.cast.catalog_manager.pages("/product-offerings"))
            told = ", ".join(f"{count} {what}" for what, count in counts.items())
            step.says(f"{len(offerings)} product offerings ({told})")
        names: dict[str, list[str]] = defaultdict(list)
        for offering in offerings:
            names[offering["category"]].append(offering["name"])
        for category, members in names.items():
            self.show.detail(f"{category}: {' · '.join(members)}")

    def connect(self, consumer: Consumer) -> None:
        connections = consumer.client.get("/connections")["items"]
        if found := next((one for one in connections if one["state"] == "active"), None):
            consumer.connection_id = found["connection_id"]
            return
        with self.show.step("exchange_admin", f"registers the consumer {consumer.company}") as step:
            contact = {"contact_name": consumer.person, "contact_email": consumer.email}
            registration = self.cast.exchange_admin.post("/registrations", {"company": consumer.company, **contact})
            step.says(f"{registration['number']}, a token for one use")
        with self.show.step(consumer.company, "connects: credentials, challenge, proof") as step:
            provider_url, token = self.cast.exchange_admin.url, registration["token"]
            body = {"provider_url": provider_url, "token": token, "number_prefix": consumer.prefix}
            link = consumer.client.post("/connections", body)
            consumer.connection_id = link["connection_id"]
            step.says(f"{link['state']}, its requests will be numbered {link['number_prefix']}-PT...")

    def activate_as_they_come(self, consumer: Consumer) -> None:
        """Switch that on for all that the consumer will be offered."""
        for link in consumer.client.get("/connections")["items"]:
            if link["state"] == "active" and not link["settings"]["auto_activate"]:
                consumer.client.post(f"/connections/{link['id']}/settings", {"auto_activate": True})

    def publish(self) -> None:
        """The package is for ACME alone, everything else for everybody."""
        drafts = [one for one in self.cast.exchange_admin.pages("/remote-record-producers") if one["state"] == "draft"]
        if not drafts:
            return
        with self.show.step("exchange_admin", f"offers the {answers.SD_WAN} to ACME IT") as step:
            for draft in drafts:
                step.is_at(draft["name"])
                named = draft["name"] == answers.SD_WAN
                criteria = {"connection_ids": [self.cast.acme.connection_id]} if named else {"all_consumers": True}
                path = f"/remote-record-producers/{draft['identity']}/publish"
                self.cast.exchange_admin.post(path, {"criteria": criteria})
            step.says(f"and {len(drafts) - 1} other items to all consumers")

    def receive(self, consumer: Consumer, how: str) -> None:
        """Return when the consumer has every item that it is entitled to."""
        with self.show.step(consumer.company, f"receives its remote catalog items, {how}") as step:
            wanted = len(list(self.cast.exchange_admin.pages(_records(consumer), kind="catalog_item")))
            items = until(lambda: _at_least(wanted, _items(consumer)), f"{wanted} catalog items at {consumer.company}")
            active = sum(item["state"] == "active" for item in items)
            step.says(f"{len(items)}, {active} of them active")

    def activate(self, consumer: Consumer) -> None:
        """By hand."""
        pending = [item for item in _items(consumer) if item["name"] in ACTIVATED_BY_HAND and item["state"] != "active"]
        if not pending:
            return
        with self.show.step(consumer.company, "activates what it will order") as step:
            for item in pending:
                consumer.client.post(f"/catalog-items/{item['id']}/activate")
            until(lambda: all(map(_is_told, _items(consumer))), "the provider's word on the activations")
            step.says(" · ".join(item["name"] for item in pending))


def find_item(consumer: Consumer, name: str) -> Document:
    """Raises CommandFailed when the consumer has no such item."""
    found = next((item for item in _items(consumer) if item["name"] == name), None)
    if found is None:
        raise CommandFailed(f"{consumer.company} has no catalog item {name}")
    return found


def _items(consumer: Consumer) -> list[Document]:
    return list(consumer.client.pages("/catalog-items"))


def _is_told(item: Document) -> bool:
    """The provider knows of the activation; an item that was never activated has nothing to tell."""
    return bool(item["state"] != "active" or item["activation"]["sent"] == "accepted")


def _at_least(wanted: int, items: list[Document]) -> list[Document] | None:
    return items if len(items) >= wanted else None


def _records(consumer: Consumer) -> str:
    return f"/connections/{consumer.connection_id}/records"
