"""Who may export the catalog over HTTP, and what is answered."""

from collections.abc import Iterator
from pathlib import Path

import flask
import pytest

from tests.api.provider_client import context_of, make_app, user_headers
from tests.factories import small_catalog


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    app = make_app(sqlite_url, tmp_path)
    yield app
    context_of(app).database.close()


def test_what_is_exported_can_be_imported_again(app: flask.Flask) -> None:
    client, headers = app.test_client(), user_headers(app, "catalog_manager")
    assert client.get("/api/v1/catalog/export", headers=headers).json == {
        name: [] for name in ("productSpecification", "serviceSpecification", "productOffering", "productOfferingPrice")
    }
    client.post("/api/v1/catalog/import", json=small_catalog(), headers=headers)
    document = client.get("/api/v1/catalog/export", headers=headers).json
    again = client.post("/api/v1/catalog/import", json=document, headers=headers)
    assert again.json == {"created": 0, "updated": 0, "unchanged": 2}


def test_only_users_who_see_the_catalog_export_it(app: flask.Flask) -> None:
    client = app.test_client()
    assert client.get("/api/v1/catalog/export").status_code == 401
    assert client.get("/api/v1/catalog/export", headers=user_headers(app, "viewer")).status_code == 200
