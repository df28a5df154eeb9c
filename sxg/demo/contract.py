"""A contract is signed, and what it is about can be ordered from then on."""

from typing import Any

from sxg.client import segment
from sxg.demo import answers
from sxg.demo.cast import Cast, Consumer, until
from sxg.demo.show import Show

Document = dict[str, Any]

_NAME = "SD-WAN framework"
_FIRST_DAY = "2026-01-01"


class Agreement:
    """With one consumer that may not order the SD-WAN package yet."""

    def __init__(self, cast: Cast, show: Show, consumer: Consumer) -> None:
        self.cast, self.show, self.consumer = cast, show, consumer

    def is_signed(self) -> bool:
        """In a former pass."""
        return any(one["name"] == _NAME for one in self.cast.order_manager.pages("/contracts", state="active"))

    def sign(self) -> None:
        """Return when the consumer has the item."""
        admin = self.cast.exchange_admin
        with self.show.step("exchange_admin", f"opens the {answers.SD_WAN} to whoever has a contract") as step:
            whom = [{"connection_ids": [self.cast.acme.connection_id]}, {"contracts": {"names": [_NAME]}}]
            admin.post(f"/remote-record-producers/{self._item_id()}/publish", {"criteria": {"any": whom}})
            step.says(f"{self.consumer.company} has none: {self._reason()}")
        with self.show.step("order_manager", f"signs the {_NAME} with {self.consumer.company}") as step:
            terms = {"name": _NAME, "connection_id": self.consumer.connection_id, "starts_on": _FIRST_DAY}
            contract = self.cast.order_manager.post("/contracts", terms)
            self.cast.order_manager.post(f"/contracts/{segment(contract['number'])}/activate")
            step.says(f"{contract['number']} is in force")
        with self.show.step(self.consumer.company, f"receives the {answers.SD_WAN} by itself") as step:
            until(self._has_item, f"the {answers.SD_WAN} at {self.consumer.company}")
            step.says(self._answer())

    def _item_id(self) -> str:
        items = self.cast.exchange_admin.pages("/remote-record-producers")
        return next(str(one["identity"]) for one in items if one["name"] == answers.SD_WAN)

    def _explained(self) -> Document:
        asked = {"consumer": self.consumer.connection_id, "item": self._item_id()}
        told: Document = self.cast.exchange_admin.get("/entitlements/explain", **asked)
        return told

    def _answer(self) -> str:
        return str(self._explained()["answer"])

    def _reason(self) -> str:
        """What was looked at for the last condition, that on contracts."""
        return str(self._explained()["criteria"][-1]["looked_at"])

    def _has_item(self) -> bool:
        return any(item["name"] == answers.SD_WAN for item in self.consumer.client.pages("/catalog-items"))
