"""The main job, step by step, each by the role whose work it is."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from sxg.client import segment
from sxg.demo.cast import Cast, until
from sxg.demo.show import Show
from sxg.failures import CommandFailed

OFFERING = "SD-WAN Package"
PREFIX = "ACME"

# Two packages for the Berlin office, each with two edge devices and the security functions.
ORDER: Mapping[str, Any] = {
    "quantity": 2,
    "characteristics": {"bandwidth": "250", "service_level": "premium"},
    "parts": {
        "controller": {"characteristics": {"admin_email": "ada@acme.example"}},
        "edge": {"quantity": 2, "characteristics": {"model": "M", "high_availability": True}},
        "security": {"selected": True, "characteristics": {"functions": ["firewall", "web_filter"]}},
    },
    "location": {
        "name": "Berlin office", "street": "Torstr. 1", "city": "Berlin", "postal_code": "10119", "country": "DE",
    },
    "contacts": [{"name": "Ada Lovelace", "email": "ada@acme.example", "phone": None}],
    "requested_on": "2026-12-01",
    "note": "Please deliver before noon",
    "requested_by": {"name": "Ada Lovelace", "email": "ada@acme.example"},
}  # fmt: skip

Document = dict[str, Any]


class Story:
    """What each step leaves for the next ones. A second run in the same directory finds the connection and the item."""

    def __init__(self, cast: Cast, show: Show) -> None:
        self.cast = cast
        self.show = show
        self.connection_id = ""
        self.item_id = ""
        self.request_id = ""
        self.order_number = ""

    def tell(self) -> None:
        """From the catalog to the inventory. Raises ClientError or CommandFailed where it gets stuck."""
        self.import_catalog()
        self.connect()
        self.publish()
        self.activate()
        self.order()
        self.talk()
        self.approve()
        self.fulfil()
        self.close()

    # --- before an order

    def import_catalog(self) -> None:
        document = json.loads((files("sxg") / "data" / "managed_service_provider.json").read_text(encoding="utf-8"))
        with self.show.step("catalog_manager", "imports the catalog") as step:
            counts = self.cast.catalog_manager.post("/catalog/import", document)
            step.says(", ".join(f"{count} {what}" for what, count in counts.items()))

    def connect(self) -> None:
        connections = self.cast.consumer.get("/connections")["items"]
        if found := next((one for one in connections if one["state"] == "active"), None):
            self.connection_id = found["connection_id"]
            return
        with self.show.step("exchange_admin", "registers the consumer ACME IT") as step:
            contact = {"contact_name": "Ada Lovelace", "contact_email": "ada@acme.example"}
            registration = self.cast.exchange_admin.post("/registrations", {"company": "ACME IT", **contact})
            step.says(f"{registration['number']}, a token for one use")
        with self.show.step("consumer", "connects: credentials, challenge, proof") as step:
            body = {
                "provider_url": self.cast.exchange_admin.url,
                "token": registration["token"],
                "number_prefix": PREFIX,
            }
            link = self.cast.consumer.post("/connections", body)
            self.connection_id = link["connection_id"]
            step.says(f"{link['state']}, its requests will be numbered {link['number_prefix']}-PT...")

    def publish(self) -> None:
        if item := self._find_item():
            self.item_id = item["id"]
            return
        with self.show.step("exchange_admin", f"offers the {OFFERING} to ACME IT") as step:
            producer = self._draft()
            criteria = {"connection_ids": [self.connection_id]}
            path = f"/remote-record-producers/{producer['identity']}/publish"
            self.cast.exchange_admin.post(path, {"criteria": criteria})
            step.says(f"revision {producer['revision']} of its remote record producer is published")
        with self.show.step("consumer", "receives the remote catalog item") as step:
            item = until(self._find_item, "the catalog item at the consumer")
            self.item_id = item["id"]
            parts = ", ".join(part["name"] for part in item["form"]["parts"])
            step.says(f"{item['name']} with {parts}")

    def activate(self) -> None:
        item = self._item()
        if item["state"] == "active":
            return
        with self.show.step("consumer", "activates the item") as step:
            self.cast.consumer.post(f"/catalog-items/{self.item_id}/activate")
            item = until(lambda: self._item_when_told("accepted"), "the provider's word on the activation")
            step.says(f"revision {item['active_revision']} can be ordered")

    # --- the order

    def order(self) -> None:
        with self.show.step("consumer", f"orders 2 {OFFERING}s for the Berlin office") as step:
            request = self.cast.consumer.post("/requests", {"catalog_item_id": self.item_id, **ORDER})
            self.request_id = request["id"]
            step.says(f"request {request['number']}")
        with self.show.step("provider", "accepts the provider task and makes an order") as step:
            request = until(self._accepted_request, "the order behind the request")
            self.order_number = request["order_number"]
            order = self._order()
            lines = list(flatten(order["lines"]))
            step.says(f"{self.order_number} with {len(lines)} order lines, {order_label(request)}")
        for depth, line in lines:
            self.show.line(f"{'':28}{'  ' * depth}{line['number']}  {line['quantity']} x {line['name']}", "dim")

    def talk(self) -> None:
        said = "Which entrance should the technician use?"
        with self.show.step("order_manager", "asks the consumer") as step:
            self.cast.order_manager.post(self._order_path("comments"), {"text": said})
            until(lambda: said in self._texts_at_consumer(), "the comment at the consumer")
            step.says(f'"{said}"')
        answer = "The loading bay, please; ring at gate 2."
        with self.show.step("consumer", "answers") as step:
            body = {"text": answer, "author_name": "Ada Lovelace"}
            self.cast.consumer.post(f"/requests/{self.request_id}/comments", body)
            until(lambda: answer in self._texts_at_provider(), "the comment at the provider")
            step.says(f'"{answer}"')

    def approve(self) -> None:
        with self.show.step("order_manager", f"approves {self.order_number}") as step:
            self.cast.order_manager.post(self._order_path("approve"))
            request = until(lambda: self._request_when("in_progress"), "the approval at the consumer")
            step.says(f"the consumer sees {request['state_label']!r}")
        with self.show.step("consumer", "sees what it will get") as step:
            products = until(self._products_of_order, "the products at the consumer")
            step.says(_count(products))

    def fulfil(self) -> None:
        with self.show.step("fulfilment_agent", "completes the order tasks as they open") as step:
            done: list[str] = []
            while tasks := self._open_tasks():
                for task in tasks:
                    step.is_at(task["name"])
                    path = f"/order-tasks/{segment(task['number'])}"
                    self.cast.fulfilment_agent.post(f"{path}/start")
                    self.cast.fulfilment_agent.post(f"{path}/complete")
                    done.append(task["name"])
            step.says(f"{len(done)} tasks, from {done[0]!r} to {done[-1]!r}" if done else "none were open")

    def close(self) -> None:
        with self.show.step("consumer", "sees the task closed") as step:
            request = until(lambda: self._request_when("completed"), "the completed order at the consumer")
            step.says(f"{request['number']} is {request['state_label']}")
        with self.show.step("consumer", "has the products in its inventory") as step:
            step.says(_count(until(self._active_products, "the active products at the consumer")))

    def timeline(self) -> Sequence[Document]:
        """Each order state as the consumer was told it, oldest first."""
        found: Sequence[Document] = self._request()["timeline"]
        return found

    # --- looking

    def _find_item(self) -> Document | None:
        items = self.cast.consumer.pages("/catalog-items")
        return next((item for item in items if item["name"] == OFFERING and item["orderable"]), None)

    def _draft(self) -> Document:
        """What the import drafted for the exchange when it published the offering."""
        producers = self.cast.exchange_admin.pages("/remote-record-producers")
        found = next((one for one in producers if one["name"] == OFFERING and one["state"] == "draft"), None)
        if found is None:
            raise CommandFailed(f"the catalog has no draft of a remote record producer for {OFFERING}")
        return found

    def _item(self) -> Document:
        item: Document = self.cast.consumer.get(f"/catalog-items/{self.item_id}")
        return item

    def _item_when_told(self, wanted: str) -> Document | None:
        item = self._item()
        return item if item["activation"]["sent"] == wanted else None

    def _request(self) -> Document:
        request: Document = self.cast.consumer.get(f"/requests/{self.request_id}")
        return request

    def _accepted_request(self) -> Document | None:
        request = self._request()
        if request["delivery"]["state"] == "refused":
            raise CommandFailed(f"the provider refuses the request: {request['delivery']}")
        accepted = request["delivery"]["state"] == "accepted"
        return request if accepted and request["order_state"] == "new" else None

    def _request_when(self, order_state: str) -> Document | None:
        request = self._request()
        return request if request["order_state"] == order_state else None

    def _order_path(self, action: str) -> str:
        return f"/orders/{segment(self.order_number)}/{action}"

    def _order(self) -> Document:
        order: Document = self.cast.order_manager.get(f"/orders/{segment(self.order_number)}")
        return order

    def _texts_at_consumer(self) -> list[str]:
        return [comment["text"] for comment in self._request()["comments"]]

    def _texts_at_provider(self) -> list[str]:
        return [comment["text"] for comment in self._order()["comments"]]

    def _open_tasks(self) -> list[Document]:
        return list(self.cast.fulfilment_agent.pages("/order-tasks", order=self.order_number, state="open"))

    def _products_of_order(self) -> list[Document]:
        products = self.cast.consumer.pages("/products")
        return [product for product in products if product["task_id"] == self.request_id]

    def _active_products(self) -> list[Document]:
        products = self._products_of_order()
        return products if products and all(product["state"] == "active" for product in products) else []


def flatten(lines: Sequence[Document], depth: int = 0) -> Sequence[tuple[int, Document]]:
    """A tree of order lines as (depth, line), parents first."""
    found: list[tuple[int, Document]] = []
    for line in lines:
        found.append((depth, line))
        found.extend(flatten(line.get("lines", ()), depth + 1))
    return found


def order_label(request: Document) -> str:
    return f"the order is {request['order_state_label']}, the consumer sees {request['state_label']!r}"


def _count(products: Sequence[Document]) -> str:
    counts = Counter(product["state_label"] for product in products)
    return f"{len(products)} products, " + ", ".join(f"{count} {label}" for label, count in counts.items())
