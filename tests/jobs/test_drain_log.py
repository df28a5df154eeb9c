"""One line of log for each batch: to whom, what came of it, and which deliveries."""

import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bridge.models import Delivery
from tests.toy import ToyShop, add_connection, make_keyring, make_station, record, toy_database


def test_each_batch_tells_its_outcome_and_its_deliveries(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keyring, ids = make_keyring(tmp_path), []
    shop = ToyShop(toy_database(f"sqlite:///{tmp_path / 'shop.db'}"), lambda: ids)
    database = toy_database(sqlite_url)
    with database.transaction() as session:
        ids.append(add_connection(session, keyring, shop.url))
        record(session, ids[0], "bear", 2)
    with caplog.at_level(logging.INFO, logger="bridge.jobs"):
        make_station(database, keyring).drain(ids[0])
    shop.close()
    with database.transaction() as session:
        sent = list(session.scalars(select(Delivery.id).order_by(Delivery.sequence)))
        record(session, ids[0], "bear", 30)
    told = the_line(caplog, "batch judged")
    assert (told["connection_id"], told["outcome"], told["events"]) == (ids[0], "judged", 2)
    assert (told["delivery_ids"], told["streams"], told["verdicts"]) == (sent, ["toy/bear"], {"applied": 2})

    with caplog.at_level(logging.INFO, logger="bridge.jobs"):
        make_station(database, keyring).drain(ids[0])
    database.close()
    told = the_line(caplog, "nothing concluded")
    assert (told["connection_id"], told["outcome"], told["verdicts"]) == (ids[0], "failed", {})
    assert 1 <= len(told["delivery_ids"]) <= 20 < told["events"]


def the_line(caplog: pytest.LogCaptureFixture, beginning: str) -> dict[str, Any]:
    (line,) = [record for record in caplog.records if record.getMessage().startswith(beginning)]
    return vars(line)
