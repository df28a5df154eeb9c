"""Why, what would change, and what is held: over the API, for those who may."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from sqlalchemy import func, select, update

from bridge.models import Connection
from provider.models.access import AuditEntry
from provider.models.catalog import Entitlement
from provider.models.criteria import HeldRemoval
from provider.services.entitlements import refresh_entitlements
from provider.services.producers import publish_producer
from tests.api.provider_client import context_of, make_app, user_headers
from tests.factories import AGENT, NOW, import_small_catalog, make_connection
from tests.service.test_criteria import (
    CHANGED,
    GOLD,
    REMOVED,
    entitled,
    make_company,
    make_many,
    make_owner,
    told,
    unlabel,
)

API = "/api/v1"


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[flask.Flask]:
    made = make_app(sqlite_url, tmp_path)
    yield made
    context_of(made).database.close()


class Admin:
    """Somebody of the provider, by the API."""

    def __init__(self, app: flask.Flask, role: str = "exchange_admin") -> None:
        self.client, self.headers = app.test_client(), user_headers(app, role)

    def get(self, path: str, status: int = 200, **query: str) -> Any:
        answer = self.client.get(f"{API}{path}", query_string=query, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.get_json()

    def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.post(f"{API}{path}", json=body or {}, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.get_json()


@pytest.fixture
def admin(app: flask.Flask) -> Admin:
    return Admin(app)


@pytest.fixture
def item(app: flask.Flask) -> str:
    """For ACME, or for whoever has the label gold; ACME, Bolt and a third one are there."""
    with context_of(app).database.transaction() as session:
        make_company(session, "ACME"), make_company(session, "Bolt"), make_connection(session, name="Third")
        identity = import_small_catalog(session).identity
        publish_producer(session, identity, {"any": [{"companies": ["ACME"]}, GOLD]}, AGENT, NOW)
        return identity


def test_explained_is_each_condition_with_what_it_looked_at(admin: Admin, item: str) -> None:
    told_ = admin.get("/entitlements/explain", consumer="acme", item="business line")
    assert told_["entitled"] is told_["matches"] is True
    assert told_["answer"] == "ACME IT may order Business Line: it matches the criteria."
    assert told_["criteria"] == [
        {"depth": 0, "words": "At least one of these", "holds": True, "looked_at": "1 of 2 hold"},
        {"depth": 1, "words": "Belong to the company ACME", "holds": True, "looked_at": "its company is ACME"},
        {"depth": 1, "words": "Have the label tier with gold", "holds": False, "looked_at": "it has no label tier"},
    ]
    told_ = admin.get("/entitlements/explain", consumer="Third", item=item)
    assert told_["answer"] == "Third may not order Business Line: it does not match the criteria."
    assert [line["looked_at"] for line in told_["criteria"]][1:] == [
        "no company is known of it",
        "it has no label tier",
    ]


def test_what_is_owned_is_explained_by_a_product(app: flask.Flask, admin: Admin) -> None:
    with context_of(app).database.transaction() as session:
        identity = import_small_catalog(session).identity
        owner, offering, _ = make_owner(session)
        publish_producer(session, identity, {"owns_offerings": [offering]}, AGENT, NOW)
    (line,) = admin.get("/entitlements/explain", consumer=owner, item=identity)["criteria"]
    assert line["words"] == "Have a product in use of Router"
    assert line["looked_at"].endswith("such as PRD0000001")


def test_an_item_that_is_not_published_and_a_connection_that_is_over_say_so(app: flask.Flask, admin: Admin) -> None:
    with context_of(app).database.transaction() as session:
        import_small_catalog(session)
        make_connection(session, name="Gone", state="pending")
    told_ = admin.get("/entitlements/explain", consumer="Gone", item="Manage Inventory")
    assert told_["answer"] == "Gone may not order Manage Inventory: its connection is pending."
    with context_of(app).database.transaction() as session:
        session.execute(update(Connection).values(state="active"))
    told_ = admin.get("/entitlements/explain", consumer="Gone", item="Manage Inventory")
    assert "the item is draft, not published" in told_["answer"]


def test_who_or_what_is_not_there_or_not_clear_is_told(app: flask.Flask, admin: Admin, item: str) -> None:
    admin.get("/entitlements/explain", 404, consumer="Nobody", item=item)
    admin.get("/entitlements/explain", 404, consumer="ACME", item="Nothing")
    admin.get("/entitlements/explain", 422, consumer="ACME")
    with context_of(app).database.transaction() as session:
        make_connection(session, name="Third")
    (error,) = admin.get("/entitlements/explain", 422, consumer="Third", item=item)["errors"]
    assert (error["pointer"], error["code"]) == ("/consumer", "ambiguous")


def test_a_dry_run_names_who_would_gain_and_lose_and_changes_nothing(app: flask.Flask, admin: Admin, item: str) -> None:
    body = {"item": item, "criteria": {"companies": ["Bolt"]}}
    (change,) = admin.post("/entitlements/preview", body)["items"]
    names = {kind: [one["name"] for one in change[kind]] for kind in ("added", "removed", "held")}
    assert names == {"added": ["Bolt IT"], "removed": ["ACME IT"], "held": []}
    assert admin.post("/entitlements/preview")["items"] == []
    with context_of(app).database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Entitlement)) == 1
    (error,) = admin.post("/entitlements/preview", {"item": item, "criteria": {"companies": [7]}}, 422)["errors"]
    assert error["pointer"] == "/criteria/companies/0"
    (error,) = admin.post("/entitlements/preview", {"criteria": {"companies": ["ACME"]}}, 422)["errors"]
    assert error["pointer"] == "/item"


def test_a_dry_run_does_what_the_real_one_does(app: flask.Flask, admin: Admin, item: str) -> None:
    criteria = {"any": [{"companies": ["Bolt"]}, GOLD]}
    (change,) = admin.post("/entitlements/preview", {"item": item, "criteria": criteria})["items"]
    before = set(_entitled(app, item))
    admin.post(f"/remote-record-producers/{item}/publish", {"criteria": criteria})
    after = set(_entitled(app, item))
    assert {one["connection_id"] for one in change["added"]} == after - before
    assert {one["connection_id"] for one in change["removed"]} == before - after


def _entitled(app: flask.Flask, item: str) -> set[str]:
    with context_of(app).database.reading() as session:
        return entitled(session, item)


def test_what_is_published_to_is_refused_with_a_pointer(admin: Admin, item: str) -> None:
    path = f"/remote-record-producers/{item}/publish"
    (error,) = admin.post(path, {"criteria": {"any": [{"owns_offerings": ["po-none"]}]}}, 422)["errors"]
    assert (error["pointer"], error["code"]) == ("/criteria/any/0/owns_offerings/0", "unknown")
    (error,) = admin.post(path, {"criteria": {"contracts": ["C-1"]}}, 422)["errors"]
    assert (error["pointer"], error["code"]) == ("/criteria/contracts", "type")


def test_labels_and_accounts_are_settings_of_the_connection(admin: Admin, item: str) -> None:
    bolt = admin.get("/entitlements/explain", consumer="Bolt", item=item)["connection_id"]
    changed = admin.post(
        f"/connections/{bolt}/settings", {"show_prices": False, "account": "A-7", "labels": {"tier": "gold"}}
    )
    assert changed["settings"] == {"show_prices": False, "account": "A-7", "labels": {"tier": "gold"}}
    assert admin.get("/entitlements/explain", consumer="Bolt", item=item)["entitled"] is True
    assert admin.post(f"/connections/{bolt}/settings", {"show_prices": False})["settings"]["account"] == "A-7"
    admin.post(f"/connections/{bolt}/settings", {"show_prices": False, "labels": {"tier": 7}}, 422)
    admin.post(f"/connections/{bolt}/settings", {"show_prices": False, "labels": {"": "gold"}}, 422)


# --- held removals


@pytest.fixture
def held(app: flask.Flask) -> tuple[str, list[str], str]:
    """An item, six who have it, of whom five do not match any more, and the removal that waits."""
    with context_of(app).database.transaction() as session:
        identity, ids = make_many(session, 6)
        unlabel(session, ids[:5])
        refresh_entitlements(session, NOW)
        return identity, ids, session.scalars(select(HeldRemoval.id)).one()


def test_what_is_held_is_listed_by_name_and_dry_run_and_explained(admin: Admin, held: Any) -> None:
    identity, ids, removal_id = held
    (row,) = admin.get("/held-removals")["items"]
    assert (row["id"], row["item"], row["entitled"], len(row["consumers"])) == (removal_id, "Business Line", 6, 5)
    assert row["audience"] == "only consumers that have the label tier with gold"
    (change,) = admin.post("/entitlements/preview")["items"]
    assert (change["removed"], len(change["held"])) == ([], 5)
    told_ = admin.get("/entitlements/explain", consumer=ids[0], item=identity)
    assert (told_["entitled"], told_["matches"]) == (True, False)
    assert "held with many others until a person confirms it" in told_["answer"]


def test_confirmed_the_consumers_lose_it_and_the_audit_names_who_confirmed(
    app: flask.Flask, admin: Admin, held: Any
) -> None:
    identity, ids, removal_id = held
    assert admin.post(f"/held-removals/{removal_id}/confirm")["state"] == "confirmed"
    with context_of(app).database.reading() as session:
        assert entitled(session, identity) == set(ids[5:])
        assert told(session, ids[0], identity) == [CHANGED, REMOVED]
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "entitlements.remove")).one()
        assert entry.actor.startswith("user/")
        assert entry.detail == {"connection_ids": ids[:5]}
    assert admin.get("/held-removals")["items"] == []
    assert admin.post(f"/held-removals/{removal_id}/keep", status=409)["code"] == "removal_decided"


def test_who_matches_again_before_it_is_confirmed_keeps_it(app: flask.Flask, admin: Admin, held: Any) -> None:
    identity, ids, removal_id = held
    with context_of(app).database.transaction() as session:
        healed = update(Connection).where(Connection.id == ids[0]).values(settings={"labels": {"tier": "gold"}})
        session.execute(healed)
    admin.post(f"/held-removals/{removal_id}/confirm")
    assert _entitled(app, identity) == {ids[0], ids[5]}


def test_kept_they_keep_it_until_the_criteria_change(app: flask.Flask, admin: Admin, held: Any) -> None:
    identity, ids, removal_id = held
    assert admin.post(f"/held-removals/{removal_id}/keep")["state"] == "kept"
    assert admin.post("/entitlements/refresh") == {"changed": 0}
    assert (admin.get("/held-removals")["items"], _entitled(app, identity)) == ([], set(ids))
    told_ = admin.get("/entitlements/explain", consumer=ids[0], item=identity)
    assert told_["kept_by"].startswith("user/")
    assert "decided that it keeps the item" in told_["answer"]
    criteria = {"label": {"name": "tier", "values": ["gold", "tin"]}}
    admin.post(f"/remote-record-producers/{identity}/publish", {"criteria": criteria})
    (row,) = admin.get("/held-removals")["items"]
    assert len(row["consumers"]) == 5


def test_who_matches_again_does_not_need_anybodys_word_any_more(app: flask.Flask, admin: Admin, held: Any) -> None:
    identity, ids, removal_id = held
    admin.post(f"/held-removals/{removal_id}/keep")
    for settings in ({"labels": {"tier": "gold"}}, {}):
        with context_of(app).database.transaction() as session:
            session.execute(update(Connection).where(Connection.id == ids[0]).values(settings=settings))
        admin.post("/entitlements/refresh")
    assert _entitled(app, identity) == set(ids[1:])


def test_those_who_may_only_look_decide_nothing(app: flask.Flask, held: Any) -> None:
    _, _, removal_id = held
    viewer = Admin(app, "viewer")
    assert len(viewer.get("/held-removals")["items"]) == 1
    viewer.post(f"/held-removals/{removal_id}/confirm", status=403)
    viewer.post("/entitlements/refresh", status=403)
    Admin(app, "order_agent").get("/held-removals", 403)
