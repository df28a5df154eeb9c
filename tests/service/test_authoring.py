"""Items written by hand: from the first draft to consumers, with the rules of every other item."""

from collections.abc import Iterator
from typing import Any

import pytest

from bridge.database import Database
from provider.domain.authored_forms import put_question
from provider.domain.errors import Conflict, InvalidFields
from provider.models.catalog import RemoteRecordProducer
from provider.services import revisions
from provider.services.authoring import author_producer, change_form, replace_form
from provider.services.entitlements import refresh_entitlements, tell_items
from provider.services.item_telling import note_version
from provider.services.persona_items import choose_personas
from provider.services.personas import create_persona, delete_persona
from provider.services.producers import publish_producer, retire_producer
from tests.choice_factories import make_definition
from tests.factories import (
    NOW,
    events_of,
    import_small_catalog,
    make_connection,
    provider_database,
    publish_to_all,
)

ANN = "user/ann"
REASON = {"key": "reason", "label": "Why", "type": "text", "mandatory": True}
PEOPLE = {
    "key": "people",
    "label": "People",
    "many": True,
    "variables": [{"key": "name", "label": "N", "type": "text"}],
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


def author(session: Any, **facts: Any) -> RemoteRecordProducer:
    return author_producer(session, {"name": "Access to a building", **facts}, ANN, NOW)


def told(session: Any, connection_id: str) -> list[dict[str, Any]]:
    return [data for _, _, data in events_of(session, connection_id)]


def publish(session: Any, identity: str) -> RemoteRecordProducer:
    return publish_producer(session, identity, {"all_consumers": True}, ANN, NOW)


def test_an_item_begins_as_a_draft_that_asks_nothing(database: Database) -> None:
    with database.transaction() as session:
        made = author(session, short_description=" Doors ", help_text="Ask early.", description="All of it.")
        assert (made.kind, made.state, made.revision, made.compatibility) == ("task", "draft", 1, "1.1")
        assert (made.short_description, made.help_text, made.description) == ("Doors", "Ask early.", "All of it.")
        assert made.form == {"variables": [], "parts": [], "sets": [], "besides": ["note"]}
        assert (made.product_offering_id, made.specification_id) == (None, None)


def test_an_item_needs_a_name_and_a_question_before_consumers_see_it(database: Database) -> None:
    with database.transaction() as session, pytest.raises(InvalidFields):
        author(session, name=" ")
    with database.transaction() as session:
        identity = author(session).identity
    with database.transaction() as session, pytest.raises(Conflict, match="add a question"):
        publish(session, identity)
    with database.transaction() as session:
        replace_form(session, identity, {"variables": [REASON]}, ANN, NOW)
        assert publish(session, identity).state == "published"


def test_what_is_written_is_what_consumers_are_told(database: Database) -> None:
    with database.transaction() as session:
        connection = make_connection(session)
        made = author(session, help_text="Ask early.", form={"variables": [REASON], "sets": [PEOPLE], "besides": []})
        publish(session, made.identity)
        (event,) = told(session, connection.id)
    assert {name: event[name] for name in ("kind", "orderable", "compatibility", "help_text")} == {
        "kind": "task", "orderable": True, "compatibility": "1.1", "help_text": "Ask early.",
    }  # fmt: skip
    assert "description" not in event
    assert [one["key"] for one in event["form"]["variables"]] == ["reason"]
    assert event["form"]["sets"][0]["many"] is True


def test_a_published_form_is_changed_in_a_draft_that_consumers_do_not_see(database: Database) -> None:
    with database.transaction() as session:
        identity = author(session, form={"variables": [REASON]}).identity
        publish(session, identity)
    more = {"key": "when", "label": "When", "type": "date"}
    with database.transaction() as session:
        draft = change_form(session, identity, lambda form: put_question(form, ("", ""), more), ANN, NOW)
        assert (draft.state, draft.revision, len(draft.form["variables"])) == ("draft", 2, 2)
        first, _ = revisions.list_revisions(session, identity)
        assert (first.state, len(first.form["variables"])) == ("published", 1)
        explained = revisions.explain_revisions(revisions.list_revisions(session, identity))
        assert explained[1]["differences"] == ["Question When is new."]


def test_a_form_that_is_wrong_changes_nothing(database: Database) -> None:
    with database.transaction() as session:
        identity = author(session, form={"variables": [REASON]}).identity
    with database.transaction() as session, pytest.raises(InvalidFields):
        change_form(session, identity, lambda form: put_question(form, ("", ""), REASON), ANN, NOW)
    with database.reading() as session:
        assert len(revisions.list_revisions(session, identity)[0].form["variables"]) == 1


def test_what_a_generated_item_asks_is_changed_in_the_catalog(database: Database) -> None:
    with database.transaction() as session:
        import_small_catalog(session)
        identity = publish_to_all(session).identity
    with database.transaction() as session, pytest.raises(Conflict) as refused:
        replace_form(session, identity, {"variables": [REASON]}, ANN, NOW)
    assert refused.value.code == "form_of_catalog"


def test_revisions_of_an_item_written_by_hand_live_as_all_others_do(database: Database) -> None:
    with database.transaction() as session:
        identity = author(session, description="Long.", form={"variables": [REASON]}).identity
        publish(session, identity)
        copy = revisions.copy_revision(session, identity, 1, ANN, NOW)
        assert (copy.kind, copy.state, copy.description, copy.form["variables"][0]["key"]) == (
            "task", "draft", "Long.", "reason",
        )  # fmt: skip
        revisions.checkout_producer(session, identity, ANN, NOW)
        revisions.cancel_draft(session, identity, ANN, NOW)
        revisions.checkout_producer(session, identity, ANN, NOW)
        publish(session, identity)
        assert revisions.archive_revision(session, identity, 1, ANN, NOW).state == "archived"
        retire_producer(session, identity, ANN, NOW)
        assert revisions.checkout_producer(session, identity, ANN, NOW).revision == 3
        publish(session, identity)
        retire_producer(session, identity, ANN, NOW)
        revisions.delete_producer(session, identity, ANN, NOW)


def test_an_older_version_than_its_kind_needs_cannot_be_asked_for(database: Database) -> None:
    with database.transaction() as session:
        identity = author(session).identity
    with database.transaction() as session, pytest.raises(InvalidFields, match="older consumers"):
        revisions.edit_producer(session, identity, {"compatibility": "1.0"}, ANN, NOW)


def test_an_older_consumer_is_told_of_the_item_without_what_it_could_not_show(database: Database) -> None:
    with database.transaction() as session:
        old, new = make_connection(session), make_connection(session)
        old.settings = {"peer_version": "1.0"}
        identity = publish(session, author(session, form={"variables": [REASON], "sets": [PEOPLE]}).identity).identity
        (bare,), (whole,) = (told(session, one.id) for one in (old, new))
        assert (bare["form"], bare["kind"], bare["orderable"], bare["compatibility"]) == (
            {"variables": [], "parts": []}, "service", False, "1.1",
        )  # fmt: skip
        assert (whole["kind"], whole["orderable"]) == ("task", True)
        with pytest.raises(Conflict) as refused:
            revisions.accept_activation(session, old.id, identity, state="active", revision=1, now=NOW)
        assert refused.value.code == "version_too_old"


def test_a_consumer_that_was_updated_is_told_anew_what_it_can_show_now(database: Database) -> None:
    with database.transaction() as session:
        connection = make_connection(session)
        connection.settings = {"peer_version": "1.0"}
        identity = publish(session, author(session, form={"variables": [REASON]}).identity).identity
        assert not note_version(session, connection.id, "1.0", now=NOW)
        assert not note_version(session, connection.id, None, now=NOW)
        assert note_version(session, connection.id, "1.1", now=NOW)
        tell_items(session, connection.id, now=NOW)
        assert [one["kind"] for one in told(session, connection.id)] == ["service", "task"]
        revisions.accept_activation(session, connection.id, identity, state="active", revision=1, now=NOW)


def test_an_item_that_could_not_be_told_is_not_published_and_stands_in_nobodys_way(database: Database) -> None:
    with database.transaction() as session:
        large, small = (author(session, name=name).identity for name in ("Large", "Small"))
        questions = [REASON | {"key": f"q{number}", "description": "x" * 10_000} for number in range(30)]
        replace_form(session, large, {"variables": questions}, ANN, NOW)
        replace_form(session, small, {"variables": [REASON]}, ANN, NOW)
    with database.transaction() as session, pytest.raises(Conflict, match="too large"):
        publish(session, large)
    with database.transaction() as session:
        publish(session, small)
        connection = make_connection(session)
        refresh_entitlements(session, NOW)
        assert [data["name"] for data in told(session, connection.id)] == ["Small"]


def test_an_item_that_asks_for_a_persona_that_is_gone_is_not_published(database: Database) -> None:
    with database.transaction() as session:
        identity = author(session, form={"variables": [REASON]}).identity
        persona = create_persona(session, name="Buyer", description="", actor=ANN, now=NOW)
        choose_personas(session, identity, [persona.id], ANN, NOW)
        publish(session, identity)
        retire_producer(session, identity, ANN, NOW)
        delete_persona(session, persona.id, actor=ANN, now=NOW)
        revisions.checkout_producer(session, identity, ANN, NOW)
    with database.transaction() as session, pytest.raises(Conflict, match="choose its personas anew"):
        publish(session, identity)
    with database.transaction() as session:
        choose_personas(session, identity, [], ANN, NOW)
        assert publish(session, identity).revision == 2


@pytest.mark.parametrize(
    ("choice", "pointer"),
    [
        ({"info_fields": 5}, "/variables/0/choice/info_fields"),
        ({"info_fields": {"city": 1}}, "/variables/0/choice/info_fields"),
        ({"qualifier": [1]}, "/variables/0/choice/qualifier"),
        ({"depends_on": "reason"}, "/variables/0/choice/depends_on"),
        ({"display_field": ["city"]}, "/variables/0/choice/display_field"),
    ],
)
def test_what_a_reference_says_wrongly_is_pointed_at(database: Database, choice: Any, pointer: str) -> None:
    with database.transaction() as session:
        make_definition(session)
        asked = {
            "key": "centre",
            "label": "Where",
            "type": "reference",
            "choice": {"definition": "data-centres", **choice},
        }
        with pytest.raises(InvalidFields) as refused:
            author(session, form={"variables": [asked]})
        assert [fault.pointer for fault in refused.value.errors] == [pointer]
