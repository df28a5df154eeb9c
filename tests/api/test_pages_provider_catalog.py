"""The pages for catalog managers: what is sold, what it is made of, its life cycle, and documents taken in."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from lxml import html
from sqlalchemy import select

from provider.models.catalog import ProductOffering, RemoteRecordProducer, Specification
from provider.services.catalog_import import import_catalog
from provider.ui.catalog import SENT_MOST_BYTES
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import NOW, demo_catalog, small_catalog


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


@pytest.fixture
def manager(app: flask.Flask) -> Visitor:
    return signed_in(app, "carl", "catalog_manager")


def take_in(app: flask.Flask, document: dict[str, Any]) -> None:
    with context_of(app).database.transaction() as session:
        import_catalog(session, document, NOW)


def draft_catalog() -> dict[str, Any]:
    document = small_catalog(lifecycleStatus="In design")
    document["productOffering"][0]["lifecycleStatus"] = "In design"
    return document


def one(app: flask.Flask, model: Any) -> Any:
    with context_of(app).database.reading() as session:
        return session.scalars(select(model)).one()


def press(visitor: Visitor, page: str, action: str) -> Any:
    """What comes of a button on a page."""
    visitor.get(page)
    return visitor.post(action, headers={"Referer": f"http://localhost{page}"})


def names(page: Any) -> list[str]:
    return [cell.text_content() for cell in page.cssselect("tbody td:first-child")]


# --- the list


def test_an_empty_catalog_says_what_to_do_next(app: flask.Flask, manager: Visitor) -> None:
    assert "Import a catalog" in text_of(manager.read("/catalog").cssselect(".border")[0])
    assert "A catalog manager imports one" in text_of(signed_in(app, "vi", "viewer").read("/catalog"))


def test_offerings_and_specifications_are_searched_filtered_and_sorted(app: flask.Flask, manager: Visitor) -> None:
    take_in(app, small_catalog())
    assert names(manager.read("/catalog")) == ["Business Line", "Line"]
    assert names(manager.read("/catalog?sort=-name")) == ["Line", "Business Line"]
    assert names(manager.read("/catalog?kind=offering")) == ["Business Line"]
    assert names(manager.read("/catalog?kind=product")) == ["Line"]
    assert names(manager.read("/catalog?sellable=yes")) == ["Business Line"]
    assert names(manager.read("/catalog?q=NETWORKING")) == ["Business Line"]
    assert names(manager.read("/catalog?state=published")) == ["Business Line", "Line"]
    assert "Nothing in the catalog fits" in text_of(manager.read("/catalog?state=retired"))
    row = text_of(manager.read("/catalog?kind=offering").cssselect("tbody tr")[0])
    assert row == "Business Line Offering po-line 1.0 Published yes Service exchange"


def test_the_list_and_an_offering_cost_the_same_however_much_is_in_the_catalog(
    app: flask.Flask, manager: Visitor
) -> None:
    take_in(app, small_catalog())
    with CountedStatements(app) as few:
        manager.read("/catalog")
    take_in(app, demo_catalog())
    with CountedStatements(app) as many:
        assert len(names(manager.read("/catalog"))) > 10
    assert many.count == few.count


# --- one entry


def test_an_offering_shows_its_prices_its_parts_and_its_items(app: flask.Flask, manager: Visitor) -> None:
    take_in(app, demo_catalog())
    page = manager.read("/catalog?kind=offering&q=SD-WAN+Package")
    text = text_of(manager.read(page.cssselect("tbody a")[0].get("href")))
    assert "SD-WAN Edge Device" in text
    assert "Edge S, up to 200 Mbit/s, Edge M" in text
    assert "must be answered" in text
    assert "EUR" in text
    assert "Remote record producers" in text
    assert "Draft" in text


def test_a_bundle_shows_what_it_holds_and_how_much_of_it_is_chosen(app: flask.Flask, manager: Visitor) -> None:
    take_in(app, demo_catalog())
    listed = manager.read("/catalog?kind=offering&q=Branch+Connect").cssselect("tbody a")[0]
    with CountedStatements(app) as bundle:
        page = manager.read(listed.get("href"))
    rows = [text_of(row) for row in page.cssselect("#members tbody tr")]
    assert any(row.startswith("Managed LAN Switch 1.0 Published always 1 to 4") for row in rows)
    assert "Business Broadband 1.0 Published optional 1 Access, 1 of them" in rows
    single = manager.read("/catalog?kind=offering&q=SD-WAN+Package").cssselect("tbody a")[0].get("href")
    with CountedStatements(app) as alone:
        assert manager.read(single).cssselect("#members") == []
    assert bundle.count <= alone.count + 1


def test_a_specification_that_two_parts_share_is_shown_in_both(app: flask.Flask, manager: Visitor) -> None:
    inner = {"id": "ps-port", "name": "Port", "version": "1.0", "lifecycleStatus": "Active"}
    outer = {
        "id": "ps-box", "name": "Box", "version": "1.0", "lifecycleStatus": "Active",
        "bundledProductSpecification": [
            {"id": "ps-port", "x-key": "left", "minimum": 1, "maximum": 1},
            {"id": "ps-port", "x-key": "right", "minimum": 0, "maximum": 4},
        ],
    }  # fmt: skip
    take_in(app, {"productSpecification": [inner, outer]})
    page = manager.read("/catalog?q=box")
    text = text_of(manager.read(page.cssselect("tbody a")[0].get("href")))
    assert "as left, always, 1" in text
    assert "as right, optional, 1 to 4" in text


def test_publishing_and_retiring_are_offered_as_far_as_the_state_allows(app: flask.Flask, manager: Visitor) -> None:
    take_in(app, draft_catalog())
    offering = f"/catalog/offerings/{one(app, ProductOffering).id}"
    specification = f"/catalog/specifications/{one(app, Specification).id}"
    press(manager, offering, f"{offering}/publish")
    assert "publish it first" in text_of(manager.read(offering)), "the specification comes first"
    press(manager, specification, f"{specification}/publish")
    press(manager, offering, f"{offering}/publish")
    page = manager.read(offering)
    assert "is published" in text_of(page)
    assert not page.cssselect("form[action$='/publish']")
    (retire,) = page.cssselect("form[action$='/retire']")
    assert "cannot be taken back" in retire.get("data-confirm")
    with context_of(app).database.reading() as session:
        assert "Business Line" in session.scalars(select(RemoteRecordProducer.name)).all()
    press(manager, offering, f"{offering}/retire")
    assert one(app, ProductOffering).lifecycle_state == "retired"
    press(manager, specification, f"{specification}/retire")
    assert one(app, Specification).lifecycle_state == "retired"


def test_what_is_not_there_is_a_page_that_says_so(manager: Visitor) -> None:
    for kind in ("offerings", "specifications"):
        for key in ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "nonsense"):
            assert manager.get(f"/catalog/{kind}/{key}").status_code == 404


def test_who_may_not_change_the_catalog_sees_no_buttons_and_is_refused(app: flask.Flask) -> None:
    take_in(app, draft_catalog())
    viewer, offering = signed_in(app, "vi", "viewer"), one(app, ProductOffering)
    page = viewer.read(f"/catalog/offerings/{offering.id}")
    assert not page.cssselect("main form")
    assert viewer.post(f"/catalog/offerings/{offering.id}/publish").status_code == 403
    assert viewer.get("/catalog/import").status_code == 403
    assert one(app, ProductOffering).lifecycle_state == "in_draft"


# --- documents


def send(manager: Visitor, **data: Any) -> Any:
    manager.read("/catalog/import")
    return manager.post("/catalog/import", data, content_type="multipart/form-data")


def test_a_file_is_taken_in_and_told_what_became_of_it(app: flask.Flask, manager: Visitor) -> None:
    text = json.dumps(small_catalog()).encode()
    assert send(manager, file=(io.BytesIO(text), "catalog.json")).status_code == 303
    assert "Taken in: 2 new." in text_of(manager.read("/catalog"))
    assert send(manager, text=text.decode()).status_code == 303
    assert "Taken in: 2 as before." in text_of(manager.read("/catalog"))


def test_what_is_wrong_is_told_with_its_place_and_nothing_is_changed(app: flask.Flask, manager: Visitor) -> None:
    document = small_catalog(version="1" * 30)
    document["productOffering"][0]["productSpecification"] = {"id": "ps-nowhere"}
    text = json.dumps(document)
    answer = send(manager, file=(io.BytesIO(text.encode()), "catalog.json"))
    page = html.fromstring(answer.get_data())
    assert answer.status_code == 422
    assert [text_of(cell) for cell in page.cssselect("#faults tbody td")] == [
        "/productSpecification/0/version",
        "version has at most 20 characters",
        "/productOffering/0/productSpecification/id",
        "there is no specification ps-nowhere",
    ]
    assert json.loads(page.cssselect("#text")[0].text) == document, "to be mended in place"
    with context_of(app).database.reading() as session:
        assert session.scalars(select(Specification)).all() == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"{", "line 1, column 2"),
        (b"[]", "an object"),
        (b'{"productOffering": [], "productOffering": []}', "twice"),
        (b'{"name": "\xff"}', "not UTF-8 at byte 10"),
    ],
)
def test_what_is_no_document_is_said_beside_the_field(manager: Visitor, content: bytes, says: str) -> None:
    answer = send(manager, file=(io.BytesIO(content), "catalog.json"))
    page = html.fromstring(answer.get_data())
    assert answer.status_code == 422
    assert says in text_of(page.cssselect("#text")[0].getparent())


def test_what_is_too_long_is_said_beside_the_field_and_what_was_typed_stays(manager: Visitor) -> None:
    typed, long = '{"typed": "by hand"}', " " * 300_000
    answer = send(manager, text=typed, file=(io.BytesIO(long.encode()), "catalog.json"))
    page = html.fromstring(answer.get_data())
    assert answer.status_code == 422
    assert "This has 293 kB; at most 256 kB" in text_of(page.cssselect("#file")[0].getparent())
    assert page.cssselect("#text")[0].text.strip() == typed
    for size in (300_000, 900_000):
        answer = manager.post("/catalog/import", {"text": "x" * size})
        page = html.fromstring(answer.get_data())
        assert answer.status_code == 422, "also beyond what werkzeug keeps of a form by itself"
        assert "at most 256 kB" in text_of(page.cssselect("#text")[0].getparent())
        assert len(page.cssselect("#text")[0].text.strip()) == size


def test_only_this_form_may_be_sent_that_much_and_not_without_end(manager: Visitor) -> None:
    manager.read("/catalog/import")
    answer = manager.post("/catalog/import", {"text": "x" * SENT_MOST_BYTES})
    assert (answer.status_code, answer.mimetype) == (413, "text/html")
    assert manager.post("/sign-out", {"text": "x" * 300_000}).status_code == 413


def test_what_is_exported_is_what_an_import_takes(app: flask.Flask, manager: Visitor) -> None:
    take_in(app, small_catalog())
    answer = manager.get("/catalog/export")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="catalog.json"'
    assert send(manager, text=answer.get_data(as_text=True)).status_code == 303
    assert "Taken in: 2 as before." in text_of(manager.read("/catalog"))
