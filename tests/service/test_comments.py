"""What is said reaches the other side once, unchanged and in order; what is noted for ourselves never leaves."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from bridge.database import Database
from bridge.identity import ensure_instance
from bridge.models import Delivery, OutboxEvent
from bridge.vocabulary import EventType
from provider.domain.errors import Conflict, NotFound
from provider.models.orders import Comment
from provider.services.comments import add_comment, add_reply, add_work_note, list_comments
from provider.services.order_view import show_order
from tests.factories import AGENT, NOW, Ordered, at_once, events_of, exchange_database, make_consumer, make_order


@pytest.fixture
def database(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with exchange_database(database_url) as database:
        with database.transaction() as session:
            ensure_instance(session, "northwind", tmp_path_factory.mktemp("data"))
        yield database


def say(database: Database, made: Ordered, text: str, comment_id: str = "", minutes: int = 0) -> dict[str, object]:
    """The consumer writes a comment some minutes ago."""
    with database.transaction() as session:
        return add_comment(
            session,
            made.connection_id,
            made.task_id,
            comment_id=comment_id or str(uuid4()),
            text=text,
            author_name="Ada",
            created_at=NOW - timedelta(minutes=minutes),
            now=NOW,
        )


def comment_events(database: Database, made: Ordered) -> list[tuple[str, dict[str, object]]]:
    with database.reading() as session:
        events = events_of(session, made.connection_id)
    return [(stream, data) for type_, stream, data in events if type_ == EventType.COMMENT_ADDED]


def test_a_reply_is_told_on_the_stream_of_the_request(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        reply = add_reply(session, made.order_number, text="Which gate?", author_name="Ann", now=NOW)
    assert comment_events(database, made) == [
        (
            f"provider_task/{made.task_id}",
            {
                "task_id": made.task_id,
                "comment_id": reply["comment_id"],
                "text": "Which gate?",
                "author": {"name": "Ann", "company": "northwind"},
                "created_at": "2026-11-21T09:00:00.000Z",
            },
        )
    ]


def test_a_consumers_comment_is_not_sent_back(database: Database) -> None:
    made = make_order(database)
    comment = say(database, made, "Gate 2.", minutes=5)
    assert comment["author"] == {"name": "Ada", "company": "ACME Ltd"}
    assert comment["created_at"] == "2026-11-21T08:55:00.000Z"
    assert comment_events(database, made) == []
    with database.reading() as session:
        about_comments = select(Delivery).join(OutboxEvent).where(OutboxEvent.type == EventType.COMMENT_ADDED)
        assert session.execute(about_comments).first() is None


def test_both_sides_read_them_by_time_of_writing_then_id(database: Database) -> None:
    made = make_order(database)
    ids = sorted(str(uuid4()) for _ in range(2))
    with database.transaction() as session:
        add_reply(session, made.order_number, text="last", author_name="Ann", now=NOW)
    say(database, made, "second of two", ids[1], minutes=3)
    say(database, made, "first of two", ids[0], minutes=3)
    say(database, made, "oldest, and late", minutes=60)
    with database.reading() as session:
        listed = list_comments(session, made.connection_id, made.task_id, limit=10)
        shown = show_order(session, made.order_number)["comments"]
    texts = [comment.text for comment in listed.items]
    assert texts == ["oldest, and late", "first of two", "second of two", "last"]
    assert [comment["text"] for comment in shown] == texts


def test_the_same_comment_again_is_taken_once(database: Database) -> None:
    made = make_order(database)
    comment_id = str(uuid4())
    answers = at_once([lambda: say(database, made, "Gate 2.", comment_id)] * 8)
    assert answers == [answers[0]] * 8
    with database.reading() as session:
        assert len(session.execute(select(Comment)).all()) == 1
    with pytest.raises(Conflict) as refused:
        say(database, made, "Gate 3.", comment_id)
    assert refused.value.code == "comment_exists"


def test_an_id_that_is_used_on_another_request_is_free(database: Database) -> None:
    made, another = make_order(database), make_order(database, prefix="B")
    comment_id = str(uuid4())
    say(database, made, "Gate 2.", comment_id)
    say(database, another, "Another gate.", comment_id)
    with pytest.raises(Conflict):
        say(database, made, "Another gate.", comment_id)


def test_a_work_note_is_in_no_event_and_on_no_page_of_the_consumer(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        add_work_note(session, made.order_number, text="CANARY", author=AGENT, now=NOW)
    with database.reading() as session:
        everything = [row.data for row in session.execute(select(OutboxEvent)).scalars()]
        everything += [row.text or "" for row in session.execute(select(Delivery)).scalars()]
        assert not [text for text in everything if "CANARY" in text]
        assert list_comments(session, made.connection_id, made.task_id, limit=10).items == []
        assert [note["text"] for note in show_order(session, made.order_number)["work_notes"]] == ["CANARY"]


def test_only_its_own_consumer_may_comment(database: Database) -> None:
    made = make_order(database)
    with database.transaction() as session:
        stranger = make_consumer(session, "OTHER").id
    made.connection_id = stranger
    with pytest.raises(NotFound):
        say(database, made, "Hello?")
    with pytest.raises(NotFound), database.transaction() as session:
        add_reply(session, "ORD0000009", text="Hello?", author_name="Ann", now=NOW)
