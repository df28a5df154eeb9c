"""The pages where people of a consumer approve requests, ask questions of their own, and name who may order what."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from consumer_sim.models import CatalogItem, ProviderTask
from consumer_sim.models_personas import AuthorisedUser, Persona
from consumer_sim.services import authorised_users, item_settings, requests
from tests.api.page_client import CountedStatements, Visitor, add_person, signed_in, text_of
from tests.consumer_factories import ANSWERS, FORM, NOW, Consumer, connected_consumer, make_item, rows

BUYER = str(uuid4())
ORDERED = {"/characteristics/bandwidth": "100", "/quantity": "1", "do": "send"}


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        with one.context.database.transaction() as session:
            make_item(session, one.connection_id)
        yield one


def item_of(acme: Consumer) -> CatalogItem:
    item: CatalogItem = rows(acme, CatalogItem)[0]
    return item


def settings_url(acme: Consumer) -> str:
    return f"/items/{acme.connection_id}/{item_of(acme).id}/settings"


def order_url(acme: Consumer) -> str:
    return f"/catalog/{acme.connection_id}/{item_of(acme).id}/order?draft={uuid4()}"


def ask_for_persona(acme: Consumer) -> None:
    told = [{"persona_id": BUYER, "name": "Buyer", "description": ""}]
    with acme.context.database.transaction() as session:
        item = session.get_one(CatalogItem, (acme.connection_id, item_of(acme).id))
        item.personas = item.active_personas = told
        session.add(Persona(connection_id=acme.connection_id, id=BUYER, name="Buyer", description="", updated_at=NOW))


def need_approval(acme: Consumer, **settings: Any) -> None:
    whole: Any = {"needs_approval": True, "approver": None, "above_quantity": None, **settings}
    with acme.context.database.transaction() as session:
        item = session.get_one(CatalogItem, (acme.connection_id, item_of(acme).id))
        item_settings.set_approval(session, item, **whole, now=NOW)


def ask(acme: Consumer, name: str = "ada") -> ProviderTask:
    with acme.context.database.transaction() as session:
        item = session.get_one(CatalogItem, (acme.connection_id, item_of(acme).id))
        return requests.submit_request(session, item, ANSWERS, {"name": name}, now=NOW)


def request_url(task: ProviderTask) -> str:
    return f"/requests/{task.connection_id}/{task.id}"


# --- approval


def test_an_approver_finds_what_waits_and_sends_it_by_a_button(acme: Consumer) -> None:
    need_approval(acme)
    task, grace = ask(acme), signed_in(acme.app, "grace", "approver")
    assert "Request to approve" in text_of(grace.read("/"))
    listed = grace.read("/approvals")
    assert "ada" in text_of(listed)
    page = grace.read(listed.xpath("//main//td//a/@href")[0])
    assert "waits for approval" in text_of(page)
    assert page.xpath("//form[contains(@action, '/approve')]//button/text()") == ["Approve and send"]
    for _ in range(2):
        assert grace.post(f"{request_url(task)}/approval/approve").status_code == 303
    assert "Approved here by grace" in text_of(grace.read(request_url(task)))
    assert "Nothing waits for you" in text_of(grace.read("/approvals"))
    assert [row.approval for row in rows(acme, ProviderTask)] == ["approved"]


def test_a_rejection_needs_a_reason_which_the_requester_reads(acme: Consumer) -> None:
    need_approval(acme)
    task, grace = ask(acme), signed_in(acme.app, "grace", "approver")
    grace.read(f"{request_url(task)}/approval/reject")
    answer = grace.post(f"{request_url(task)}/approval/reject", {"reason": " "})
    assert (answer.status_code, "Say why" in grace.page) == (422, True)
    assert grace.post(f"{request_url(task)}/approval/reject", {"reason": "Too <b>dear</b>."}).status_code == 303
    ada = signed_in(acme.app, "ada", "requester")
    text = text_of(ada.read(request_url(task)))
    assert "grace did not approve it. Too <b>dear</b>." in text and "Not approved" in text
    assert "Not approved" in text_of(ada.read("/requests?state=not_approved"))


def test_a_requester_sees_that_it_waits_and_withdraws_it(acme: Consumer) -> None:
    need_approval(acme)
    ada = signed_in(acme.app, "ada", "requester")
    url = order_url(acme)
    ada.read(url)
    sent = ada.post(url, ORDERED)
    page = ada.read(sent.headers["Location"])
    text = text_of(page)
    assert "It waits for approval before it is sent." in text
    assert "by somebody here who may approve" in text
    assert not page.xpath("//form[contains(@action, '/approve')]")
    (task,) = rows(acme, ProviderTask)
    assert ada.post(f"{request_url(task)}/approval/approve").status_code == 403
    ada.read(f"{request_url(task)}/cancel")
    assert ada.post(f"{request_url(task)}/cancel", {"reason": ""}).status_code == 303
    assert [row.submission for row in rows(acme, ProviderTask)] == ["withdrawn"]


def test_nobody_is_shown_the_button_for_a_request_of_their_own(acme: Consumer) -> None:
    need_approval(acme)
    task, root = ask(acme, "root"), signed_in(acme.app, "root", "admin")
    assert not root.read(request_url(task)).xpath("//form[contains(@action, '/approve')]")
    root.post(f"{request_url(task)}/approval/approve")
    assert "is your own" in text_of(root.read(request_url(task)))


def test_the_list_of_approvals_costs_as_much_for_many_as_for_one(acme: Consumer) -> None:
    need_approval(acme)
    ask(acme)
    grace, counts = signed_in(acme.app, "grace", "approver"), []
    for more in (0, 5):
        for _ in range(more):
            ask(acme)
        with CountedStatements(acme.app) as counted:
            grace.read("/approvals")
        counts.append(counted.count)
    assert counts[0] == counts[1]


# --- settings of an item


def test_an_admin_decides_who_approves_and_above_which_quantity(acme: Consumer) -> None:
    add_person(acme.app, "grace", "approver")
    admin = signed_in(acme.app, "admin", "admin")
    items = admin.read("/items")
    assert settings_url(acme) in items.xpath("//a/@href")
    admin.read(settings_url(acme))
    wrong = admin.post(settings_url(acme), {"needs_approval": "yes", "approver": "nobody", "above_quantity": "x"})
    assert wrong.status_code == 422
    assert admin.post(settings_url(acme), {"needs_approval": "yes", "approver": "nobody"}).status_code == 422
    assert "Nobody is nobody who may approve requests" in admin.page
    chosen = {"needs_approval": "yes", "approver": "grace", "above_quantity": "3"}
    assert admin.post(settings_url(acme), chosen).status_code == 303
    page = admin.read(settings_url(acme))
    assert page.xpath("//option[@selected]/text()")[0] == "grace"
    assert page.xpath("//input[@name='above_quantity']/@value") == ["3"]


def test_our_own_questions_stand_apart_on_the_form_and_their_answers_on_the_request(acme: Consumer) -> None:
    admin = signed_in(acme.app, "admin", "admin")
    admin.read(settings_url(acme))
    questions = f"{settings_url(acme)}/questions"
    assert admin.post(questions, {"label": "", "type": "text"}).status_code == 422
    assert admin.post(questions, {"label": "Site", "type": "choice", "options": " "}).status_code == 422
    assert "Name at least one option" in admin.page
    for said in (
        {"label": "Cost centre", "type": "text", "mandatory": "y", "description": "Ask your manager."},
        {"label": "Cost centre", "type": "choice", "options": "Sales\nSupport"},
    ):
        assert admin.post(questions, said).status_code == 303
    url = order_url(acme)
    form = admin.read(url)
    (apart,) = form.xpath("//fieldset[legend='For ourselves']")
    assert apart.xpath(".//@name") == ["/own/cost_centre", "/own/cost_centre_2"]
    ids = form.xpath("//form//@id")
    assert len(ids) == len(set(ids))
    refused = admin.post(url, ORDERED | {"/own/cost_centre": "", "/own/cost_centre_2": "Support"})
    assert (refused.status_code, "Cost centre must be answered" in admin.page) == (422, True)
    assert "selected>Support" in admin.page
    checked = admin.post(url.replace("/order?", "/order/check?"), {"/own/cost_centre": ""}).get_json()
    assert "/own/cost_centre" in checked["errors"] and "/characteristics/bandwidth" in checked["errors"]
    sent = admin.post(url, ORDERED | {"/own/cost_centre": "4711", "/own/cost_centre_2": "Support"})
    text = text_of(admin.read(sent.headers["Location"]))
    assert "For ourselves Cost centre4711 Cost centreSupport" in text
    assert admin.post(f"{questions}/cost_centre/remove").status_code == 303
    assert "cost_centre4711" in text_of(admin.read(sent.headers["Location"]))
    (task,) = rows(acme, ProviderTask)
    assert "4711" not in str(task.request)


# --- who may order what


def test_whoever_holds_no_persona_neither_sees_the_item_nor_opens_its_form(acme: Consumer) -> None:
    ask_for_persona(acme)
    ada = signed_in(acme.app, "ada", "requester")
    assert "Broadband" not in text_of(ada.read("/catalog"))
    answer = ada.get(order_url(acme))
    assert (answer.status_code, "active, approved, and Buyer" in ada.page) == (403, True)
    assert ada.post(order_url(acme), ORDERED).status_code == 403
    assert rows(acme, ProviderTask) == []


def test_an_admin_names_a_user_and_lets_them_order_or_not(acme: Consumer) -> None:
    ask_for_persona(acme)
    add_person(acme.app, "ada", "requester")
    admin = signed_in(acme.app, "admin", "admin")
    url = f"/connections/{acme.callback_id}/authorised-users"
    assert url in admin.read(f"/connections/{acme.callback_id}").xpath("//a/@href")
    page = admin.read(url)
    ada_id = page.xpath("//option[text()='ada']/@value")[0]
    assert admin.post(f"{url}/name", {"user_id": ada_id}).status_code == 422
    assert "Choose at least one persona" in admin.page
    assert admin.post(f"{url}/name", {"user_id": "x", "persona_ids": "y"}).status_code == 422
    assert admin.post(f"{url}/name", {"user_id": ada_id, "persona_ids": BUYER}).status_code == 303
    assert "Buyer (not approved)" in text_of(admin.read(url))
    (row,) = rows(acme, AuthorisedUser)
    with acme.context.database.transaction() as session:
        user = authorised_users.get_user(session, acme.connection_id, row.id, lock=True)
        user.approval, user.approved_persona_ids, user.sent = "approved", [BUYER], "accepted"
    assert "(not approved)" not in text_of(admin.read(url))
    ada = Visitor(acme.app)
    ada.get("/sign-in")
    ada.post("/sign-in", {"name": "ada", "password": "correct horse battery"})
    assert "Broadband" in text_of(ada.read("/catalog"))
    assert admin.post(f"{url}/{row.id}/deactivate").status_code == 303
    assert "Broadband" not in text_of(ada.read("/catalog"))
    assert "Activate" in text_of(admin.read(url))


def test_an_admin_gives_a_group_what_its_members_hold(acme: Consumer) -> None:
    ask_for_persona(acme)
    add_person(acme.app, "ada", "requester")
    admin = signed_in(acme.app, "admin", "admin")
    admin.read("/groups")
    made = admin.post("/groups", {"name": "Field service"})
    group = made.headers["Location"]
    page = admin.read(group)
    ada_id = page.xpath("//label[normalize-space()='ada']/@for")[0]
    ada_id = page.xpath(f"//input[@id='{ada_id}']/@value")[0]
    assert admin.post(f"{group}/members", {"user_ids": "x"}).status_code == 422
    assert admin.post(f"{group}/members", {"user_ids": ada_id}).status_code == 303
    assert admin.post(f"{group}/personas/{acme.connection_id}", {"persona_ids": str(uuid4())}).status_code == 422
    assert admin.post(f"{group}/personas/{acme.connection_id}", {"persona_ids": BUYER}).status_code == 303
    assert [row.told["groups"] for row in rows(acme, AuthorisedUser)] == [["Field service"]]
    admin.read("/groups")
    assert admin.post("/groups", {"name": "Field service"}).status_code == 422
    assert "There is a group Field service already" in admin.page
    assert admin.post(f"{group}/delete").status_code == 303
    assert [row.told["active"] for row in rows(acme, AuthorisedUser)] == [False]


@pytest.mark.parametrize("role", ["requester", "approver", "viewer"])
def test_only_admins_change_settings_users_and_groups(acme: Consumer, role: str) -> None:
    person = signed_in(acme.app, "somebody", role)
    for url in (settings_url(acme), "/groups"):
        assert person.get(url).status_code == 403, url
    assert person.get("/approvals").status_code == (200 if role == "approver" else 403)
    assert person.post(f"/connections/{acme.callback_id}/authorised-users/name").status_code == 403
    assert FORM["variables"]
