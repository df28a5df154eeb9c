"""A request that needs no order: an item written by hand, for those who may ask for it, decided on at home, solved."""

from collections.abc import Mapping, Sequence
from typing import Any

from sxg.client import ApiProblem, segment
from sxg.demo.cast import APPROVER, Cast, Consumer, until
from sxg.demo.show import Show
from sxg.failures import CommandFailed

Document = dict[str, Any]

NAME = "Visit of the data centre"
PERSONA = "Host of visitors"
CENTRES = "data-centres"
_LIST: Document = {
    "name": CENTRES, "source": "list", "description": "Where visitors can go", "columns": ["city"],
    "display_field": "display", "info_fields": ["city"],
}  # fmt: skip
_ROWS = [
    {"value": "ber1", "display": "Berlin One", "city": "Berlin"},
    {"value": "fra1", "display": "Frankfurt One", "city": "Frankfurt"},
    {"value": "fra2", "display": "Frankfurt Two", "city": "Frankfurt"},
]
FORM: Document = {
    "variables": [
        {
            "key": "centre", "label": "Data centre", "type": "reference", "mandatory": True,
            "choice": {"definition": CENTRES},
        },
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
ANSWERS: Document = {"day": "2026-12-01", "centre": {"value": "ber1", "display": "Berlin One"}}
GUESTS = [{"name": "Ada Lovelace", "email": "ada@acme.example"}, {"name": "Charles Babbage"}]


class Guests:
    """One consumer that comes, and the provider's people who let it in. What a former pass has made stays."""

    def __init__(self, cast: Cast, show: Show, consumer: Consumer) -> None:
        self.cast, self.show, self.consumer = cast, show, consumer
        self.item_id = ""
        self.persona_id = ""

    def offer(self) -> None:
        """Return when the consumer has the item active, and asks its own people before it sends a request."""
        admin, ours = self.cast.exchange_admin, self.consumer.client
        with self.show.step("exchange_admin", f"writes an item by hand, the {NAME}") as step:
            self.persona_id = self._persona()
            self.item_id = self._find() or self._write()
            rules = {"approval": "by_person", "limit": 5}
            admin.put(f"/connections/{self.consumer.connection_id}/authorised-user-rules", rules)
            until(self._has_item, f"the {NAME} at {self.consumer.company}")
            step.says(f"three questions and a table of guests, only for a {PERSONA}")
        with self.show.step(self.consumer.company, "activates it") as step:
            ours.post(f"/catalog-items/{self.item_id}/activate")
            rule = {"needs_approval": True, "approver": APPROVER}
            ours.put(f"/catalog-items/{self.item_id}/settings/approval", rule)
            step.says(f"and {APPROVER} has to agree before anything is sent")

    def name_host(self) -> None:
        """Whoever may not ask is refused, named here, approved there, and may."""
        if self._host():
            return
        with self.show.step(self.consumer.company, f"{self.consumer.person} wants to ask for it") as step:
            step.says(str(self._refused(self._answers(GUESTS), "not_authorised").detail))
        with self.show.step(self.consumer.company, f"names {self.consumer.person} as {PERSONA}") as step:
            named = {"name": self.consumer.person, "persona_ids": [self.persona_id]}
            user = self.consumer.client.post(
                "/authorised-users", {"connection_id": self.consumer.connection_id, **named}
            )
            until(lambda: self._host()["sent"] == "accepted", "the named user at the provider")
            step.says("the provider has to approve that")
        with self.show.step("exchange_admin", f"approves {self.consumer.person}"):
            path = f"/connections/{self.consumer.connection_id}/authorised-users/{user['id']}"
            self.cast.exchange_admin.post(f"{path}/approve")
            until(lambda: self._host()["approval"] == "approved", "the approval at the consumer")

    def visit(self) -> None:
        """Return when the consumer sees that its request is closed."""
        self._choose("berl")
        with self.show.step(self.consumer.company, "leaves out who comes") as step:
            wrong = self._refused(self._answers([{"email": "x"}]), "invalid_fields")
            step.says(" · ".join(error["message"] for error in wrong.errors))
        with self.show.step(self.consumer.company, f"asks for a visit of {len(GUESTS)}") as step:
            request = self._ask(self._answers(GUESTS))
            path, number = f"/requests/{request['id']}", request["number"]
            step.says(f"{number} waits for {APPROVER}, and nothing is sent")
        with self.show.step(self.consumer.company, f"{APPROVER} agrees") as step:
            self.consumer.client.post(f"{path}/approval/approve", {"decided_by": APPROVER})
            until(lambda: self.consumer.client.get(path)["state"] == "received", "the received request")
            step.says(f"the provider has {number}, without an order")
        with self.show.step("fulfilment_agent", f"solves {number}") as step:
            step.says(self._solve(path, number))
        with self.show.step(self.consumer.company, "accepts it") as step:
            answer = {"answer": "accept", "reason": "", "answered_by": self.consumer.person}
            self.consumer.client.post(f"{path}/answer", answer)
            until(lambda: self.consumer.client.get(path)["state"] == "closed", "the closed request")
            step.says(f"{number} is closed")

    def _choose(self, typed: str) -> None:
        """What the provider has for it just now, and whether that is what is asked for."""
        with self.show.step(self.consumer.company, f"types {typed!r} where a data centre is asked for") as step:
            path = f"/catalog-items/{self.item_id}/choices"
            [found] = self.consumer.client.get(path, variable="/characteristics/centre", search=typed)["items"]
            if found["value"] != ANSWERS["centre"]["value"]:
                raise CommandFailed(f"{typed} leads to {found}")
            step.says(f"the provider has {found['display']} ({found['info']})")

    def _solve(self, path: str, number: str) -> str:
        case, text = f"/cases/{segment(number)}", "They are expected at gate 2."
        self.cast.fulfilment_agent.post(f"{case}/take")
        self.cast.fulfilment_agent.post(f"{case}/solution", {"code": "solved", "text": text})
        until(lambda: self.consumer.client.get(path)["state"] == "resolved", "the solution")
        return f'"{text}"'

    def _ask(self, answers: Mapping[str, Any]) -> Document:
        asked = {"catalog_item_id": self.item_id, "requested_by": {"name": self.consumer.person}}
        request: Document = self.consumer.client.post("/requests", asked | dict(answers))
        return request

    def _answers(self, guests: Sequence[Document]) -> Document:
        return {"characteristics": ANSWERS, "sets": {"guests": guests}}

    def _refused(self, answers: Mapping[str, Any], code: str) -> ApiProblem:
        try:
            self._ask(answers)
        except ApiProblem as refused:
            if refused.code == code:
                return refused
            raise
        raise CommandFailed(f"the {NAME} was asked for, and should have been refused")

    def _host(self) -> Document:
        """As the consumer has the user who may ask; empty unless one is named."""
        users = self.consumer.client.get("/authorised-users", connection=self.consumer.connection_id)["items"]
        return next((one for one in users if one["name"] == self.consumer.person), {})

    def _persona(self) -> str:
        admin = self.cast.exchange_admin
        found = next((str(one["id"]) for one in admin.pages("/personas") if one["name"] == PERSONA), None)
        return found or str(admin.post("/personas", {"name": PERSONA, "description": "Answers for guests."})["id"])

    def _find(self) -> str | None:
        items = self.cast.exchange_admin.pages("/remote-record-producers")
        return next((str(one["identity"]) for one in items if (one["name"], one["state"]) == (NAME, "published")), None)

    def _write(self) -> str:
        admin = self.cast.exchange_admin
        admin.post("/choice-definitions", _LIST)
        admin.put(f"/choice-definitions/{CENTRES}/rows", {"rows": _ROWS})
        identity = str(admin.post("/remote-record-producers", {"name": NAME, "form": FORM})["identity"])
        path = f"/remote-record-producers/{identity}"
        admin.post(f"{path}/personas", {"persona_ids": [self.persona_id]})
        admin.post(f"{path}/publish", {"criteria": {"all_consumers": True}})
        return identity

    def _has_item(self) -> bool:
        return any(item["id"] == self.item_id for item in self.consumer.client.pages("/catalog-items"))
