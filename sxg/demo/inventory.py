"""Something is done with a product that a consumer has: asked for, approved, worked on, and seen when it is done."""

from typing import Any

from sxg.client import segment
from sxg.demo.cast import Cast, Consumer, until
from sxg.demo.show import Show

Document = dict[str, Any]


class Inventory:
    """What one consumer has, and the provider's people who act on it."""

    def __init__(self, cast: Cast, show: Show, consumer: Consumer) -> None:
        self.cast, self.show, self.consumer = cast, show, consumer

    def find_whole(self, name: str) -> Document:
        """The first product of this name that is not part of another."""
        products = self.consumer.client.pages("/products")
        return next(one for one in products if one["name"] == name and one["parent_id"] is None)

    def act(self, product: Document, action: str, why: str, end: str) -> None:
        """Return when the consumer sees the product, and with it all its parts, in the state `end`."""
        with self.show.step(self.consumer.company, f"wants to {action} {product['name']} {product['number']}") as step:
            asked = {"action": action, "note": why, "requested_by": {"name": self.consumer.person}}
            request = self.consumer.client.post(f"/products/{product['id']}/actions", asked)
            path = f"/requests/{request['id']}"
            number = until(lambda: self.consumer.client.get(path)["order_number"], "the order behind the action")
            order: Document = self.cast.order_manager.get(f"/orders/{segment(number)}")
            lines = len(order["lines"]) + sum(len(line["lines"]) for line in order["lines"])
            step.says(f"{request['number']} is {number}, with {lines} lines: its parts go along")
        with self.show.step("order_manager", f"approves {number}, and the work is done"):
            self.cast.order_manager.post(f"/orders/{segment(number)}/approve")
            for task in self.cast.fulfilment_agent.pages("/order-tasks", order=number):
                self.cast.fulfilment_agent.post(f"/order-tasks/{segment(task['number'])}/complete")
        with self.show.step(self.consumer.company, f"sees {product['number']}") as step:
            shown = until(lambda: self._when(product, end), f"the product {end}")
            until(lambda: self.consumer.client.get(path)["state"] == "closed", "the closed request")
            step.says(f"{shown['state_label']}, after {len(shown['history'])} steps since it was ordered")

    def _when(self, product: Document, state: str) -> Document | None:
        found: Document = self.consumer.client.get(f"/products/{product['id']}")
        return found if found["state"] == state else None
