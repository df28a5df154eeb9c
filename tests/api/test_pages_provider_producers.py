"""The pages about remote record producers: reviewed as consumers will see them, published to whom, retired."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from lxml import html
from sqlalchemy import select, update

from bridge.versions import WIRE_VERSION
from provider.models.catalog import Entitlement, RemoteRecordProducer
from provider.services.catalog_import import import_catalog
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import (
    NOW,
    demo_catalog,
    events_of,
    import_small_catalog,
    make_connection,
    publish_to_all,
    small_catalog,
)


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


@pytest.fixture
def admin(app: flask.Flask) -> Visitor:
    return signed_in(app, "eve", "exchange_admin")


@pytest.fixture
def url(app: flask.Flask) -> str:
    """Of the draft that the small catalog makes."""
    with context_of(app).database.transaction() as session:
        return f"/producers/{import_small_catalog(session).identity}"


def add_connection(app: flask.Flask, name: str, **columns: Any) -> str:
    with context_of(app).database.transaction() as session:
        return make_connection(session, name=name, **columns).id


def press(visitor: Visitor, page: str, action: str, **data: Any) -> Any:
    """What comes of a button on a page."""
    visitor.get(page)
    return visitor.post(action, data, headers={"Referer": f"http://localhost{page}"})


def criteria(app: flask.Flask) -> Any:
    with context_of(app).database.reading() as session:
        query = select(RemoteRecordProducer.criteria).where(RemoteRecordProducer.state == "published")
        return session.scalars(query).one_or_none()


def rows(page: Any) -> list[str]:
    return [text_of(row) for row in page.cssselect("tbody tr")]


# --- the list


def test_an_empty_list_says_where_items_come_from(admin: Visitor) -> None:
    assert "Publish an offering of the catalog" in text_of(admin.read("/producers"))


def test_the_list_tells_state_revision_audience_and_how_many_are_active(
    app: flask.Flask, admin: Visitor, url: str
) -> None:
    for name in ("ACME", "Bolt"):
        add_connection(app, name)
    with context_of(app).database.transaction() as session:
        publish_to_all(session)
        first = select(Entitlement.connection_id).limit(1).scalar_subquery()
        session.execute(update(Entitlement).where(Entitlement.connection_id == first).values(consumer_state="active"))
    assert rows(admin.read("/producers?kind=product")) == [
        "Business Line Product Networking Published 1 all consumers 2 1"
    ]
    assert rows(admin.read("/producers?state=draft")) == [
        "Manage Inventory Lists what a consumer has; with it, consumers can change their products. "
        "Inventory Inventory Draft 1 nobody yet 0 0"
    ]
    assert len(rows(admin.read("/producers?q=line"))) == 1
    assert [row[:13] for row in rows(admin.read("/producers?reach=not_all"))] == ["Business Line"]
    assert "No item fits this search" in text_of(admin.read("/producers?reach=nobody"))
    with context_of(app).database.transaction() as session:
        session.execute(update(Entitlement).values(entitled=False))
    assert [row[:13] for row in rows(admin.read("/producers?reach=nobody"))] == ["Business Line"]
    assert "No item fits this search" in text_of(admin.read("/producers?reach=not_all"))
    with context_of(app).database.transaction() as session:
        session.execute(update(Entitlement).values(entitled=True, consumer_state="active"))
    assert "No item fits this search" in text_of(admin.read("/producers?reach=not_all"))
    assert rows(admin.read("/producers?sort=-entitled"))[0].startswith("Business Line")
    assert "No item fits this search" in text_of(admin.read("/producers?q=nowhere"))


def test_a_new_draft_is_told_from_what_consumers_have(app: flask.Flask, admin: Visitor, url: str) -> None:
    document = small_catalog()
    document["productOffering"][0] |= {"version": "2.0", "name": "Business Line Plus"}
    with context_of(app).database.transaction() as session:
        publish_to_all(session)
        import_catalog(session, document, NOW)
    assert "Draft 2 (consumers have 1) all consumers" in rows(admin.read("/producers?kind=product"))[0]
    assert "consumers have revision 1 until it is published" in text_of(admin.read(url))


def test_the_list_costs_the_same_however_many_items_there_are(app: flask.Flask, admin: Visitor, url: str) -> None:
    with CountedStatements(app) as few:
        admin.read("/producers")
    with context_of(app).database.transaction() as session:
        import_catalog(session, demo_catalog(), NOW)
    with CountedStatements(app) as many:
        assert len(rows(admin.read("/producers"))) > 3
    assert many.count == few.count


def test_the_page_of_a_bundles_item_says_so_and_what_is_in_it(app: flask.Flask, admin: Visitor) -> None:
    with context_of(app).database.transaction() as session:
        import_catalog(session, demo_catalog(), NOW)

    def facts(name: str) -> dict[str, str]:
        listed = admin.read(f"/producers?q={name}").cssselect("tbody a")[0]
        told = admin.read(listed.get("href")).cssselect("dl")[0]
        return {text_of(one): text_of(one.getnext()) for one in told.cssselect("dt")}

    bundle, single = facts("Branch+Connect"), facts("SD-WAN+Package")
    assert (bundle["Kind"], "Business Broadband" in bundle["In the bundle"]) == ("A bundle of offerings", True)
    assert (single["Kind"], "SD-WAN Controller" in single["Its parts"]) == ("Product", True)


# --- the form


def test_the_form_is_tried_like_an_order(admin: Visitor, url: str) -> None:
    page = admin.read(f"{url}/form")
    assert page.cssselect("select[name='/characteristics/bandwidth'] option[selected]")[0].get("value") == "100"
    good = press(admin, f"{url}/form", f"{url}/form", **{"/quantity": "1", "/characteristics/bandwidth": "50"})
    assert "would be taken" in good.get_data(as_text=True)
    bad = press(admin, f"{url}/form", f"{url}/form", **{"/quantity": "many", "/characteristics/bandwidth": "50"})
    assert bad.status_code == 422
    page = html.fromstring(bad.get_data())
    assert "whole number" in text_of(page.cssselect("[data-field='/quantity']")[0])
    assert page.cssselect("select option[selected]")[0].get("value") == "50", "what was chosen stays"


def test_of_the_inventory_nothing_is_filled_in(app: flask.Flask, admin: Visitor, url: str) -> None:
    with context_of(app).database.reading() as session:
        query = select(RemoteRecordProducer.identity).where(RemoteRecordProducer.kind == "inventory")
        inventory = session.scalars(query).one()
    page = admin.read(f"/producers/{inventory}/form")
    assert "nothing to fill in" in text_of(page)
    assert not page.cssselect("main form")


# --- publishing


def test_nothing_is_chosen_beforehand_and_a_choice_must_be_made(app: flask.Flask, admin: Visitor, url: str) -> None:
    add_connection(app, "ACME")
    assert not admin.read(f"{url}/publish").cssselect("input[checked]")
    answer = press(admin, f"{url}/publish", f"{url}/publish")
    assert answer.status_code == 422
    assert "Decide: all consumers" in answer.get_data(as_text=True)
    answer = press(admin, f"{url}/publish", f"{url}/publish", criteria="named")
    assert answer.status_code == 422
    assert "Tick at least one consumer" in answer.get_data(as_text=True)
    assert criteria(app) is None


def test_published_to_named_consumers_only_these_are_sent_it(app: flask.Flask, admin: Visitor, url: str) -> None:
    acme, bolt = add_connection(app, "ACME"), add_connection(app, "Bolt")
    answer = press(admin, f"{url}/publish", f"{url}/publish", criteria="named", criteria_connection_ids=[acme])
    assert answer.status_code == 303
    page = admin.read(url)
    assert "only ACME" in text_of(page)
    assert rows(page)[-1].startswith("ACME Pending activation 1")
    with context_of(app).database.reading() as session:
        assert [type_ for type_, _, _ in events_of(session, acme)] == ["exchange.catalog_item.changed"]
        assert events_of(session, bolt) == []
    assert [box.get("value") for box in admin.read(f"{url}/publish").cssselect("[type=checkbox][checked]")] == [acme]


def test_the_audience_can_be_widened_to_all(app: flask.Flask, admin: Visitor, url: str) -> None:
    acme, bolt = add_connection(app, "ACME"), add_connection(app, "Bolt")
    press(admin, f"{url}/publish", f"{url}/publish", criteria="named", criteria_connection_ids=[acme])
    press(admin, f"{url}/publish", f"{url}/publish", criteria="all", criteria_connection_ids=[acme])
    assert criteria(app) == {"all_consumers": True}
    with context_of(app).database.reading() as session:
        assert len(events_of(session, bolt)) == 1


def test_who_loses_an_item_is_neither_counted_nor_listed(app: flask.Flask, admin: Visitor, url: str) -> None:
    acme, _ = add_connection(app, "ACME"), add_connection(app, "Bolt")
    press(admin, f"{url}/publish", f"{url}/publish", criteria="all")
    wanted = {"criteria": "named", "criteria_connection_ids": [acme]}
    asked = press(admin, f"{url}/publish", f"{url}/publish", **wanted).get_data()
    (sure,) = html.fromstring(asked).cssselect("button[name=confirmed]")
    press(admin, f"{url}/publish", f"{url}/publish", **wanted, confirmed=sure.get("value"))
    assert rows(admin.read("/producers?kind=product"))[0].endswith("1 named 1 0")
    assert not [row for row in rows(admin.read(url)) if "Bolt" in row]


def test_who_was_revoked_meanwhile_is_refused_beside_the_consumers(app: flask.Flask, admin: Visitor, url: str) -> None:
    gone = add_connection(app, "Gone", state="revoked")
    assert "Gone" not in text_of(admin.read(f"{url}/publish"))
    answer = press(admin, f"{url}/publish", f"{url}/publish", criteria="named", criteria_connection_ids=[gone, "x"])
    assert answer.status_code == 422
    assert f"There is no connection {gone}." in answer.get_data(as_text=True)


def test_retiring_asks_first_and_ends_ordering(app: flask.Flask, admin: Visitor, url: str) -> None:
    add_connection(app, "ACME")
    press(admin, f"{url}/publish", f"{url}/publish", criteria="all")
    (retire,) = admin.read(url).cssselect("form[action$='/retire']")
    assert "No consumer can order it any more" in retire.get("data-confirm")
    assert press(admin, url, f"{url}/retire").status_code == 303
    page = admin.read(url)
    assert "is retired" in text_of(page)
    assert not page.cssselect("form[action$='/retire'], a[href$='/publish']")
    late = press(admin, f"{url}/publish", f"{url}/publish", criteria="all")
    assert late.status_code == 422
    assert "All revisions of this item are retired" in late.get_data(as_text=True)


def test_catalog_managers_look_and_may_not_publish(app: flask.Flask, url: str) -> None:
    manager = signed_in(app, "carl", "catalog_manager")
    page = manager.read(url)
    assert not page.cssselect("form[action$='/retire'], a[href$='/publish']")
    assert press(manager, url, f"{url}/retire").status_code == 403
    assert manager.get(f"{url}/publish").status_code == 403


def test_what_is_not_there_is_a_page_that_says_so(admin: Visitor) -> None:
    for key in ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "nonsense"):
        for page in ("", "/form", "/publish"):
            assert admin.get(f"/producers/{key}{page}").status_code == 404


# --- revisions


def of_revision(page: Any, revision: int) -> Any:
    found = page.xpath("//table[caption='Revisions']/tbody/tr")
    return next(row for row in found if text_of(row.xpath("td[1]")[0]) == str(revision))


def buttons(tree: Any) -> list[str]:
    return [text_of(button) for button in tree.cssselect("form[method=post] button") if text_of(button)]


def publish(app: flask.Flask) -> None:
    with context_of(app).database.transaction() as session:
        publish_to_all(session)


def test_a_published_item_is_checked_out_edited_and_the_draft_told_from_it(
    app: flask.Flask, admin: Visitor, url: str
) -> None:
    publish(app)
    answer = press(admin, url, f"{url}/checkout")
    assert (answer.status_code, answer.location) == (303, f"{url}/edit")
    page = admin.read(f"{url}/edit")
    assert page.cssselect("input[name=name]")[0].get("value") == "Business Line"
    edited = {"name": "Better Line", "short_description": "", "category": "Networking", "compatibility": "1.0"}
    assert press(admin, f"{url}/edit", f"{url}/edit", **edited).status_code == 303
    page = admin.read(url)
    assert "Name: Better Line instead of Business Line." in text_of(of_revision(page, 2))
    assert "Draft" in text_of(of_revision(page, 2))
    assert "Published" in text_of(of_revision(page, 1))
    assert "Cancel the draft" in buttons(page)
    assert "Change it: begin a new revision" not in buttons(page)
    assert "Retire" not in buttons(page)
    assert press(admin, url, f"{url}/cancel-draft").status_code == 303
    page = admin.read(url)
    assert "Change it: begin a new revision" in buttons(page)
    assert text_of(page.cssselect("h1")[0]) == "Business Line"


def test_what_is_wrong_with_an_edit_stands_beside_the_field_and_nothing_typed_is_lost(
    app: flask.Flask, admin: Visitor, url: str
) -> None:
    edited = {"name": "Better Line", "short_description": "Typed", "category": "", "compatibility": "9.9"}
    answer = press(admin, f"{url}/edit", f"{url}/edit", **edited)
    assert answer.status_code == 422
    page = html.fromstring(answer.get_data())
    assert f"speaks {WIRE_VERSION} itself" in text_of(page)
    assert page.cssselect("input[name=short_description]")[0].get("value") == "Typed"


def test_an_inactive_revision_is_archived_and_each_but_a_draft_copied(
    app: flask.Flask, admin: Visitor, url: str
) -> None:
    publish(app)
    press(admin, url, f"{url}/checkout")
    assert buttons(of_revision(admin.read(url), 2)) == []
    publish(app)
    page = admin.read(url)
    assert buttons(of_revision(page, 1)) == ["Archive", "Copy as a new item"]
    assert buttons(of_revision(page, 2)) == ["Copy as a new item"]
    assert press(admin, url, f"{url}/revisions/1/archive").status_code == 303
    assert "Archived" in text_of(of_revision(admin.read(url), 1))
    copied = press(admin, url, f"{url}/revisions/1/copy")
    page = admin.read(copied.location)
    assert text_of(page.cssselect("h1")[0]) == "Business Line (copy)"
    assert page.cssselect(f"a[href='{url}']"), "where it was copied from"


def test_a_retired_item_is_deleted_and_gone(app: flask.Flask, admin: Visitor, url: str) -> None:
    publish(app)
    refused = press(admin, url, f"{url}/delete")
    assert refused.status_code == 303
    assert "Only an item whose newest revision is retired" in text_of(admin.read(url))
    press(admin, url, f"{url}/retire")
    assert {"Change it: begin a new revision", "Delete"} <= set(buttons(admin.read(url)))
    assert press(admin, url, f"{url}/delete").location == "/producers"
    assert admin.get(url).status_code == 404


def test_who_may_only_look_has_no_buttons_for_revisions(app: flask.Flask, url: str) -> None:
    publish(app)
    viewer = signed_in(app, "vic", "viewer")
    assert "Copy as a new item" not in buttons(viewer.read(url))
    assert viewer.post(f"{url}/checkout").status_code == 403
