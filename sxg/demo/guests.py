"""A request that needs no order: the provider writes an item by hand, a consumer fills in its form, people solve it."""

from typing import Any

from sxg.client import ApiProblem, segment
from sxg.demo.cast import Cast, Consumer, until
from sxg.demo.show import Show

Document = dict[str, Any]

NAME = "Visit of the data centre"
FORM: Document = {
    "variables": [
        {"key": "day", "label": "Day", "type": "date", "mandatory": True},
        {"key": "stay", "label": "How long", "type": "duration", "default": "PT2H"},
    ],
    "sets": [
        {
            "key": "guests", "label": "Guests", "many": True, "min_rows": 1, "max_rows": 5,
            "variables": [
                {"key": "name", "label": "Name", "type": "text", "mandatory": True},
                {"key": "email", "label": "E-mail", "type": "email"},
            ],
        }
    ],
    "besides": ["note"],
}  # fmt: skip
GUESTS = [{"name": "Ada Lovelace", "email": "ada@acme.example"}, {"name": "Charles Babbage"}]


class Guests:
    """One consumer that comes, and the provider's people who let it in."""

    def __init__(self, cast: Cast, show: Show, consumer: Consumer) -> None:
        self.cast, self.show, self.consumer = cast, show, consumer

    def offer(self) -> str:
        """The id of the item, once the consumer has it active."""
        with self.show.step("exchange_admin", f"writes an item by hand, the {NAME}") as step:
            identity = self._find() or self._write()
            until(lambda: self._has(identity), f"the {NAME} at {self.consumer.company}")
            self.consumer.client.post(f"/catalog-items/{identity}/activate")
            step.says("two questions, and a table of guests")
        return identity

    def visit(self, item_id: str) -> None:
        """Return when the consumer sees that its request is closed."""
        asked = {"catalog_item_id": item_id, "requested_by": {"name": self.consumer.person}}
        answers = {"characteristics": {"day": "2026-12-01"}, "sets": {"guests": GUESTS}}
        with self.show.step(self.consumer.company, "leaves out who comes") as step:
            try:
                self.consumer.client.post("/requests", asked | answers | {"sets": {"guests": [{"email": "x"}]}})
            except ApiProblem as refused:
                step.says(" · ".join(error["message"] for error in refused.errors))
        with self.show.step(self.consumer.company, f"asks for a visit of {len(GUESTS)}") as step:
            request = self.consumer.client.post("/requests", asked | answers)
            path, number = f"/requests/{request['id']}", request["number"]
            until(lambda: self.consumer.client.get(path)["state"] == "received", "the received request")
            step.says(f"{number}, without an order")
        with self.show.step("fulfilment_agent", f"solves {number}"):
            case = f"/cases/{segment(number)}"
            self.cast.fulfilment_agent.post(f"{case}/take")
            self.cast.fulfilment_agent.post(
                f"{case}/solution", {"code": "solved", "text": "They are expected at gate 2."}
            )
            until(lambda: self.consumer.client.get(path)["state"] == "resolved", "the solution")
        with self.show.step(self.consumer.company, "accepts it") as step:
            answer = {"answer": "accept", "reason": "", "answered_by": self.consumer.person}
            self.consumer.client.post(f"{path}/answer", answer)
            until(lambda: self.consumer.client.get(path)["state"] == "closed", "the closed request")
            step.says(f"{number} is closed")

    def _find(self) -> str | None:
        """The one of a former pass."""
        items = self.cast.exchange_admin.pages("/remote-record-producers")
        return next((str(one["identity"]) for one in items if (one["name"], one["state"]) == (NAME, "published")), None)

    def _write(self) -> str:
        admin = self.cast.exchange_admin
        identity = str(admin.post("/remote-record-producers", {"name": NAME, "form": FORM})["identity"])
        admin.post(f"/remote-record-producers/{identity}/publish", {"criteria": {"all_consumers": True}})
        return identity

    def _has(self, identity: str) -> bool:
        return any(item["id"] == identity for item in self.consumer.client.pages("/catalog-items"))
