"""One request and the order that is made of it, moved on by whoever's work it is, each step told when it is done."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from bridge.attachments import tell_size
from sxg.client import ApiProblem, segment
from sxg.demo.answers import Answers
from sxg.demo.cast import Cast, Consumer, until
from sxg.demo.show import Show
from sxg.failures import CommandFailed

Document = dict[str, Any]


class Order:
    """Both sides of it. A step returns when the other side has heard of it, except where its name says `unheard`."""

    def __init__(self, cast: Cast, show: Show, consumer: Consumer, what: str) -> None:
        self.cast, self.show, self.consumer = cast, show, consumer
        self.what = what
        """The name of the item."""
        self.request_id = ""
        self.number = ""
        self.request_number = ""

    # --- steps of the consumer

    def submit(self, item_id: str, answers: Answers) -> None:
        quantity, where = answers.get("quantity", 1), answers["location"]["name"]
        with self.show.step(self.consumer.company, f"orders {quantity} x {self.what} for the {where}") as step:
            author = {"name": self.consumer.person, "email": self.consumer.email}
            made = self.consumer.client.post(
                "/requests", {"catalog_item_id": item_id, "requested_by": author, **answers}
            )
            self.request_id, self.request_number = made["id"], made["number"]
            request = until(self._accepted, "the order behind the request")
            self.number = request["order_number"]
            step.says(f"{self.request_number} is {self.number}, shown as {request['state_label']!r}")

    def choose_what_does_not_fit(self, item_id: str, answers: Answers) -> None:
        """The consumer's own form refuses it; nothing is sent."""
        with self.show.step(self.consumer.company, f"chooses of {self.what} what does not go together") as step:
            try:
                self.consumer.client.post(
                    "/requests", {"catalog_item_id": item_id, "requested_by": {"name": self.consumer.person}, **answers}
                )
            except ApiProblem as refused:
                step.says("; ".join(str(error["message"]) for error in refused.errors))
            else:
                raise CommandFailed(f"{self.what} was ordered with choices that do not go together")

    def answer(self, text: str, how: str = "answers") -> None:
        with self.show.step(self.consumer.company, how) as step:
            self._say(text)
            step.says(f'"{text}"')

    def attach(self, name: str, content: bytes) -> None:
        """A file of the consumer, until the provider has it."""
        with self.show.step(self.consumer.company, f"attaches {name}") as step:
            said = urlencode({"name": name, "author_name": self.consumer.person})
            self.consumer.client.upload(f"/requests/{self.request_id}/attachments?{said}", content, "text/plain")
            file = until(lambda: _there(name, self._files()), "the file at the provider")
            step.says(f"{tell_size(file['size_bytes'])}, and the provider has it, as its hash says")

    def attach_ours(self, name: str, content: bytes) -> None:
        """A file of the provider, until the consumer has fetched it and said so."""
        with self.show.step("order_manager", f"attaches {name}") as step:
            self.cast.order_manager.upload(
                self._path(f"attachments?{urlencode({'name': name})}"), content, "text/plain"
            )
            until(lambda: _there(name, self.request()["attachments"]), "the file at the consumer")
            file = until(lambda: _there(name, self._files()), "the consumer's word that it has the file")
            step.says(f"{tell_size(file['size_bytes'])}, and {self.consumer.company} has it")

    def correct(self, answers: Answers, how: str) -> None:
        with self.show.step(self.consumer.company, f"corrects {self.request_number}: {how}") as step:
            self.consumer.client.post(f"/requests/{self.request_id}/correct", answers)
            request = until(lambda: self._when("new"), "the corrected order")
            step.says(
                f"same number, {self.number} in version {request['order_version']}, shown as {request['state_label']!r}"
            )

    def cancel(self, reason: str) -> None:
        with self.show.step(self.consumer.company, f"cancels {self.request_number} before it is approved") as step:
            self.consumer.client.post(f"/requests/{self.request_id}/cancel", {"reason": reason})
            request = until(lambda: self._when("cancelled"), "the cancelled order at the consumer")
            step.says(f"{request['state_label']} at once, nobody had to assess it")

    def cancel_too_late(self, reason: str) -> None:
        with self.show.step(self.consumer.company, f"wants to cancel {self.request_number}") as step:
            self._ask_to_cancel(reason)
            request = until(lambda: self._whose_cancellation_is("refused"), "the refusal at the consumer")
            step.says(f"shown as {request['state_label']!r} still: {request['cancellation']['message']}")

    def ask_to_cancel(self, reason: str) -> None:
        with self.show.step(self.consumer.company, f"wants to cancel {self.request_number}: {reason}") as step:
            self._ask_to_cancel(reason)
            request = until(lambda: self._when("assessing_cancellation"), "the assessment at the consumer")
            step.says(f"shown as {request['state_label']!r}, and the provider has to agree")

    # --- steps of the provider

    def agree_to_cancel(self, message: str) -> None:
        with self.show.step("order_manager", f"agrees to cancel {self.number}") as step:
            self.cast.order_manager.post(self._path("cancellation/approve"), {"message": message})
            request = until(lambda: self._when("cancellation_in_progress"), "the approval at the consumer")
            step.says(f"{self.consumer.company} sees {request['state_label']!r}: {message}")

    def undo(self) -> None:
        """The tasks that take back what was done, then the end as the consumer sees it."""
        self.fulfil_unheard("undoes what was done")
        with self.show.step(self.consumer.company, f"sees {self.request_number}") as step:
            request = until(lambda: self._when("cancelled"), "the cancelled order at the consumer")
            products = until(self._inactive, "the products that were taken back")
            step.says(f"{request['state_label']}, {_count(products)}")

    def work_until(self, last: str) -> None:
        """Complete the order tasks as they open, until that one is done."""
        with self.show.step("fulfilment_agent", f"works on {self.number} until {last!r} is done"):
            done: list[str] = []
            while last not in done:
                task = next(iter(self._open_tasks()), None)
                if task is None:
                    raise CommandFailed(f"there is no task {last} to complete")
                self._complete(task)
                done.append(task["name"])

    def ask(self, text: str) -> None:
        with self.show.step("order_manager", "asks the consumer") as step:
            self.tell(text)
            until(lambda: text in _texts(self.request()), "the comment at the consumer")
            step.says(f'"{text}"')

    def tell(self, text: str) -> None:
        """A comment, whether or not anybody is there to hear it."""
        self.cast.order_manager.post(self._path("comments"), {"text": text})

    def reject(self, reason: str) -> None:
        with self.show.step("order_manager", f"rejects {self.number}") as step:
            self.cast.order_manager.post(self._path("reject"), {"reason": reason})
            request = until(lambda: self._when("rejected"), "the rejection at the consumer")
            step.says(f"{self.consumer.company} sees {request['state_label']!r} and why: {request['reason']}")

    def approve(self) -> None:
        with self.show.step("order_manager", f"approves {self.number}") as step:
            self.approve_unheard()
            request = until(lambda: self._when("in_progress"), "the approval at the consumer")
            products = until(self.products, "the products at the consumer")
            step.says(f"{self.consumer.company} sees {request['state_label']!r} and {_count(products)}")

    def approve_unheard(self) -> None:
        self.cast.order_manager.post(self._path("approve"))

    def fulfil(self) -> None:
        """All order tasks, then the end as the consumer sees it."""
        self.fulfil_unheard()
        with self.show.step(self.consumer.company, f"sees {self.request_number}") as step:
            request = until(lambda: self._when("completed"), "the completed order at the consumer")
            step.says(f"{request['state_label']}, {_count(until(self._active, 'the active products'))}")

    def fulfil_unheard(self, how: str = "completes the order tasks as they open") -> None:
        with self.show.step("fulfilment_agent", how) as step:
            done: list[str] = []
            while tasks := self._open_tasks():
                for task in tasks:
                    step.is_at(task["name"])
                    self._complete(task)
                    done.append(task["name"])
            step.says(f"{len(done)} tasks, from {done[0]!r} to {done[-1]!r}" if done else "none were open")

    # --- looking

    def request(self) -> Document:
        """As the consumer has it."""
        request: Document = self.consumer.client.get(f"/requests/{self.request_id}")
        return request

    def order(self) -> Document:
        """As the provider has it."""
        order: Document = self.cast.order_manager.get(f"/orders/{segment(self.number)}")
        return order

    def products(self) -> list[Document]:
        """Those that the consumer was told of."""
        return [one for one in self.consumer.client.pages("/products") if one["task_id"] == self.request_id]

    def told_in_order(self) -> bool:
        """Whether the consumer was told every state of the provider's history, each once and in its order."""
        states = [row["order_state"] for row in changes(self.request()["timeline"])]
        return states == [move["to_state"] for move in self.order()["timeline"]]

    def show_lines(self) -> None:
        for depth, line in flatten(self.order()["lines"]):
            self.show.detail(f"{'  ' * depth}{line['number']}  {line['quantity']} x {line['name']}")

    def _ask_to_cancel(self, reason: str) -> None:
        body = {"reason": reason, "asked_by": self.consumer.person}
        self.consumer.client.post(f"/requests/{self.request_id}/cancel", body)

    def _complete(self, task: Document) -> None:
        path = f"/order-tasks/{segment(task['number'])}"
        self.cast.fulfilment_agent.post(f"{path}/start")
        self.cast.fulfilment_agent.post(f"{path}/complete")

    def _whose_cancellation_is(self, told: str) -> Document | None:
        request = self.request()
        return request if request["cancellation"]["told"] == told else None

    def _inactive(self) -> list[Document]:
        products = self.products()
        return products if products and all(product["state"] == "inactive" for product in products) else []

    def _say(self, text: str) -> None:
        body = {"text": text, "author_name": self.consumer.person}
        self.consumer.client.post(f"/requests/{self.request_id}/comments", body)
        until(lambda: text in _texts(self.order()), "the comment at the provider")

    def _files(self) -> list[Document]:
        """As the provider has them."""
        files: list[Document] = self.cast.order_manager.get(self._path("attachments"))["items"]
        return files

    def _accepted(self) -> Document | None:
        request = self.request()
        if request["delivery"]["state"] == "refused":
            raise CommandFailed(f"the provider refuses the request: {request['delivery']}")
        return request if request["delivery"]["state"] == "accepted" and request["order_state"] == "new" else None

    def _when(self, order_state: str) -> Document | None:
        request = self.request()
        return request if request["order_state"] == order_state else None

    def _active(self) -> list[Document]:
        products = self.products()
        return products if products and all(product["state"] == "active" for product in products) else []

    def _path(self, action: str) -> str:
        return f"/orders/{segment(self.number)}/{action}"

    def _open_tasks(self) -> list[Document]:
        return list(self.cast.fulfilment_agent.pages("/order-tasks", order=self.number, state="open"))


def changes(timeline: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The steps that changed the order's state. The others tell that the point of no return was reached."""
    return [row for row, former in zip(timeline, [None, *timeline], strict=False) if not is_same_state(row, former)]


def is_same_state(row: Mapping[str, Any], former: Mapping[str, Any] | None) -> bool:
    return former is not None and row["order_state"] == former["order_state"]


def flatten(lines: Sequence[Document], depth: int = 0) -> Sequence[tuple[int, Document]]:
    """A tree of order lines as (depth, line), parents first."""
    found: list[tuple[int, Document]] = []
    for line in lines:
        found.append((depth, line))
        found.extend(flatten(line.get("lines", ()), depth + 1))
    return found


def _there(name: str, files: Sequence[Document]) -> Document | None:
    return next((one for one in files if one["name"] == name and one["state"] == "there"), None)


def _texts(record: Document) -> list[str]:
    return [comment["text"] for comment in record["comments"]]


def _count(products: Sequence[Document]) -> str:
    counts = Counter(product["state_label"] for product in products)
    return ", ".join(f"{count} {'product' if count == 1 else 'products'} {label}" for label, count in counts.items())
