"""Numbers for people: never given twice, and nobody waits for them."""

import pytest

from bridge.database import Database
from provider.migrations import upgrade
from provider.services.numbers import PREFIXES, next_number, next_numbers


def test_numbers_of_a_kind_ascend_and_kinds_count_apart(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    database = Database(empty_database_url)
    with database.transaction() as session:
        assert next_numbers(session, "order", 3) == ["ORD0000001", "ORD0000002", "ORD0000003"]
        assert next_number(session, "order") == "ORD0000004"
        assert [next_number(session, kind)[-1] for kind in PREFIXES if kind != "order"] == ["1"] * (len(PREFIXES) - 1)
    database.close()


def test_a_number_of_a_transaction_that_failed_is_not_given_twice_beside_others(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    database = Database(empty_database_url)
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        next_number(session, "order")
        raise ZeroDivisionError
    with database.transaction() as session:
        taken = next_numbers(session, "order", 2)
    with database.transaction() as session:
        assert next_number(session, "order") not in taken
    database.close()


def test_on_postgresql_nobody_waits_for_anothers_commit(postgres_url: str) -> None:
    upgrade(postgres_url)
    one, other = Database(postgres_url), Database(postgres_url)
    with one.transaction() as slow:
        first = next_number(slow, "order")
        with other.transaction() as quick:  # a lock would end this with DatabaseBusy after three seconds
            assert next_number(quick, "order") != first
    one.close()
    other.close()
