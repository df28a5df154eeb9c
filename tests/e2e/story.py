"""The life of one order, told so that it can be interrupted anywhere: each step is repeated until it is seen to be
done.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sxg.client import ApiProblem, ClientError
from tests.e2e.stage import Stage

T = TypeVar("T")


@dataclass
class Story:
    """One request for `quantity` of an item, from the click to the inventory; `interrupt` is called after every act."""

    stage: Stage
    item_id: str
    answers: dict[str, Any]
    quantity: int = 1
    interrupt: Callable[[], None] = lambda: None
    request_id: str = ""
    number: str = ""
    texts: list[str] = field(default_factory=list)

    def tell(self) -> None:
        self.submit()
        self.approve()
        self.comment()
        self.fulfil()

    def submit(self) -> None:
        known = self._patiently(lambda: {request["id"] for request in self.stage.consumer.pages("/requests")})
        body = {"catalog_item_id": self.item_id, "quantity": self.quantity, **self.answers}

        def made() -> bool:
            new = [r["id"] for r in self.stage.consumer.pages("/requests") if r["id"] not in known]
            self.request_id = new[0] if new else ""
            return bool(new)

        self._ensure(made, lambda: self.stage.consumer.post("/requests", body))
        self._ensure(lambda: bool(self.request().get("order_number")), lambda: None)
        self.number = self._patiently(self.request)["order_number"]
        self._ensure(lambda: self.order()["state"] == "new", lambda: None)

    def approve(self) -> None:
        manager = self.stage.provider("order_manager")
        self._ensure(lambda: self.order()["state"] != "new", lambda: manager.post(f"/orders/{self.number}/approve"))

    def comment(self) -> None:
        ours, theirs = f"When? {self.number}", f"Tomorrow. {self.number}"
        agent = self.stage.provider("order_agent")
        path = f"/requests/{self.request_id}/comments"
        self._ensure(
            lambda: ours in self._texts(self.request()),
            lambda: self.stage.consumer.post(path, {"text": ours, "author_name": "Ada"}),
        )
        self._ensure(
            lambda: theirs in self._texts(self.order()),
            lambda: agent.post(f"/orders/{self.number}/comments", {"text": theirs}),
        )
        self.texts = sorted([ours, theirs])

    def fulfil(self) -> None:
        agent = self.stage.provider("fulfilment_agent")

        def complete_what_is_open() -> None:
            for task in agent.pages(f"/order-tasks?order={self.number}"):
                if task["state"] == "open":
                    agent.post(f"/order-tasks/{task['number']}/complete")

        self._ensure(lambda: self.order()["state"] == "completed", complete_what_is_open)

    def check(self) -> None:
        """Everything arrived at the consumer, each effect once."""
        self._patiently(self.request)
        self._patiently(self.order)
        self.stage.until(lambda: self.request()["state"] == "closed", 30)
        self.stage.until(lambda: self._texts(self.request()) == self.texts == self._texts(self.order()), 30)
        self.stage.until(lambda: [p["state"] for p in self.products()] == ["active"] * len(self.order_products()), 30)
        timeline = self.request()["timeline"]
        changes = [(step["from_state"], step["to_state"]) for step in self.order()["timeline"]]
        assert [step["order_state"] for step in timeline] == [to_state for _, to_state in changes]
        sequences = [step["sequence"] for step in timeline]
        assert sequences == sorted(set(sequences))
        assert len(self.order_products()) % self.quantity == 0

    def request(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.consumer.get(f"/requests/{self.request_id}")
        return found

    def order(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.provider("viewer").get(f"/orders/{self.number}")
        return found

    def products(self) -> list[dict[str, Any]]:
        return [p for p in self.stage.consumer.pages("/products") if p["order_number"] == self.number]

    def order_products(self) -> list[dict[str, Any]]:
        return [p for p in self.stage.provider("viewer").pages("/products") if p["order_number"] == self.number]

    @staticmethod
    def _texts(record: dict[str, Any]) -> list[str]:
        return sorted(comment["text"] for comment in record["comments"])

    @staticmethod
    def _patiently(look: Callable[[], T], timeout_s: float = 40.0) -> T:
        """What `look` finds, once the instance it asks is back."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return look()
            except ClientError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _ensure(self, done: Callable[[], bool], act: Callable[[], Any], timeout_s: float = 40.0) -> None:
        """Act, be interrupted, and act again until it is done: a lost answer is no answer. What was interrupted is
        still coming back when the next step begins.
        """
        acted = False
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            try:
                if done():
                    return
                act()
                if not acted:
                    acted = True
                    self.interrupt()
            except ApiProblem as problem:
                if problem.status not in (404, 409) and problem.status < 500:
                    raise
            except ClientError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not done within {timeout_s:g} s: order {self.number}, request {self.request_id}")
