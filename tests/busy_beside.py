"""What stands beside orders in busy instances: see `tests/busy.py`. Much of each kind, and what is newest is alike."""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy.orm import Session

from bridge.database import Database
from consumer_sim.models_personas import Persona
from consumer_sim.services import authorised_users as named_users
from consumer_sim.services import groups, item_settings, tickets
from consumer_sim.services import users as consumer_users
from consumer_sim.services.requests import submit_request
from provider.models.catalog import RemoteRecordProducer
from provider.services import cases
from provider.services import users as provider_users
from provider.services.authorised_users import take_authorised_user
from provider.services.choice_definitions import replace_rows
from provider.services.incidents import open_incident
from provider.services.intake import submit_provider_task
from provider.services.revisions import checkout_producer
from provider.services.scratchpads import write_entry
from tests.case_factories import FORM, fault_report, make_authored_item
from tests.case_worlds import RESOLUTION, case_changed
from tests.choice_factories import make_definition as make_choices
from tests.consumer_factories import ANSWERS, ASKED_BY, Consumer
from tests.consumer_factories import make_item as make_offered_item
from tests.contract_factories import make_contract
from tests.factories import AGENT, NOW
from tests.persona_factories import make_persona, told_user
from tests.remote_worlds import make_definition, make_told_definition, tie, told_task

QUESTIONS = 40
"""Of the item that is written by hand."""
TABLE = {"key": "rows", "label": "Rows", "description": "", "many": True, "min_rows": 0, "max_rows": 9}
AFTER_ORDERS = 5_000_000
"""Numbers of requests without an order begin here."""
AT_ONCE = 100
FEWER = 5
"""There is one contract, user and persona for so many cases."""


def stand_beside_orders(database: Database, consumers: Sequence[tuple[str, str]], count: int) -> None:
    """`consumers` are prefix and connection; of cases and incidents there are `count`, of people fewer."""
    with database.transaction() as session:
        ids = [connection_id for _, connection_id in consumers]
        item = make_authored_item(session, *ids, name="A fault to report")
        variable = FORM["variables"][0]
        variables = [{**variable, "key": f"q{n}", "mandatory": False} for n in range(QUESTIONS)]
        item.form = {**FORM, "variables": variables, "sets": [{**TABLE, "variables": variables}]}
        checkout_producer(session, item.identity, AGENT, NOW)
        persona = make_persona(session, "Buyer").id
        badge = make_authored_item(session, *ids, name="Badge")
        badge.persona_ids = [persona]
        definition = make_definition(session, "Incidents")
        make_definition(session, "Draft", published=False)
    for start in range(0, count, AT_ONCE):
        with database.transaction() as session:
            for number in range(start, min(start + AT_ONCE, count)):
                prefix, connection_id = consumers[number % len(consumers)]
                _case(session, item, number, prefix, connection_id)
                tie(session, connection_id, told_task(definition, number + 1, prefix))
                open_incident(session, {"short_description": f"Fault {number}"}, actor=AGENT, now=NOW)
    with database.transaction() as session:
        for number in range(max(2, count // FEWER)):
            _, connection_id = consumers[number % len(consumers)]
            _people(session, number, connection_id, persona)
        make_choices(session)
        rows = [{"value": f"v{n}", "display": f"Value {n}", "city": "Berlin"} for n in range(count)]
        replace_rows(session, "data-centres", rows, AGENT, NOW)


def _case(session: Session, item: RemoteRecordProducer, number: int, prefix: str, connection_id: str) -> None:
    task_number = f"{prefix}-PT{AFTER_ORDERS + number:07d}"
    asked = fault_report(item, characteristics={"q0": "No light"}) | {"number": task_number}
    submit_provider_task(session, connection_id, asked, now=NOW)
    if number % 2:
        cases.take_case(session, task_number, actor=AGENT, now=NOW)
        write_entry(session, task_number, "carrier", "UPS", client_visible=True, author="ann", now=NOW)
    else:
        said = {"short_description": f"Works on line {number}", "description": "", "priority": "low"}
        cases.open_case(session, connection_id, **said, actor=AGENT, now=NOW)


def _people(session: Session, number: int, connection_id: str, persona: str) -> None:
    """A contract, a user, a persona that nothing asks for, and a user of the consumer who holds the other one."""
    make_contract(session, connection_id, name=f"Contract {number}", is_active=False)
    make_persona(session, f"Persona {number}")
    take_authorised_user(session, connection_id, told_user([persona], name=f"User {number}"), now=NOW)
    provider_users.add_user(session, f"user-{number}", ["viewer"], actor="system", now=NOW)


def stand_beside_requests(one: Consumer, count: int) -> None:
    """What a consumer has of these: of cases and tickets there are `count`, of people fewer."""
    for start in range(0, count, AT_ONCE):
        ids = {number: str(uuid4()) for number in range(start, min(start + AT_ONCE, count))}
        one.verdicts([_told_case(task_id, number) for number, task_id in ids.items()])
        with one.context.database.transaction() as session:
            definition = make_told_definition(session, one, f"Incidents {start}")
            for number in ids:
                ticket = tickets.open_ticket(session, {"short_description": f"{number}"}, opened_by="Ada", now=NOW)
                tickets.tie_ticket(session, ticket, definition, opened_by="Ada", now=NOW)
    with one.context.database.transaction() as session:
        persona = Persona(
            connection_id=one.connection_id, id=str(uuid4()), name="Buyer", description="", updated_at=NOW
        )  # fmt: skip
        session.add(persona)
        session.flush()
        members = [_member(session, one, number, persona.id) for number in range(max(2, count // FEWER))]
        for number in range(2):
            group = groups.create_group(session, f"Group {number}", now=NOW).id
            groups.set_members(session, group, members, now=NOW)
        item = make_offered_item(session, one.connection_id, name="Approved line")
        item_settings.set_approval(session, item, needs_approval=True, approver=None, above_quantity=None, now=NOW)
        for _ in range(max(2, count // FEWER)):
            submit_request(session, item, ANSWERS, ASKED_BY, now=NOW)


def _told_case(task_id: str, number: int) -> str:
    """Every second one the provider opened; the others wait with a solution."""
    if number % 2:
        return case_changed(task_id, 1, opened_by="provider", number=f"PT{number:07d}")
    return case_changed(task_id, 1, state="resolved", resolution=RESOLUTION)


def _member(session: Session, one: Consumer, number: int, persona_id: str) -> str:
    user = consumer_users.add_user(session, f"user-{number}", ["requester"]).id
    session.flush()
    named_users.name_user(session, one.connection_id, user, [persona_id], now=NOW)
    return user
