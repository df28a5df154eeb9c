"""Files that answer questions, at the provider and at the consumer, on both databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bridge.attachments import AttachmentLimits
from bridge.database import Database
from consumer_sim.models import HeldCall
from consumer_sim.models_attachments import Attachment
from consumer_sim.services import answered_files, requests
from provider.domain.errors import Conflict, InvalidFields
from provider.services.attachments import Announced, announce_attachment
from provider.services.case_search import show_case
from provider.services.intake import submit_provider_task
from tests.case_factories import fault_report, make_authored_item
from tests.consumer_factories import connected_consumer, make_item
from tests.factories import NOW, exchange_database, make_consumer
from tests.file_factories import PDF, file_answer, file_form, file_question

LIMITS = AttachmentLimits()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with exchange_database(database_url) as found:
        yield found


def announced(answer: dict[str, Any], **changes: Any) -> Announced:
    facts = {name: answer[name] for name in ("name", "media_type", "size_bytes", "sha256")} | changes
    return Announced(id=answer["attachment_id"], author_name="Ada", created_at=NOW, **facts)


def test_the_provider_takes_a_request_before_its_file_and_points_at_one_it_does_not_take(database: Database) -> None:
    named = file_answer()
    with database.transaction() as session:
        connection = make_consumer(session)
        item = make_authored_item(session, connection.id)
        item.form = file_form(file_question(mandatory=True))
        session.flush()
        for wrong, code in (({"size_bytes": 1025}, "too_large"), ({"name": "plan.exe"}, "type_not_allowed")):
            with pytest.raises(InvalidFields) as refused:
                submit_provider_task(
                    session,
                    connection.id,
                    fault_report(item, characteristics={"plan": named | wrong}),
                    now=NOW,
                )
            ((pointer, found),) = [(error.pointer, error.code) for error in refused.value.errors]
            assert (pointer, found) == ("/characteristics/plan", code)
        request = fault_report(item, characteristics={"plan": named})
        submit_provider_task(session, connection.id, request, now=NOW)
        case = show_case(session, request["number"])
        assert (case["state"], case["request"]["characteristics"]["plan"]) == ("received", named)


@pytest.mark.parametrize("change", [{"sha256": "0" * 64}, {"size_bytes": 28}, {"name": "other.pdf"}])
def test_only_the_file_that_was_named_may_be_sent_under_its_id(database: Database, change: dict[str, Any]) -> None:
    named = file_answer()
    with database.transaction() as session:
        connection = make_consumer(session)
        item = make_authored_item(session, connection.id)
        item.form = file_form(file_question())
        session.flush()
        request = fault_report(item, characteristics={"plan": named})
        submit_provider_task(session, connection.id, request, now=NOW)
        to = (session, connection.id, request["id"])
        with pytest.raises(Conflict, match="/characteristics/plan"):
            announce_attachment(*to, announced(named, **change), LIMITS)
        assert announce_attachment(*to, announced(named), LIMITS)["state"] == "on_its_way"


def test_a_request_and_its_files_are_kept_together_or_not_at_all(database_url: str, tmp_path: Path) -> None:
    asked = file_form(file_question())
    with connected_consumer(database_url, tmp_path) as acme:
        context = acme.context
        (tmp_path / "plan.pdf").write_bytes(PDF)
        with (tmp_path / "plan.pdf").open("rb") as stream:
            kept = context.files.keep(stream, "plan.pdf", LIMITS)
        with context.database.transaction() as session:
            item = make_item(session, acme.connection_id, kind="task", form=asked, active_form=asked)
            said: dict[str, Any] = {"name": "plan.pdf", "media_type": "application/pdf", "chosen_by": "Ada"}
            named = answered_files.keep_chosen(session, kept, **said, now=NOW)
            answers = {"characteristics": {"plan": named}}
            task = requests.submit_request(session, item, answers, {"name": "Ada"}, now=NOW)
        with context.database.reading() as session:
            (file,), (held,) = session.scalars(select(Attachment)).all(), session.scalars(select(HeldCall)).all()
        assert (file.id, file.task_id, held.body["sha256"]) == (named["attachment_id"], task.id, named["sha256"])
