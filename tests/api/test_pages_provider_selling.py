"""How an offering gets to consumers: what the pages say when it does not, and what they do about it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from sqlalchemy import select

from provider.models.catalog import ProductOffering, RemoteRecordProducer
from provider.services.catalog_import import import_catalog
from provider.services.selling import next_version
from tests.api.page_client import Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import NOW, small_catalog


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


@pytest.fixture
def admin(app: flask.Flask) -> Visitor:
    return signed_in(app, "ann", "admin")


def without_channel(**offering: Any) -> dict[str, Any]:
    document = small_catalog()
    document["productOffering"][0] |= {"channel": [], **offering}
    return document


def take_in(app: flask.Flask, document: dict[str, Any]) -> str:
    """The page of its newest offering."""
    with context_of(app).database.transaction() as session:
        import_catalog(session, document, NOW)
    return f"/catalog/offerings/{offerings(app)[-1].id}"


def offerings(app: flask.Flask) -> list[ProductOffering]:
    with context_of(app).database.reading() as session:
        return list(session.scalars(select(ProductOffering).order_by(ProductOffering.version)))


def items(app: flask.Flask) -> list[str]:
    with context_of(app).database.reading() as session:
        kinds = select(RemoteRecordProducer.name).where(RemoteRecordProducer.kind == "product")
        return list(session.scalars(kinds))


def sent(visitor: Visitor, document: dict[str, Any]) -> list[str]:
    """What is said after an import."""
    visitor.read("/catalog/import")
    assert visitor.post("/catalog/import", {"text": json.dumps(document)}).status_code == 303
    return [text_of(one) for one in visitor.read("/catalog").cssselect("main .alert")]


def refusal(visitor: Visitor, url: str) -> str:
    visitor.read(url)
    visitor.post(f"{url}/sell", headers={"Referer": f"http://localhost{url}"})
    return text_of(visitor.read(url).cssselect("main .alert-danger")[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "it has no channel Service Exchange."),
        ({"isSellable": False}, "it has no channel Service Exchange and is not sellable."),
        ({"isSellable": False, "channel": [{"id": "service_exchange"}]}, "it is not sellable."),
    ],
)
def test_what_consumers_do_not_see_says_why_and_is_sold_by_a_button_as_its_next_version(
    app: flask.Flask, admin: Visitor, change: dict[str, Any], says: str
) -> None:
    url = take_in(app, without_channel(**change))
    assert says in text_of(admin.read(url).cssselect("#not-sold")[0])
    assert items(app) == []
    answer = admin.post(f"{url}/sell")
    page = admin.read(answer.location)
    assert items(app) == ["Business Line"]
    former, sold = offerings(app)
    assert (former.version, sold.version, sold.lifecycle_state) == ("1.0", "1.1", "published")
    assert (sold.channels, sold.sellable, sold.prices) == (["service_exchange"], True, former.prices)
    assert former.channels == sorted(one["id"] for one in change.get("channel", []))
    assert answer.location.endswith(sold.id)
    (banner,) = page.cssselect("main .alert-success")
    assert "Business Line 1.1 has the channel Service Exchange." in text_of(banner)
    assert "Business Line" in text_of(admin.read(banner.cssselect("a")[0].get("href")))
    assert not page.cssselect("#not-sold")
    former_page = admin.read(url)
    assert "Version 1.1 is sold" in text_of(former_page.cssselect("#not-sold")[0])
    assert not former_page.cssselect("form[action$='/sell']")


def test_a_draft_gets_the_channel_itself(app: flask.Flask, admin: Visitor) -> None:
    url = take_in(app, without_channel(lifecycleStatus="In design"))
    admin.read(url)
    assert admin.post(f"{url}/sell").location == url
    assert "Publish it next." in text_of(admin.read(url).cssselect("main .alert")[0])
    assert [(one.version, one.lifecycle_state, one.channels) for one in offerings(app)] == [
        ("1.0", "in_draft", ["service_exchange"])
    ]
    page = admin.read(admin.post(f"{url}/publish").location)
    (link,) = page.cssselect("main .alert-success a")
    assert text_of(link) == "Its item for consumers is a draft: review and publish it."
    assert "is a draft" in text_of(admin.read(link.get("href")))


def test_what_is_sold_or_retired_cannot_be_sold_again(app: flask.Flask, admin: Visitor) -> None:
    url = take_in(app, small_catalog())
    page = admin.read(url)
    assert not page.cssselect("#not-sold")
    assert refusal(admin, url) == "Business Line is sold over the Service Exchange already."
    admin.post(f"{url}/retire", headers={"Referer": f"http://localhost{url}"})
    admin.read(url)
    with context_of(app).database.transaction() as session:
        session.scalars(select(ProductOffering)).one().channels = []
    assert refusal(admin, url) == "Business Line is retired; it cannot be sold any more."
    assert len(offerings(app)) == 1


def test_who_may_not_change_the_catalog_reads_who_can(app: flask.Flask) -> None:
    url = take_in(app, without_channel())
    viewer = signed_in(app, "vi", "viewer")
    assert "A catalog manager can sell it" in text_of(viewer.read(url).cssselect("#not-sold")[0])
    assert viewer.post(f"{url}/sell").status_code == 403
    assert len(offerings(app)) == 1


def test_the_next_version_counts_the_last_number_of_the_newest_on() -> None:
    assert next_version(["1.9", "1.10", "1.2"]) == "1.11"
    assert next_version(["3"]) == "4"
    assert next_version(["spring"]) == "spring.1"


def test_an_import_warns_of_what_consumers_will_not_see(app: flask.Flask, admin: Visitor) -> None:
    assert sent(admin, without_channel()) == [
        "Taken in: 2 new.", "Business Line has no channel Service Exchange: consumers will not see it.",
    ]  # fmt: skip
    mistyped = without_channel(version="2.0", channel=[{"name": "Servise Exchange"}])
    assert sent(admin, mistyped)[1] == (
        "Business Line has no channel Service Exchange: consumers will not see it. "
        "Not known here: servise_exchange. Known is service_exchange (Service Exchange)."
    )
    assert sent(admin, small_catalog() | {"productOffering": []}) == ["Taken in: 1 as before."]
    assert sent(admin, without_channel(id="po-2", isSellable=False)) == ["Taken in: 1 new, 1 as before."]


def test_more_warnings_than_a_cookie_holds_are_counted(app: flask.Flask, admin: Visitor) -> None:
    document = without_channel()
    (offering,) = document["productOffering"]
    document["productOffering"] = [offering | {"id": f"po-{one}", "name": f"Line {one:02}"} for one in range(30)]
    told = sent(admin, document)
    assert len(told) == 12
    assert told[-1] == "And 20 more like these: the page of each offering says so."


def test_the_items_page_says_why_there_is_nothing_to_publish(app: flask.Flask, admin: Visitor) -> None:
    assert "that has the channel Service Exchange" in text_of(admin.read("/producers").cssselect("#producers")[0])
    url = take_in(app, without_channel())
    said = admin.read("/producers").cssselect("#producers")[0]
    assert "no published offering is sold over the Service Exchange" in text_of(said)
    assert [one.get("href") for one in said.cssselect("a")] == [url]


def test_the_example_can_be_imported_as_it_is_and_is_seen_by_consumers(app: flask.Flask, admin: Visitor) -> None:
    (link,) = [one for one in admin.read("/catalog/import").cssselect("main a") if "example" in text_of(one)]
    page = admin.read(link.get("href"))
    assert not page.cssselect("main script")
    example = json.loads(page.cssselect("#text")[0].text)
    assert sent(admin, example) == ["Taken in: 2 new."]
    assert items(app) == ["Fibre 100"]
    (offering,) = offerings(app)
    assert [price["amount"] for price in offering.prices] == ["79.00"]
    assert len(example["productSpecification"][0]["productSpecCharacteristic"]) == 2


def test_what_was_typed_stays_though_an_example_was_asked_for(app: flask.Flask, admin: Visitor) -> None:
    admin.read("/catalog/import?example=1")
    answer = admin.post("/catalog/import?example=1", {"text": "{mine"})
    assert answer.status_code == 422
    assert "{mine" in answer.get_data(as_text=True)
    assert "Fibre 100" not in answer.get_data(as_text=True)


def test_a_published_item_leads_to_the_consumers_and_manage_inventory_says_what_it_is_for(
    app: flask.Flask, admin: Visitor
) -> None:
    take_in(app, small_catalog())
    with context_of(app).database.reading() as session:
        found = {one.kind: one.identity for one in session.scalars(select(RemoteRecordProducer))}
    assert "suspend, change, move or end what they have" in text_of(admin.read(f"/producers/{found['inventory']}"))
    admin.read(f"/producers/{found['product']}/publish")
    answer = admin.post(f"/producers/{found['product']}/publish", {"criteria": "all", "match": "all"})
    (link,) = admin.read(answer.location).cssselect("main .alert-success a")
    assert link.get("href") == "/connections"
