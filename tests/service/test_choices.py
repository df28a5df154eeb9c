"""What a consumer may choose: rows of its own, narrowed by filters and other answers, and checked again when sent."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bridge.database import Database
from provider.domain.errors import Conflict, InvalidFields, NotFound
from provider.models.catalog import RemoteRecordProducer
from provider.models.inventory import Product
from provider.models.orders import OrderLine
from provider.services.choice_definitions import (
    delete_definition,
    edit_definition,
    find_uses,
    read_csv,
    replace_rows,
    search_definitions,
    show_definition,
)
from provider.services.choice_lookup import find_choices
from provider.services.intake import submit_provider_task
from provider.services.inventory_actions import request_action
from provider.services.revisions import edit_producer
from tests.choice_factories import CENTRES, DATA_CENTRES, ROUTERS, SITES, make_definition, pair, reference
from tests.contract_factories import make_contract
from tests.factories import (
    AGENT,
    NOW,
    count_selects,
    exchange_database,
    import_small_catalog,
    make_consumer,
    make_request,
    make_router_item,
    publish_to_all,
)
from tests.inventory_factories import bring, make_action, make_manage_inventory

AT = "/characteristics/"
Document = dict[str, Any]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        yield database


def make_asking(session: Session, connection_id: str, *variables: Document) -> RemoteRecordProducer:
    return make_router_item(session, connection_id, characteristics=list(variables))


def values(session: Session, connection_id: str, item: RemoteRecordProducer, key: str, **asked: Any) -> list[str]:
    found = find_choices(session, connection_id, item.identity, item.revision, AT + key, **asked)
    return [one["value"] for one in found.items]


def refusals(session: Session, connection_id: str, item: RemoteRecordProducer, **answers: Any) -> list[tuple[str, str]]:
    """Pointer and code of what a request with these answers is refused for."""
    with pytest.raises(InvalidFields) as refused:
        submit_provider_task(session, connection_id, make_request(item, 50, characteristics=answers), now=NOW)
    return [(fault.pointer, fault.code) for fault in refused.value.errors]


def test_a_consumer_chooses_among_its_own_products_alone(database: Database) -> None:
    with database.transaction() as session:
        make_definition(session, ROUTERS)
        acme, other = make_consumer(session), make_consumer(session, "OTHER")
        for owner, prefix in ((acme, "ACME"), (other, "OTHER")):
            for number in (1, 2):
                bring(session, owner.id, make_request(make_router_item(session, owner.id), number, prefix))
        mine = list(session.scalars(select(Product.number).where(Product.connection_id == acme.id)))
        item = make_asking(session, acme.id, reference("router", "my-routers"))
        assert values(session, acme.id, item, "router") == sorted(mine)
        found = find_choices(session, acme.id, item.identity, 1, f"{AT}router", limit=1)
        assert (found.more, found.items) == (
            True,
            [{"value": mine[0], "display": "Router item", "info": "Berlin office"}],
        )
        session.execute(update(Product).where(Product.number == mine[0]).values(state="suspended"))
        assert values(session, acme.id, item, "router") == mine[1:]  # the base filter
        theirs = session.scalars(select(Product.number).where(Product.connection_id == other.id)).first()
        assert refusals(session, acme.id, item, router=pair(str(theirs), "Router item")) == [
            (f"{AT}router", "not_offered")
        ]
        with pytest.raises(NotFound):
            values(session, other.id, item, "router")


def test_one_choice_narrows_another(database: Database) -> None:
    with database.transaction() as session:
        make_definition(session, ROUTERS)
        make_definition(session, SITES)
        acme = make_consumer(session).id
        for number, place in enumerate(("Berlin", "Bonn"), start=1):
            item = make_router_item(session, acme)
            bring(session, acme, make_request(item, number, location={"name": place}))
        depends_on = {"variable": "site", "field": "location"}
        asking = make_asking(
            session, acme, reference("site", "my-sites"), reference("router", "my-routers", depends_on=depends_on)
        )
        assert values(session, acme, asking, "site") == ["Berlin", "Bonn"]
        assert values(session, acme, asking, "router") == []
        [bonn] = values(session, acme, asking, "router", depends_on="Bonn")
        wrong = {"site": pair("Berlin", "Berlin"), "router": pair(bonn, "Router item")}
        assert refusals(session, acme, asking, **wrong) == [(f"{AT}router", "not_offered")]
        assert refusals(session, acme, asking, router=pair(bonn, "Router item")) == [(f"{AT}router", "not_offered")]
        right = {"site": pair("Bonn", "Bonn"), "router": pair(bonn, "Router item")}
        task = submit_provider_task(session, acme, make_request(asking, 9, characteristics=right), now=NOW)
        line = session.scalars(select(OrderLine).where(OrderLine.order_id == task.order_id)).one()
        assert line.characteristics == right  # value and display, together


def test_what_is_gone_or_renamed_is_refused_where_it_stands(database: Database) -> None:
    with database.transaction() as session:
        make_definition(session)
        acme = make_consumer(session).id
        item = make_asking(session, acme, reference("centre", "data-centres"))
        chosen = pair("fra1", "Frankfurt One")
        assert submit_provider_task(session, acme, make_request(item, 1, characteristics={"centre": chosen}), now=NOW)
        replace_rows(session, "data-centres", [CENTRES[0] | {"display": "Frankfurt"}, *CENTRES[2:]], AGENT, NOW)
        assert refusals(session, acme, item, centre=chosen) == [(f"{AT}centre", "changed")]
        gone = pair("fra2", "Frankfurt Two")
        assert refusals(session, acme, item, centre=gone) == [(f"{AT}centre", "not_offered")]


def test_what_is_chosen_anew_for_a_product_is_checked_and_the_rest_stays(database: Database) -> None:
    with database.transaction() as session:
        make_definition(session)
        acme = make_consumer(session).id
        make_manage_inventory(session, acme)
        item = make_asking(session, acme, reference("centre", "data-centres"), reference("other", "data-centres"))
        chosen = {"centre": pair("fra1", "Frankfurt One"), "other": pair("fra2", "Frankfurt Two")}
        bring(session, acme, make_request(item, 1, characteristics=chosen))
        replace_rows(session, "data-centres", CENTRES[2:], AGENT, NOW)
        product_id = session.scalars(select(Product.id)).one()
        late = make_action("change", 2, characteristics={"centre": pair("fra2", "Frankfurt Two")})
        with pytest.raises(InvalidFields) as refused:
            request_action(session, acme, product_id, late, now=NOW)
        assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [(f"{AT}centre", "not_offered")]
        right = make_action("change", 3, characteristics={"centre": pair("ber1", "Berlin One")})
        assert request_action(session, acme, product_id, right, now=NOW)


@pytest.mark.parametrize("answer", ["fra1", {"value": "fra1"}, {"value": "fra1", "display": ""}, ["fra1"]])
def test_an_answer_is_a_pair(database: Database, answer: Any) -> None:
    with database.transaction() as session:
        make_definition(session)
        acme = make_consumer(session).id
        item = make_asking(session, acme, reference("centre", "data-centres"))
        [(pointer, code)] = refusals(session, acme, item, centre=answer)
        assert pointer == f"{AT}centre"
        assert code in ("type", "required")


def test_lists_are_searched_in_all_that_is_shown_and_narrowed_by_the_variable(database: Database) -> None:
    with database.transaction() as session:
        make_definition(session)
        acme = make_consumer(session).id
        item = make_asking(
            session, acme, reference("centre", "data-centres"),
            reference("german", "data-centres", qualifier={"city": ["Frankfurt"]}, display_field="city"),
        )  # fmt: skip
        for text, wanted in (("", ["ber1", "fra1", "fra2"]), ("TWO", ["fra2"]), ("berl", ["ber1"]), ("%", [])):
            assert values(session, acme, item, "centre", search=text) == wanted
        found = find_choices(session, acme, item.identity, 1, f"{AT}german")
        assert [(one["value"], one["display"]) for one in found.items] == [("fra1", "Frankfurt"), ("fra2", "Frankfurt")]
        for pointer in ("/characteristics/moon", "/characteristics", "", "/parts/x/characteristics/centre", "centre"):
            with pytest.raises(InvalidFields):
                find_choices(session, acme, item.identity, 1, pointer)


def test_a_row_of_one_consumer_is_seen_by_it_alone(database: Database) -> None:
    with database.transaction() as session:
        make_definition(session)
        acme, other = make_consumer(session), make_consumer(session, "OTHER")
        rows = [
            {"value": "all"}, {"value": "a", "consumer": "acme"}, {"value": "o", "consumer": other.id},
            {"value": "both", "consumer": "ACME"}, {"value": "both", "display": "B", "consumer": "OTHER Ltd"},
        ]  # fmt: skip
        assert replace_rows(session, "data-centres", rows, AGENT, NOW) == 5
        items = [make_asking(session, one.id, reference("centre", "data-centres")) for one in (acme, other)]
        assert values(session, acme.id, items[0], "centre") == ["a", "all", "both"]
        assert values(session, other.id, items[1], "centre") == ["all", "both", "o"]
        assert refusals(session, acme.id, items[0], centre=pair("both", "B")) == [(f"{AT}centre", "changed")]


def test_contracts_and_offerings_can_be_chosen_from(database: Database) -> None:
    with database.transaction() as session:
        plain = {"base_filter": {}, "info_fields": []}
        make_definition(session, ROUTERS | {"name": "my-contracts", "source": "contracts", **plain})
        make_definition(session, ROUTERS | {"name": "my-offers", "source": "offerings", **plain})
        import_small_catalog(session)
        acme, other = make_consumer(session).id, make_consumer(session, "OTHER").id
        publish_to_all(session)
        mine, theirs = make_contract(session, acme), make_contract(session, other)
        make_contract(session, acme, is_active=False)
        assert mine.number != theirs.number
        item = make_asking(session, acme, reference("contract", "my-contracts"), reference("offer", "my-offers"))
        assert values(session, acme, item, "contract") == [mine.number]
        assert "po-line" in values(session, acme, item, "offer")


def test_as_many_statements_for_many_rows_as_for_few(database: Database) -> None:
    with database.transaction() as session:
        make_definition(session)
        acme = make_consumer(session).id
        item = make_asking(session, acme, reference("centre", "data-centres"))
    counts = []
    for many in (3, 3000):
        with database.transaction() as session:
            rows = [{"value": f"v{number}", "display": f"Centre {number}"} for number in range(many)]
            replace_rows(session, "data-centres", rows, AGENT, NOW)
        with database.reading() as session, count_selects(database) as seen:
            assert values(session, acme, item, "centre", search="Centre 2")
        counts.append(len(seen))
    assert counts[0] == counts[1] <= 3


def test_a_definition_stays_while_a_form_uses_it(database: Database) -> None:
    with database.transaction() as session:
        make_definition(session)
        acme = make_consumer(session).id
        make_asking(session, acme, reference("centre", "data-centres"))
        assert find_uses(session, "data-centres") == ["Router", "Router item"]
        with pytest.raises(Conflict) as refused:
            delete_definition(session, "data-centres", AGENT, NOW)
        assert refused.value.code == "choice_definition_used"
        with pytest.raises(Conflict):
            edit_definition(session, "data-centres", {"columns": [], "info_fields": []}, AGENT, NOW)
        shown = show_definition(session, "data-centres")
        assert (shown["row_count"], shown["used_by"]) == (3, ["Router", "Router item"])
        make_definition(session, name="unused")
        delete_definition(session, "unused", AGENT, NOW)
        found, total = search_definitions(session, text="cent", source="list")
        assert ([one.name for one in found], total) == (["data-centres"], 1)
        with pytest.raises(Conflict):
            make_definition(session)
        with pytest.raises(NotFound):
            show_definition(session, "unused")


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"name": "My Centres"}, "/name", "format"),
        ({"source": "users"}, "/source", "unknown"),
        ({"columns": ["city", "City"]}, "/columns/1", "format"),
        ({"columns": ["city", "value"]}, "/columns/1", "duplicate"),
        ({"columns": ["city", "consumer"]}, "/columns/1", "duplicate"),
        ({"display_field": "moon"}, "/display_field", "unknown"),
        ({"info_fields": ["city", "moon"]}, "/info_fields/1", "unknown"),
        ({"base_filter": {"moon": ["full"]}}, "/base_filter/moon", "unknown"),
        ({"base_filter": {"city": []}}, "/base_filter/city", "type"),
        ({"source": "products", "display_field": "name", "info_fields": []}, "/columns", "not_allowed"),
    ],
)
def test_what_a_definition_cannot_say_is_pointed_at(
    database: Database, changes: Document, pointer: str, code: str
) -> None:
    with database.transaction() as session:
        with pytest.raises(InvalidFields) as refused:
            make_definition(session, DATA_CENTRES, **changes)
        assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [(pointer, code)]


@pytest.mark.parametrize(
    ("rows", "pointer", "code"),
    [
        ([{"display": "x"}], "/rows/0/value", "required"),
        ([{"value": "a"}, {"value": "a"}], "/rows/1/value", "duplicate"),
        ([{"value": "a"}, {"value": "a", "consumer": "ACME"}], "/rows/1/value", "duplicate"),
        ([{"value": "a", "moon": "full"}], "/rows/0/moon", "unknown"),
        ([{"value": "a", "city": "x" * 256}], "/rows/0/city", "type"),
        ([{"value": "a", "consumer": "Nobody"}], "/rows/0/consumer", "unknown"),
        ([{"value": "a"}] * 10_001, "/rows", "too_many"),
    ],
)
def test_a_list_with_a_wrong_row_changes_nothing(database: Database, rows: Any, pointer: str, code: str) -> None:
    with database.transaction() as session:
        make_consumer(session)
        make_definition(session)
        with pytest.raises(InvalidFields) as refused:
            replace_rows(session, "data-centres", rows, AGENT, NOW)
        assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [(pointer, code)]
        assert show_definition(session, "data-centres")["row_count"] == 3


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_list_is_read_from_a_table(separator: str) -> None:
    text = 'value,display,city\nfra1,"Frankfurt One",Frankfurt\nber1,,Berlin\n'.replace(",", separator)
    assert read_csv(text) == [
        {"value": "fra1", "display": "Frankfurt One", "city": "Frankfurt"},
        {"value": "ber1", "display": "", "city": "Berlin"},
    ]
    for wrong in ("", "nothing", f"value{separator}display\n", 'value\n"open'):
        with pytest.raises(InvalidFields):
            read_csv(wrong)


def test_the_catalog_takes_references_in_and_out(database: Database) -> None:
    asked = {
        "id": "centre", "name": "Centre", "valueType": "reference",
        "x-choice": {"definition": "data-centres", "infoFields": ["city"], "qualifier": {"city": ["Berlin"]}},
    }  # fmt: skip
    wrong = asked | {"x-choice": {"definition": "moon"}}
    with database.transaction() as session:
        make_definition(session)
        with pytest.raises(InvalidFields) as refused:
            import_small_catalog(session, productSpecCharacteristic=[wrong])
        assert refused.value.errors[0].pointer.endswith("/productSpecCharacteristic/0/x-choice/definition")
        item = import_small_catalog(session, productSpecCharacteristic=[asked])
        assert item.form["variables"][0]["choice"]["qualifier"] == {"city": ["Berlin"]}
        assert item.compatibility == "1.1"
        with pytest.raises(InvalidFields) as refused:
            edit_producer(session, item.identity, {"compatibility": "1.0"}, AGENT, NOW)
        assert refused.value.errors[0].pointer == "/compatibility"


def test_a_consumer_has_one_row_of_a_value_by_whatever_name_it_is_called(database: Database) -> None:
    with database.transaction() as session:
        acme = make_consumer(session)
        make_definition(session)
        rows = [{"value": "a", "consumer": acme.name}, {"value": "a", "consumer": acme.id}]
        with pytest.raises(InvalidFields) as refused:
            replace_rows(session, "data-centres", rows, AGENT, NOW)
        assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [("/rows/1/value", "duplicate")]


def test_a_row_holds_no_text_that_consumers_could_not_keep(database: Database) -> None:
    with database.transaction() as session:
        make_definition(session)
        with pytest.raises(InvalidFields) as refused:
            replace_rows(session, "data-centres", [{"value": "a\x00b", "city": "Bo\x1bnn"}], AGENT, NOW)
        found = [(fault.pointer, fault.code) for fault in refused.value.errors]
        assert found == [("/rows/0/value", "unsafe_text"), ("/rows/0/city", "unsafe_text")]
