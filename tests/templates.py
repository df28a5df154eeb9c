"""Databases that are made once and then copied: to migrate anew for each test takes longer than most of the tests."""

import uuid
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, make_url

Make = Callable[[str], object]
"""Gives the empty database at a URL its tables, and closes it."""

_files: dict[Make, bytes] = {}
_databases: dict[tuple[Make, URL], str] = {}
"""The name of the template by what made it and its server."""


def prepare(url: str, make: Make) -> None:
    """What `make(url)` does; where there is nothing yet, it is copied from what was made before."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        _prepare_file(url, Path(str(address.database)), make)
    else:
        _prepare_database(url, address, make)


def drop_templates(server_url: str) -> None:
    """Leave nothing behind on a PostgreSQL server; to be called before it ends."""
    from tests.postgres import drop_database  # noqa: PLC0415 - unit tests stay free of psycopg

    server = make_url(server_url).set(database="postgres")
    for key in [key for key in _databases if key[1] == server]:
        drop_database(server_url, _databases.pop(key))


def _prepare_file(url: str, path: Path, make: Make) -> None:
    if path.exists() or make not in _files:
        make(url)
    else:
        path.write_bytes(_files[make])
    if make not in _files and not path.with_name(f"{path.name}-wal").exists():
        _files[make] = path.read_bytes()


def _prepare_database(url: str, address: URL, make: Make) -> None:
    from tests.postgres import create_database, drop_database, is_empty, is_there  # noqa: PLC0415

    server, name = address.set(database="postgres"), str(address.database)
    if is_there(url):
        if not is_empty(url):
            make(url)
            return
        drop_database(_text(server), name)
    if (make, server) not in _databases:
        template = f"template_{uuid.uuid4().hex}"
        create_database(_text(server), template)
        make(_text(address.set(database=template)))
        _databases[make, server] = template
    create_database(_text(server), name, _databases[make, server])


def _text(address: URL) -> str:
    return address.render_as_string(hide_password=False)
