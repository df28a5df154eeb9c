"""Receiving: each event has its effect once, in order, whatever is repeated, missing, refused or broken."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import select

from bridge import digest, envelope
from bridge.envelope import Judgement
from bridge.models import InboxStream
from tests.toy import NOW, PROVIDER, TOY, ToyShop, add_connection, make_keyring, toy_database


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Iterator[ToyShop]:
    database = toy_database(database_url)
    with database.transaction() as session:
        connection_id = add_connection(session, make_keyring(tmp_path))
    shop = ToyShop(database, lambda: [connection_id])
    yield shop
    shop.close()


def toy_event(stream: str, sequence: int, event_type: str = TOY, event_id: str | None = None) -> str:
    return envelope.render(
        event_id=event_id or str(uuid4()),
        source=PROVIDER.source,
        event_type=event_type,
        subject=stream,
        time=NOW,
        data_text=envelope.render_data({"n": sequence}),
        stream=stream,
        sequence=sequence,
    )


def verdicts(judgements: list[Judgement]) -> list[str]:
    return [str(judgement.verdict) for judgement in judgements]


def receive(shop: ToyShop, *texts: str) -> list[Judgement]:
    return shop.receive(envelope.join(texts))


def test_consecutive_events_are_applied_in_order(shop: ToyShop) -> None:
    assert verdicts(receive(shop, toy_event("a", 1), toy_event("b", 1), toy_event("a", 2))) == ["applied"] * 3
    assert verdicts(receive(shop, toy_event("a", 3))) == ["applied"]
    assert shop.effects() == [("a", 1), ("b", 1), ("a", 2), ("a", 3)]


def test_a_repeated_batch_is_duplicate_and_has_no_second_effect(shop: ToyShop) -> None:
    batch = [toy_event("a", 1), toy_event("a", 2), toy_event("b", 1)]
    receive(shop, *batch)
    assert verdicts(receive(shop, *batch)) == ["duplicate"] * 3
    assert len(shop.effects()) == 3


def test_a_gap_is_refused_with_the_expected_sequence_and_other_streams_go_on(shop: ToyShop) -> None:
    judgements = receive(shop, toy_event("a", 2), toy_event("b", 1))
    assert verdicts(judgements) == ["gap", "applied"]
    assert judgements[0].expected == 1
    assert shop.effects() == [("b", 1)]


def test_another_event_at_an_applied_sequence_is_a_conflict_that_names_what_was_applied(shop: ToyShop) -> None:
    first = toy_event("a", 1)
    receive(shop, first)
    (judgement,) = receive(shop, toy_event("a", 1))
    assert judgement.verdict == "conflict"
    assert judgement.applied_id == json.loads(first)["id"]
    assert judgement.applied_contenthash == json.loads(first)["contenthash"]
    assert len(shop.effects()) == 1


def test_a_rejected_event_stops_its_stream_only(shop: ToyShop) -> None:
    shop.handler.refused = {"a"}
    judgements = receive(shop, toy_event("a", 1), toy_event("a", 2), toy_event("b", 1))
    assert verdicts(judgements) == ["rejected", "gap", "applied"]
    assert judgements[0].reason == "this toy is refused"
    shop.handler.refused = set()
    assert verdicts(receive(shop, toy_event("a", 1), toy_event("a", 2))) == ["applied", "applied"]


def test_an_unknown_type_advances_without_effect(shop: ToyShop) -> None:
    judgements = receive(shop, toy_event("a", 1, "exchange.future.thing"), toy_event("a", 2))
    assert verdicts(judgements) == ["ignored", "applied"]
    assert shop.effects() == [("a", 2)]


def test_an_event_whose_handler_raises_is_rejected_alone(shop: ToyShop) -> None:
    shop.handler.broken = {"a"}
    judgements = receive(shop, toy_event("a", 1), toy_event("b", 1), toy_event("a", 2), toy_event("b", 2))
    assert verdicts(judgements) == ["rejected", "applied", "gap", "applied"]
    assert shop.effects() == [("b", 1), ("b", 2)]


def test_twenty_copies_of_a_batch_at_once_have_each_effect_once(shop: ToyShop) -> None:
    batch = [toy_event(stream, n) for stream in ("c", "a", "b") for n in (1, 2, 3)]
    answers: list[list[str]] = []

    def post() -> None:
        answers.append(verdicts(receive(shop, *batch)))

    threads = [threading.Thread(target=post) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [["applied"] * 9] + [["duplicate"] * 9] * 19
    assert len(shop.effects()) == len(set(shop.effects())) == 9


def test_two_events_for_one_sequence_in_a_batch_apply_the_first(shop: ToyShop) -> None:
    assert verdicts(receive(shop, toy_event("a", 1), toy_event("a", 1))) == ["applied", "conflict"]
    assert shop.effects() == [("a", 1)]


def test_the_digest_is_that_of_the_applied_events(shop: ToyShop) -> None:
    texts = [toy_event("a", 1), toy_event("a", 2, "exchange.future.thing"), toy_event("a", 3)]
    receive(shop, *texts)
    receive(shop, *texts)
    expected = digest.EMPTY
    for text in texts:
        expected = digest.extend(expected, json.loads(text)["id"], json.loads(text)["contenthash"])
    with shop.database.reading() as session:
        assert session.execute(select(InboxStream.digest)).scalar_one() == expected


def test_the_number_of_statements_does_not_grow_with_the_batch(shop: ToyShop) -> None:
    statements: list[Any] = []
    sa_event.listen(shop.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    counts = []
    for size in (1, 200):
        statements.clear()
        receive(shop, *[toy_event(f"s{size}-{n}", 1) for n in range(size)])
        counts.append(len(statements))
    assert counts[0] == counts[1]
