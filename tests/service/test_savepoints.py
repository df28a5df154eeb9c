"""A savepoint of a write transaction takes back what was done within it, whoever asked for the connection before."""

import pytest
import sqlalchemy as sa

from bridge.database import Database


def test_a_savepoint_takes_back_what_went_through_the_connection_alone(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with database.transaction() as session:
        session.connection().execute(sa.text("create table toys (name varchar(20) primary key)"))
    with database.transaction() as session:
        session.connection().execute(sa.text("insert into toys values ('bear')"))
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.connection().execute(sa.text("insert into toys values ('robot')"))
            session.connection().execute(sa.text("insert into toys values ('bear')"))
        session.connection().execute(sa.text("insert into toys values ('car')"))
    with database.reading() as session:
        assert sorted(session.connection().scalars(sa.text("select name from toys"))) == ["bear", "car"]
    database.close()


def test_what_goes_wrong_tells_the_log_no_value_that_was_to_be_stored(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with database.transaction() as session:
        session.connection().execute(sa.text("create table toys (name varchar(20) primary key, told text)"))
    add = sa.text("insert into toys values (:name, :told)")
    with pytest.raises(sa.exc.IntegrityError) as wrong, database.transaction() as session:
        for _ in range(2):
            session.connection().execute(add, {"name": "bear", "told": "a-secret-canary"})
    assert "a-secret-canary" not in str(wrong.value)
    database.close()
