"""A ticket of a consumer is tied to an incident of the provider: both sides work on one trouble, each in its record."""

from collections.abc import Mapping
from typing import Any

from sxg.client import segment
from sxg.demo.cast import Cast, Consumer, until
from sxg.demo.show import Show

Document = dict[str, Any]

_NAME = "Incidents of our lines"
_LINES = [
    {"source": name, "target": name} for name in ("short_description", "state", "priority", "comments")
]  # the same names on both sides; the words differ, and are translated


class Trouble:
    """One consumer whose line is down, and the provider's people."""

    def __init__(self, cast: Cast, show: Show, consumer: Consumer) -> None:
        self.cast, self.show, self.consumer = cast, show, consumer
        self.path = ""
        self.incident = ""

    def share(self) -> None:
        """Agree once on which fields follow each other, and on which tickets are handed over by themselves."""
        admin, ours = self.cast.exchange_admin, self.consumer.client
        if any(one["name"] == _NAME for one in admin.pages("/remote-task-definitions")):
            return
        with self.show.step("exchange_admin", "ties tickets of consumers to incidents") as step:
            made = admin.post("/remote-task-definitions", {"name": _NAME, "inbound": _LINES, "outbound": _LINES})
            path = f"/remote-task-definitions/{made['identity']}"
            admin.post(f"{path}/publish", {"criteria": {"connection_ids": [self.consumer.connection_id]}})
            until(lambda: list(ours.pages("/remote-task-definitions")), f"the definition at {self.consumer.company}")
            ours.post(f"{path}/activate", {"trigger": {"priority": "critical"}})
            step.says(f"{self.consumer.company} hands over what is critical")

    def report(self, what: str) -> None:
        """A ticket, until the incident that it is tied to has it all."""
        with self.show.step(self.consumer.company, f"opens a critical ticket: {what}") as step:
            said = {"short_description": what, "priority": "critical", "opened_by": self.consumer.person}
            ticket = self.consumer.client.post("/tickets", said)
            self.path = f"/tickets/{ticket['id']}"
            tied = until(self._tied, "the incident behind the ticket")
            self.incident = f"/incidents/{segment(tied['parent_number'])}"
            found = self.cast.fulfilment_agent.get(self.incident)
            step.says(f"{ticket['number']} is {found['number']}, of priority {found['priority']} there")

    def work(self, state: str, text: str, shown: str, **said: str) -> None:
        """The provider's side moves on and says why; until the consumer's ticket says both, in its own words."""
        number = self.incident.rpartition("/")[2]
        with self.show.step("fulfilment_agent", f"moves {number} to {state!r}") as step:
            self.cast.fulfilment_agent.post(f"{self.incident}/edit", {"state": state, **said})
            self.cast.fulfilment_agent.post(f"{self.incident}/comments", {"text": text})
            ticket = until(lambda: self._when(shown, text), f"the ticket {shown}")
            step.says(f'{ticket["number"]} of {self.consumer.company} is {shown!r}, and reads "{text}"')

    def answer(self, text: str) -> None:
        with self.show.step(self.consumer.company, "answers in its ticket") as step:
            said = {"text": text, "author_name": self.consumer.person}
            self.consumer.client.post(f"{self.path}/entries", said)
            agent = self.cast.fulfilment_agent
            until(lambda: text in _texts(agent.get(self.incident)), "the comment in the incident")
            step.says(f'the incident reads "{text}"')

    def _tied(self) -> Document | None:
        tasks = self.consumer.client.get(self.path)["remote_tasks"]
        return next((one for one in tasks if one["status"] == "connected"), None)

    def _when(self, state: str, text: str) -> Document | None:
        ticket: Document = self.consumer.client.get(self.path)
        return ticket if ticket["state"] == state and text in _texts(ticket) else None


def _texts(record: Mapping[str, Any]) -> list[str]:
    return [entry["text"] for entry in record["entries"]]
