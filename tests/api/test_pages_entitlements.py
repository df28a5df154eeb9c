"""Who may order what, on pages: conditions to choose by, what would change, why, and what is held."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from lxml import html
from sqlalchemy import select

from bridge.models import Connection
from provider.models.catalog import RemoteRecordProducer
from provider.models.criteria import HeldRemoval
from provider.services.entitlements import refresh_entitlements
from provider.services.producers import publish_producer
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import AGENT, NOW, import_small_catalog, make_connection
from tests.service.test_criteria import GOLD, entitled, make_company, make_many, unlabel


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


@pytest.fixture
def admin(app: flask.Flask) -> Visitor:
    return signed_in(app, "eve", "exchange_admin")


@pytest.fixture
def item(app: flask.Flask) -> str:
    """A draft; ACME and Bolt are there."""
    with context_of(app).database.transaction() as session:
        make_company(session, "ACME"), make_company(session, "Bolt")
        return import_small_catalog(session).identity


def publish(admin: Visitor, item: str, **data: Any) -> Any:
    admin.get(f"/producers/{item}/publish")
    return admin.post(f"/producers/{item}/publish", data)


def criteria(app: flask.Flask) -> Any:
    with context_of(app).database.reading() as session:
        query = select(RemoteRecordProducer.criteria).where(RemoteRecordProducer.state == "published")
        return session.scalars(query).one_or_none()


CONDITIONS = {
    "criteria": "fitting", "match": "any", "companies": ["ACME"], "accounts": "A-7, A-8",
    "labels": "tier = gold\nregion = north", "owns_offerings": ["po-line"], "owns_specifications": ["ps-line"],
}  # fmt: skip


def test_conditions_are_chosen_said_in_words_and_shown_again(app: flask.Flask, admin: Visitor, item: str) -> None:
    assert publish(admin, item, **CONDITIONS).status_code == 303
    assert criteria(app) == {
        "any": [
            {"companies": ["ACME"]},
            {"owns_offerings": ["po-line"]},
            {"owns_specifications": ["ps-line"]},
            {"accounts": ["A-7", "A-8"]},
            {"label": {"name": "tier", "values": ["gold"]}},
            {"label": {"name": "region", "values": ["north"]}},
        ]
    }
    page = admin.read(f"/producers/{item}")
    assert "only consumers that belong to the company ACME or have a product in use of Business Line" in text_of(page)
    shown = admin.read(f"/producers/{item}/publish")
    assert [one.get("value") for one in shown.cssselect("input[checked]")] == [
        "fitting", "any", "ACME", "po-line", "ps-line",
    ]  # fmt: skip
    assert shown.cssselect("#accounts")[0].get("value") == "A-7, A-8"
    assert shown.cssselect("#labels")[0].text.strip() == "tier = gold\nregion = north"
    assert "those that fit conditions" in text_of(admin.read("/producers"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"companies": [], "accounts": "", "labels": "", "owns_offerings": [], "owns_specifications": []},
            "at least one",
        ),
        ({"match": ""}, "Say whether one of the conditions is enough."),
        ({"labels": "gold"}, "“gold” is not a name, an equals sign and a value."),
        ({"owns_offerings": ["po-none"]}, "There is no product offering po-none."),
    ],
)
def test_what_is_missing_or_wrong_is_said_and_nothing_typed_is_lost(
    app: flask.Flask, admin: Visitor, item: str, changes: dict[str, Any], message: str
) -> None:
    answer = publish(admin, item, **CONDITIONS | changes)
    assert answer.status_code == 422
    page = html.fromstring(answer.get_data())
    assert message in text_of(page)
    assert (page.cssselect("#labels")[0].text or "").strip() == changes.get("labels", CONDITIONS["labels"]).strip()
    assert criteria(app) is None


def test_before_publishing_it_is_shown_who_gains_and_loses(app: flask.Flask, admin: Visitor, item: str) -> None:
    publish(admin, item, criteria="fitting", companies=["ACME"])
    answer = publish(admin, item, criteria="fitting", companies=["Bolt"], preview="1")
    assert answer.status_code == 200
    text = text_of(html.fromstring(answer.get_data()))
    assert "Would get it: Bolt IT." in text
    assert "Would lose it: ACME IT." in text
    assert criteria(app) == {"companies": ["ACME"]}, "a look changes nothing"
    again = publish(admin, item, criteria="fitting", companies=["ACME"], preview="1")
    assert "Nobody gains it, and nobody loses it." in text_of(html.fromstring(again.get_data()))


def test_criteria_that_the_form_cannot_say_are_said_in_words(app: flask.Flask, admin: Visitor, item: str) -> None:
    with context_of(app).database.transaction() as session:
        nested = {"any": [{"companies": ["ACME"]}, {"all": [GOLD, {"companies": ["Bolt"]}]}]}
        publish_producer(session, item, nested, AGENT, NOW)
    page = admin.read(f"/producers/{item}/publish")
    assert "more than this form can say" in text_of(page)
    assert not page.cssselect("input[checked]")


def test_why_stands_on_the_items_page_and_on_the_connections(app: flask.Flask, admin: Visitor, item: str) -> None:
    publish(admin, item, criteria="fitting", match="all", companies=["ACME"], labels="tier = gold")
    with context_of(app).database.reading() as session:
        acme = session.scalars(select(Connection.id).where(Connection.name == "ACME IT")).one()
    for url in (f"/producers/{item}?consumer={acme}", f"/connections/{acme}?item={item}"):
        (why,) = admin.read(url).cssselect("#why")
        assert "ACME IT may not order Business Line: it does not match the criteria." in text_of(why)
        assert [text_of(row) for row in why.cssselect("tbody tr")] == [
            "Each of these No 1 of 2 hold.",
            "Belong to the company ACME Yes Its company is ACME.",
            "Have the label tier with gold No It has no label tier.",
        ]
    assert admin.get(f"/producers/{item}?consumer=nobody").status_code == 404


def test_labels_are_given_in_the_settings_of_a_connection(app: flask.Flask, admin: Visitor, item: str) -> None:
    publish(admin, item, criteria="fitting", labels="tier = gold")
    with context_of(app).database.reading() as session:
        acme = session.scalars(select(Connection.id).where(Connection.name == "ACME IT")).one()
    url = f"/connections/{acme}"
    admin.get(url)
    admin.post(f"{url}/settings", {"account": " A-7 ", "labels": "tier = gold"}, headers={"Referer": f"http://x{url}"})
    with context_of(app).database.reading() as session:
        assert session.get_one(Connection, acme).settings == {
            "account": "A-7", "labels": {"tier": "gold"}, "show_prices": False
        }  # fmt: skip
        assert entitled(session, item) == {acme}
    assert "tier = gold" in text_of(admin.read(url).cssselect("#connection")[0])
    assert admin.read(f"{url}/settings").cssselect("#labels")[0].text.strip() == "tier = gold"


# --- what is held


@pytest.fixture
def held(app: flask.Flask) -> tuple[str, list[str], str]:
    """An item, six who have it, of whom five do not match any more, and the removal that waits."""
    with context_of(app).database.transaction() as session:
        identity, ids = make_many(session, 6)
        unlabel(session, ids[:5])
        refresh_entitlements(session, NOW)
        return identity, ids, session.scalars(select(HeldRemoval.id)).one()


def test_the_start_page_leads_to_what_is_held_and_it_is_confirmed(app: flask.Flask, admin: Visitor, held: Any) -> None:
    identity, ids, _ = held
    (card,) = admin.read("/").cssselect("a[href='/removals']")
    assert text_of(card) == "1 Removal of many to confirm"
    page = admin.read("/removals")
    assert "5 of the 6 consumers that have it do not match any more" in text_of(page)
    assert len(page.cssselect("#removals li")) == 5
    (confirm,) = page.cssselect("form[action$='/confirm']")
    assert "cannot order it any more" in confirm.get("data-confirm")
    assert admin.post(confirm.get("action")).status_code == 303
    with context_of(app).database.reading() as session:
        assert entitled(session, identity) == {ids[5]}
    assert "Nothing is held" in text_of(admin.read("/removals"))


def test_kept_the_page_says_who_kept_it(app: flask.Flask, admin: Visitor, held: Any) -> None:
    identity, ids, removal_id = held
    admin.get("/removals")
    admin.post(f"/removals/{removal_id}/keep")
    why = admin.read(f"/producers/{identity}?consumer={ids[0]}").cssselect("#why")[0]
    assert "user/eve decided that it keeps the item" in text_of(why)
    late = admin.post(f"/removals/{removal_id}/confirm", headers={"Referer": "http://localhost/removals"})
    assert late.status_code == 303
    assert "This removal is kept already." in text_of(admin.read("/removals"))


def test_who_may_only_look_has_no_buttons(app: flask.Flask, held: Any) -> None:
    viewer = signed_in(app, "vic", "viewer")
    assert not viewer.read("/removals").cssselect("main form")
    assert viewer.post(f"/removals/{held[2]}/confirm").status_code == 403


def test_pages_cost_the_same_however_many_consumers_are_held(app: flask.Flask, admin: Visitor, held: Any) -> None:
    identity, ids, _ = held
    with CountedStatements(app) as few:
        admin.read("/removals")
        admin.read(f"/producers/{identity}?consumer={ids[0]}")
    with context_of(app).database.transaction() as session:
        for number in range(10):
            make_connection(session, name=f"More {number}")
        unlabel(session, ids)
        refresh_entitlements(session, NOW)
    with CountedStatements(app) as many:
        admin.read("/removals")
        admin.read(f"/producers/{identity}?consumer={ids[0]}")
    assert many.count == few.count
