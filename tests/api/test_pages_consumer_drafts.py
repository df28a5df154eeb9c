"""Drafts belong to who writes them: orders and corrections are found and continued by their owner, and by admins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from bridge.models import Delivery
from consumer_sim.models import Draft, ProviderTask, User
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.test_pages_consumer_requests import ask, put, url_of
from tests.consumer_factories import Consumer, connected_consumer, make_item, rows

TYPED = {"/characteristics/bandwidth": "200", "/quantity": "1", "/note": "typed"}


@pytest.fixture
def acme(sqlite_url: str, tmp_path: Path) -> Iterator[Consumer]:
    with connected_consumer(sqlite_url, tmp_path) as one:
        yield one


@pytest.fixture
def ada(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "ada", "requester")


@pytest.fixture
def bob(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "bob", "requester")


@pytest.fixture
def boss(acme: Consumer) -> Visitor:
    return signed_in(acme.app, "boss", "admin")


def write_order(one: Consumer, visitor: Visitor, **typed: str) -> str:
    """The address of an order that the visitor has saved as a draft."""
    with one.context.database.transaction() as session:
        item = make_item(session, one.connection_id)
    order = visitor.get(f"/catalog/{item.connection_id}/{item.id}/order").location
    visitor.read(order)
    assert visitor.post(order, {"/quantity": "7", **typed, "do": "save"}).location == "/drafts"
    return str(order)


def send_back(one: Consumer) -> str:
    """The address at which a request that the provider rejected is corrected."""
    task_id = ask(one, submission="accepted", state="awaiting_info", order_state="rejected", reason="No such street.")
    return url_of(one, task_id, "/correct")


def owners(one: Consumer) -> list[str | None]:
    with one.context.database.reading() as session:
        found = session.execute(select(User.name).select_from(Draft).outerjoin(User).order_by(Draft.created_at))
        return [row[0] for row in found]


def listed(visitor: Visitor, url: str = "/drafts") -> list[str]:
    """Where the drafts of a list go on."""
    return [str(link) for link in visitor.read(url).xpath("//main//table/tbody//td[1]//a/@href")]


def note_on(visitor: Visitor, url: str) -> str:
    (note,) = visitor.read(url).xpath("//textarea[@name='/note']")
    return str(note.text or "").strip()


def test_a_draft_is_its_owners_whoever_else_knows_its_address(acme: Consumer, ada: Visitor, bob: Visitor) -> None:
    order = write_order(acme, ada)
    assert (owners(acme), listed(ada), listed(bob)) == (["ada"], [order], [])
    assert bob.get(order).status_code == 404
    for do in ("send", "save", "more", "look"):
        assert bob.post(order, TYPED | {"do": do}).status_code == 404, do
    assert bob.post(order.replace("/order", "/order/check"), TYPED).status_code == 404
    (draft,) = rows(acme, Draft)
    bob.read("/drafts")
    assert bob.post(f"/drafts/{draft.id}/discard").status_code == 404
    assert (draft.answers["quantity"], rows(acme, ProviderTask)) == ("7", [])


def test_an_admin_sees_all_drafts_and_may_go_on_with_them_for_their_owners(
    acme: Consumer, ada: Visitor, boss: Visitor
) -> None:
    order, own = write_order(acme, ada), write_order(acme, boss)
    assert set(listed(boss)) == {order, own}
    assert listed(boss, "/drafts?sort=-owner") == [own, order]
    assert listed(boss, "/drafts?whose=mine") == [own]
    assert "ada" in text_of(boss.read("/drafts"))
    boss.read(order)
    assert boss.post(order, TYPED | {"do": "save"}).status_code == 303
    assert owners(acme) == ["ada", "boss"]
    boss.read(order)
    assert boss.post(order, TYPED | {"do": "send"}).status_code == 303
    (task,) = rows(acme, ProviderTask)
    assert task.request["requested_by"] == {"name": "ada"}


def test_what_programs_write_is_nobodys_and_only_admins_see_it(acme: Consumer, ada: Visitor, boss: Visitor) -> None:
    with acme.context.database.transaction() as session:
        item_id = make_item(session, acme.connection_id).id
    made = acme.client.post("/api/v1/drafts", json={"catalog_item_id": item_id, "requested_by": {"name": "ada"}})
    assert (made.status_code, owners(acme), listed(ada)) == (201, [None], [])
    assert "a program" in text_of(boss.read("/drafts"))


def test_whose_draft_it_is_cannot_be_chosen_by_a_filter(acme: Consumer, ada: Visitor, bob: Visitor) -> None:
    order = write_order(acme, ada)
    assert listed(ada, "/drafts?whose=all") == [order]
    assert listed(bob, "/drafts?whose=all&sort=owner") == []


def test_a_correction_is_saved_for_later_found_continued_and_sent(acme: Consumer, ada: Visitor, bob: Visitor) -> None:
    url = send_back(acme)
    ada.read(url)
    assert ada.post(url, TYPED | {"do": "save"}).location == "/drafts"
    assert "Correction of ACME-PT0000001" in text_of(ada.read("/drafts"))
    (link,) = listed(ada)
    assert note_on(ada, link) == note_on(ada, url) == "typed"
    assert (listed(bob), note_on(bob, url), bob.get(link).status_code) == ([], "", 404)
    ada.read(link)
    assert ada.post(link, TYPED | {"do": "send"}).location == url.removesuffix("/correct")
    (task,) = rows(acme, ProviderTask)
    assert (task.revision, task.resubmission, task.request["note"]) == (2, "waiting", "typed")
    assert rows(acme, Draft) == []


def test_a_correction_is_kept_while_it_is_typed_and_nothing_is_kept_after_it_was_sent(
    acme: Consumer, ada: Visitor
) -> None:
    url = send_back(acme)
    ada.read(url)
    for note in ("so far", "and further"):
        assert ada.post(f"{url}/check", TYPED | {"/note": note}).get_json()["status"] == "Saved as draft."
    (draft,) = rows(acme, Draft)
    assert draft.answers["note"] == "and further"
    sent = len(rows(acme, Delivery))
    assert ada.post(url, TYPED | {"do": "more"}).status_code == 200
    assert ada.post(url, TYPED | {"do": "send"}).status_code == 303
    assert len(rows(acme, Delivery)) == sent + 1
    late = ada.post(f"{url}/check", TYPED).get_json()["status"]
    assert (late, rows(acme, Draft)) == ("It was sent already, or cannot be corrected any more.", [])
    assert ada.post(url, TYPED | {"do": "save"}).location == url.removesuffix("/correct")


def test_each_person_corrects_in_a_draft_of_ones_own_and_an_admin_may_open_any(
    acme: Consumer, ada: Visitor, bob: Visitor, boss: Visitor
) -> None:
    url = send_back(acme)
    for visitor, note in ((ada, "of ada"), (bob, "of bob")):
        visitor.read(url)
        visitor.post(url, TYPED | {"/note": note, "do": "save"})
    assert note_on(boss, url) == ""
    notes = {note_on(boss, link): link for link in listed(boss)}
    assert set(notes) == {"of ada", "of bob"}
    boss.read(notes["of ada"])
    boss.post(notes["of ada"], TYPED | {"/note": "by boss", "do": "save"})
    assert (note_on(ada, url), note_on(bob, url), owners(acme)) == ("by boss", "of bob", ["ada", "bob"])


def test_a_draft_of_another_request_or_of_an_order_is_no_correction_of_this_one(acme: Consumer, ada: Visitor) -> None:
    url, other = send_back(acme), send_back(acme)
    ada.read(other)
    ada.post(other, TYPED | {"do": "save"})
    (correction,) = rows(acme, Draft)
    order = write_order(acme, ada)
    assert ada.get(f"{url}?draft={correction.id}").status_code == 404
    assert ada.get(f"{url}?{order.partition('?')[2]}").status_code == 404
    item = f"/catalog/{acme.connection_id}/{correction.catalog_item_id}/order?draft={correction.id}"
    assert ada.get(item).status_code == 404
    assert ada.get(f"{url}?draft={uuid4()}").status_code == 404


def test_a_correction_that_is_too_late_leads_to_the_request_and_can_be_discarded(acme: Consumer, ada: Visitor) -> None:
    url = send_back(acme)
    ada.read(url)
    ada.post(url, TYPED | {"do": "save"})
    put(acme, rows(acme, ProviderTask)[0].id, order_state="acknowledged", state="received")
    (link,) = listed(ada)
    assert ada.get(link).location == url.removesuffix("/correct")
    page = ada.read("/drafts")
    (discard,) = page.xpath("//main//table//form/@action")
    assert page.xpath("//main//table//button/@aria-label") == ["Discard Broadband (correction of ACME-PT0000001)"]
    assert ada.post(discard).status_code == 303
    assert rows(acme, Draft) == []


def test_a_program_sends_the_correction_that_a_person_saved(acme: Consumer, ada: Visitor) -> None:
    url = send_back(acme)
    ada.read(url)
    ada.post(url, TYPED | {"do": "save"})
    (draft,) = rows(acme, Draft)
    shown = acme.client.get(f"/api/v1/drafts/{draft.id}").get_json()
    assert shown["task_id"] == draft.task_id
    sent = acme.client.post(f"/api/v1/drafts/{draft.id}/submit", json={})
    assert (sent.status_code, sent.get_json()["id"]) == (201, draft.task_id)
    (task,) = rows(acme, ProviderTask)
    assert (task.revision, task.request["note"], rows(acme, Draft)) == (2, "typed", [])


def test_the_start_page_counts_ones_own_drafts(acme: Consumer, ada: Visitor, boss: Visitor) -> None:
    write_order(acme, ada)

    def waiting(visitor: Visitor) -> list[Any]:
        return [text_of(one) for one in visitor.read("/").xpath("//a[@href='/drafts?whose=mine']")]

    assert (waiting(ada), waiting(boss)) == (["1 Draft to finish"], ["0 Drafts to finish"])
