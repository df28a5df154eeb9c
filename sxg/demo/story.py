"""A day between a provider and two companies, hour by hour."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sxg.demo import answers
from sxg.demo.cast import GLOBEX, Cast, Consumer
from sxg.demo.contract import Agreement
from sxg.demo.guests import Guests
from sxg.demo.inventory import Inventory
from sxg.demo.opening import Opening, find_item
from sxg.demo.order import Order
from sxg.demo.outage import Outage
from sxg.demo.show import Show
from sxg.demo.trouble import Trouble
from sxg.deployment import Deployment


class Story:
    """What happened is kept for the tables at the end."""

    def __init__(self, deployment: Deployment, cast: Cast, show: Show) -> None:
        self.cast = cast
        self.show = show
        self.orders: list[Order] = []
        self.outage = Outage(cast, show, deployment.supervisor, cast.globex, f"{GLOBEX}-web")

    def tell(self) -> None:
        """From the catalog to the inventory. Raises ClientError or CommandFailed where it gets stuck."""
        self.open()
        opened_at = datetime.now(UTC)
        self.sell_packages()
        self.sign_a_contract()
        self.reject_and_correct()
        self.work_on_one_trouble()
        self.cancel()
        self.go_on_without_globex(opened_at)
        self.suspend_and_resume()
        self.sell_a_bundle()
        self.let_guests_in()

    def orders_of(self, consumer: Consumer) -> Sequence[Order]:
        return [order for order in self.orders if order.consumer is consumer]

    def open(self) -> None:
        self.show.heading("08:00  The provider opens, and two companies connect")
        opening = Opening(self.cast, self.show)
        opening.import_catalog()
        for consumer in self.cast.consumers:
            opening.connect(consumer)
        opening.activate_as_they_come(self.cast.globex)
        opening.publish()
        opening.receive(self.cast.acme, "to be activated by hand")
        opening.receive(self.cast.globex, "activated as they come")
        opening.activate(self.cast.acme)

    def sell_packages(self) -> None:
        self.show.heading("09:00  ACME orders two SD-WAN packages for Berlin")
        order = self._order(self.cast.acme, answers.SD_WAN, answers.PACKAGES)
        order.show_lines()
        order.ask("Which entrance should the technician use?")
        order.answer("The loading bay, please; ring at gate 2.")
        order.attach("way-to-gate-2.txt", answers.WAY_IN)
        order.attach_ours("visit.txt", answers.VISIT)
        order.approve()
        order.fulfil()

    def sign_a_contract(self) -> None:
        agreement = Agreement(self.cast, self.show, self.cast.globex)
        if not agreement.is_signed():
            self.show.heading("10:00  Globex signs a contract, and sees what it is for")
            agreement.sign()

    def reject_and_correct(self) -> None:
        self.show.heading("11:00  Globex asks for more than there is")
        order = self._order(self.cast.globex, answers.INTERNET, answers.TOO_FAST)
        order.reject("No 10 Gbit/s there")
        order.correct(answers.FAST, "1 Gbit/s will do")
        order.approve()
        order.work_until("Build the fibre access")
        order.cancel_too_late("Another office was chosen")
        order.fulfil()

    def work_on_one_trouble(self) -> None:
        self.show.heading("12:00  A line of Globex is down, and both sides work on it")
        trouble = Trouble(self.cast, self.show, self.cast.globex)
        trouble.share()
        trouble.report("The plant is cut off")
        trouble.work("work_in_progress", "We see it. Is there power at the rack?", "in_progress")
        trouble.answer("There is none. We are ringing the electrician.")
        trouble.work("resolved", "The line is back.", "resolved", resolution="The rack has power again.")

    def cancel(self) -> None:
        self.show.heading("13:00  ACME changes its mind")
        self._order(self.cast.acme, answers.MOBILE, answers.BACKUP).cancel("Ordered twice")
        order = self._order(self.cast.acme, answers.MOBILE, answers.BACKUP)
        order.approve()
        order.work_until("Ship the router with SIM")
        order.ask_to_cancel("The office moves")
        order.agree_to_cancel("Please send the router back.")
        order.undo()

    def go_on_without_globex(self, opened_at: datetime) -> None:
        self.show.heading("14:00  Globex goes offline, and the provider goes on for both")
        switches = self._order(self.cast.globex, answers.SWITCH, answers.SWITCHES)
        self.outage.begin()
        self._work_unheard(switches)
        wireless = self._order(self.cast.acme, answers.WIFI, answers.WIRELESS)
        wireless.approve()
        wireless.fulfil()
        self.outage.show_others(self.cast.acme, since=opened_at)
        self.outage.waits()
        self.show.heading("16:00  Globex is back")
        self.outage.end(switches, "We had no power all afternoon. Is there any news?")
        switches.answer("The rack is free. Thank you for going on without us!")

    def suspend_and_resume(self) -> None:
        self.show.heading("17:00  ACME closes an office, and changes its mind")
        inventory = Inventory(self.cast, self.show, self.cast.acme)
        package = inventory.find_whole(answers.SD_WAN)
        inventory.act(package, "suspend", "We close for the holidays.", "suspended")
        inventory.act(package, "resume", "We stay open after all.", "active")

    def sell_a_bundle(self) -> None:
        self.show.heading("17:30  Globex opens a branch, with one order")
        order = Order(self.cast, self.show, self.cast.globex, answers.BRANCH)
        order.choose_what_does_not_fit(find_item(self.cast.globex, answers.BRANCH)["id"], answers.UNFIT)
        order = self._order(self.cast.globex, answers.BRANCH, answers.BRANCH_SITE)
        order.show_lines()
        order.approve()
        order.fulfil()

    def let_guests_in(self) -> None:
        self.show.heading("17:45  ACME asks for something that needs no order")
        guests = Guests(self.cast, self.show, self.cast.acme)
        guests.offer()
        guests.name_host()
        guests.visit()

    def _work_unheard(self, order: Order) -> None:
        question = "The switches are on their way; is the rack free?"
        with self.show.step("order_manager", f"approves {order.number} and asks, unheard") as step:
            order.approve_unheard()
            order.tell(question)
            step.says(f'"{question}"')
        order.fulfil_unheard()

    def _order(self, consumer: Consumer, what: str, wanted: answers.Answers) -> Order:
        order = Order(self.cast, self.show, consumer, what)
        self.orders.append(order)
        order.submit(find_item(consumer, what)["id"], wanted)
        return order
