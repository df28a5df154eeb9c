"""The pages on which items are written by hand, and on which several are sold or published at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from sqlalchemy import select

from provider.domain.authored_forms import KINDS
from provider.models.catalog import ProductOffering, RemoteRecordProducer
from provider.services.authoring import author_producer
from provider.services.catalog_import import import_catalog
from provider.services.producers import publish_producer
from tests.api.page_client import CountedStatements, Visitor, signed_in, text_of
from tests.api.provider_client import context_of, make_app
from tests.factories import NOW, make_connection, small_catalog


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
    """Of an item that was just written."""
    with context_of(app).database.transaction() as session:
        return f"/producers/{author_producer(session, {'name': 'Access'}, 'user/eve', NOW).identity}"


def form_of(app: flask.Flask, url: str) -> dict[str, Any]:
    with context_of(app).database.reading() as session:
        query = select(RemoteRecordProducer).where(RemoteRecordProducer.identity == url.rpartition("/")[2])
        newest = session.scalars(query.order_by(RemoteRecordProducer.revision.desc())).first()
        assert newest is not None
        return newest.form


def send(visitor: Visitor, url: str, status: int = 303, **data: Any) -> str:
    visitor.get(url)
    answer = visitor.post(url, data)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def test_an_item_is_written_and_leads_to_its_questions(app: flask.Flask, admin: Visitor) -> None:
    assert "An item has a name." in send(admin, "/producers/new", 422, name=" ")
    admin.get("/producers/new")
    answer = admin.post("/producers/new", {"name": "Access", "help_text": "Ask early."})
    assert answer.status_code == 303
    assert answer.location.endswith("/questions")
    page = text_of(admin.read(answer.location))
    assert "Not ready to be published. The form asks nothing yet: add a question." in page
    item = answer.location.removesuffix("/questions")
    assert "Ask early." in text_of(admin.read(item))
    assert "Written by hand" in text_of(admin.read("/producers?kind=task"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "reference"])
def test_a_question_of_each_kind_can_be_added_and_edited(app: flask.Flask, admin: Visitor, url: str, kind: str) -> None:
    data = {"label": "Which one?", "key": "which", "description": "Help.", "min": "", "max": ""}
    if kind in ("select_box", "multiple_choice", "list_collector"):
        data["options"] = "s = Small\nLarge"
    if kind == "numeric_scale":
        data |= {"min": "1", "max": "5"}
    send(admin, f"{url}/questions/new?kind={kind}", **data)
    (variable,) = form_of(app, url)["variables"]
    assert (variable["key"], variable["type"], variable.get("display", "")) == ("which", *KINDS[kind][1:])
    if "options" in data:
        assert variable["options"] == [{"value": "s", "label": "Small"}, {"value": "Large", "label": "Large"}]
    assert KINDS[kind][0] in text_of(admin.read(f"{url}/questions"))
    page = admin.read(f"{url}/questions/which")
    shown = {one.get("name"): one.get("value") or one.text for one in page.cssselect("main input, main textarea")}
    send(admin, f"{url}/questions/which", **{name: (value or "").strip() for name, value in shown.items() if name})
    (again,) = form_of(app, url)["variables"]
    assert {**again, "mandatory": False} == {**variable, "mandatory": False}


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(admin: Visitor, url: str) -> None:
    page = send(admin, f"{url}/questions/new?kind=integer", 422, label="How many?", min="5", max="4")
    assert "Must be at least 5." in page
    assert 'value="How many?"' in page
    page = send(admin, f"{url}/questions/new?kind=single_line", 422, label="", pattern="(a+)+")
    assert "Must say what is asked." in page
    assert "without groups and choices" in page


def test_a_key_is_made_of_the_words_where_none_is_given(app: flask.Flask, admin: Visitor, url: str) -> None:
    for label in ("Which building?", "Which building?", "2nd floor"):
        send(admin, f"{url}/questions/new?kind=single_line", label=label)
    send(admin, f"{url}/questions/new?kind=break")
    keys = [one["key"] for one in form_of(app, url)["variables"]]
    assert keys == ["which_building", "which_building_2", "q_2nd_floor", "break"]


def test_questions_are_moved_and_removed(app: flask.Flask, admin: Visitor, url: str) -> None:
    for label in "abc":
        send(admin, f"{url}/questions/new?kind=yes_no", label=label)
    admin.get(f"{url}/questions")
    assert admin.post(f"{url}/questions/c/move?to=up").status_code == 303
    assert admin.post(f"{url}/questions/a/remove").status_code == 303
    assert [one["key"] for one in form_of(app, url)["variables"]] == ["c", "b"]
    assert admin.post(f"{url}/questions/x/remove").status_code == 404


def test_sets_are_written_with_their_questions(app: flask.Flask, admin: Visitor, url: str) -> None:
    assert "Say what it is about." in send(admin, f"{url}/sets/new", 422, label="")
    assert "at least 1" in send(admin, f"{url}/sets/new", 422, label="X", many="many", min_rows="3", max_rows="2")
    send(admin, f"{url}/sets/new", label="People", many="many", min_rows="1", max_rows="9")
    send(admin, f"{url}/sets/new", label="Site")
    send(admin, f"{url}/questions/new?kind=single_line&set=people", label="Name")
    page = admin.read(f"{url}/questions")
    assert "a table of 1 to 9 rows" in text_of(page)
    send(admin, f"{url}/sets/people", label="Staff", key="people", many="many", min_rows="0", max_rows="")
    admin.get(f"{url}/questions")
    assert admin.post(f"{url}/sets/people/move?to=down").status_code == 303
    assert admin.post(f"{url}/sets/site/remove").status_code == 303
    (left,) = form_of(app, url)["sets"]
    assert (left["label"], left["max_rows"], left["variables"][0]["key"]) == ("Staff", None, "name")
    assert "no room for layout" in send(admin, f"{url}/questions/new?kind=break&set=people", 422)


def test_what_is_asked_beside_the_questions_is_chosen(app: flask.Flask, admin: Visitor, url: str) -> None:
    admin.get(f"{url}/questions")
    assert admin.post(f"{url}/besides", {"besides": ["quantity", "contacts"]}).status_code == 303
    assert form_of(app, url)["besides"] == ["quantity", "contacts"]


def test_the_form_is_tried_with_its_tables_as_consumers_have_it(admin: Visitor, url: str) -> None:
    send(admin, f"{url}/sets/new", label="People", many="many", min_rows="1")
    send(admin, f"{url}/questions/new?kind=single_line&set=people", label="Name", mandatory="y")
    page = admin.read(f"{url}/form")
    assert [one.get("name") for one in page.cssselect("tbody input")] == ["/sets/people/0/name"]
    more = send(admin, f"{url}/form", 200, **{"/sets/people/rows": "1", "do": "add /sets/people"})
    assert "/sets/people/1/name" in more
    assert "would be" not in more
    refused = send(admin, f"{url}/form", 422, **{"/sets/people/rows": "1", "/sets/people/0/name": ""})
    assert "needs at least 1 row" in refused
    taken = send(admin, f"{url}/form", 200, **{"/sets/people/rows": "1", "/sets/people/0/name": "Ada"})
    assert "would be taken" in taken


def test_who_may_only_look_sees_no_buttons(app: flask.Flask, url: str) -> None:
    viewer = signed_in(app, "vic", "viewer")
    page = viewer.read(f"{url}/questions")
    assert not page.cssselect("main form")
    for path in (f"{url}/questions/new?kind=break", "/producers/new", "/producers/publish", "/catalog/sell"):
        assert viewer.get(path).status_code == 403
    viewer.get("/")
    assert viewer.post(f"{url}/besides").status_code == 403


def test_a_generated_item_shows_its_questions_and_says_where_they_come_from(app: flask.Flask, admin: Visitor) -> None:
    with context_of(app).database.transaction() as session:
        import_catalog(session, small_catalog(), NOW)
        query = select(RemoteRecordProducer.identity).where(RemoteRecordProducer.kind == "product")
        identity = session.scalars(query).one()
    page = admin.read(f"/producers/{identity}/questions")
    assert "comes from the catalog" in text_of(page)
    assert not page.cssselect("main form")
    refused = send(admin, f"/producers/{identity}/questions/new?kind=break", 422)
    assert "change it there" in refused


def test_the_list_of_questions_costs_as_many_statements_however_many_there_are(
    app: flask.Flask, admin: Visitor, url: str
) -> None:
    admin.get(f"{url}/questions")
    with CountedStatements(app) as few:
        admin.read(f"{url}/questions")
    for number in range(5):
        send(admin, f"{url}/questions/new?kind=date", label=f"Day {number}")
    with CountedStatements(app) as many:
        admin.read(f"{url}/questions")
    assert many.count == few.count


def test_several_items_are_published_with_a_result_for_each(app: flask.Flask, admin: Visitor, url: str) -> None:
    question = {"variables": [{"key": "a", "label": "A", "type": "text"}]}
    with context_of(app).database.transaction() as session:
        make_connection(session)
        ready = author_producer(session, {"name": "Ready", "form": question}, "user/eve", NOW).identity
    empty = url.rpartition("/")[2]
    assert "Tick 1 to 20." in send(admin, "/producers/publish", 422, criteria="all")
    assert "Decide who may order them." in send(admin, "/producers/publish", 422, chosen=[ready])
    assert "Tick at least one consumer." in send(admin, "/producers/publish", 422, chosen=[ready], criteria="named")
    page = send(admin, "/producers/publish", 200, chosen=[ready, empty], criteria="all")
    assert "1 of 2 went." in page
    assert "Revision 1 is published." in page
    assert "The form asks nothing yet: add a question." in page
    assert (
        "say whom it is for first"
        in send(admin, "/producers/publish", 200, chosen=[empty], criteria="as_it_is").lower()
    )


def test_several_offerings_are_sold_with_a_result_for_each(app: flask.Flask) -> None:
    document = small_catalog()
    (sold,) = document["productOffering"]
    other = sold | {"id": "po-other", "name": "Other", "channel": [], "isSellable": False}
    document["productOffering"].append(other)
    with context_of(app).database.transaction() as session:
        import_catalog(session, document, NOW)
        ids = {row.name: row.id for row in session.scalars(select(ProductOffering))}
    manager = signed_in(app, "max", "catalog_manager")
    page = manager.read("/catalog/sell")
    assert "Other" in text_of(page)
    assert sold["name"] not in [one.text_content().split()[0] for one in page.cssselect("main label")]
    chosen = [f"offering/{ids['Other']}", f"offering/{ids[sold['name']]}", "nonsense", "moon/1"]
    done = send(manager, "/catalog/sell", 200, chosen=chosen)
    assert "1 of 4 went." in done
    assert "is sold over the Service Exchange already" in done


def test_a_published_item_is_edited_in_a_draft(app: flask.Flask, admin: Visitor, url: str) -> None:
    send(admin, f"{url}/questions/new?kind=date", label="Day")
    with context_of(app).database.transaction() as session:
        publish_producer(session, url.rpartition("/")[2], {"all_consumers": True}, "user/eve", NOW)
    assert "The first change makes a draft" in text_of(admin.read(f"{url}/questions"))
    send(admin, f"{url}/questions/new?kind=email", label="Mail")
    assert "This changes the draft, revision 2." in text_of(admin.read(f"{url}/questions"))
