"""What Schemathesis makes of an OpenAPI document, sent to a world of records, each answer held against the document.

Generated texts alone would end at the first check of the first handler: an id that is none, a required answer that is
missing. So most calls get the ids of records that are there, and most bodies members of one that is accepted.
"""

import json
from collections import Counter
from io import BytesIO
from itertools import cycle
from random import Random
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from bridge import signing
from tests.api.worlds import World, documented_path, endpoint_of
from tests.consumer_factories import SECRET, comment_added, item_changed, product_changed, state_changed

OAUTH = "/exchange/v1/token"
"""Refuses in the words of RFC 6749 instead of problems."""
RECEIVER = "/exchange/v1/connections/{callback_id}/events"
FILES = {"attachments.attach", "attachments.choose", "exchange_attachments.put_content"}
"""Take any bytes."""
CLOSE = "/exchange/v1/connection/close"
"""Ends the credentials that all other calls are made with; `tests/api/test_offboarding_api.py` calls it."""
NOT_LET_IN = {"unauthorized", "forbidden"}
"""What valid credentials never get."""
REAL = 0.75
"""The share of calls that go to a record which is there."""
OUTWARD = {"provider_url", "callback_url"}
"""Addresses that the app calls. No name that was made up is looked up in the DNS."""

PROMISES = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
)  # fmt: skip


def operations_of(world: World) -> list[Any]:
    """Every operation of the app's document, as Schemathesis sees it."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", world.app)
    found = [one.ok() for one in schema.get_all_operations()]  # type: ignore[union-attr]
    return [one for one in found if one.path != CLOSE]


def modes(operation: Any) -> list[GenerationMode]:
    """A text in a path cannot be wrong by its schema, so what takes nothing else is called with right values only."""
    takes_more = len(operation.body) or len(operation.query)
    return [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if takes_more else [])]


def try_operation(world: World, operation: Any, *, cases: int, number: int = 0) -> Counter[int]:
    """Make up to so many calls of each mode; how many got which status. Raises on a broken promise.

    `number` chooses which calls are made; the same number makes the same.
    """
    sample = accepted_body(world, operation)
    return sum((try_mode(world, operation, mode, sample, cases, number) for mode in modes(operation)), Counter())


def try_mode(world: World, operation: Any, mode: GenerationMode, sample: Any, cases: int, number: int) -> Counter[int]:
    ids = world.values(rule_of(world, operation))
    known = world.peers if operation.path.startswith("/exchange") else world.people
    seen: Counter[int] = Counter()

    @seed(number)
    @settings(
        max_examples=cases, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=HealthCheck
    )
    @given(turn=st.integers(0, 2**32), case=operation.as_strategy(generation_mode=mode))
    def call(turn: int, case: Any) -> None:
        # Drawn choices would mostly be the simplest ones; and a call that failed must come out the same when repeated.
        chance = Random(f"{turn} {case.path_parameters} {case.query} {case.body}")
        if ids and chance.random() < REAL:
            case.path_parameters = ids
        if sample is not None:
            case.body = grafted(case.body, sample, chance)
        response = case.call(headers=known | {"Idempotency-Key": str(uuid4())})
        seen[response.status_code] += 1
        check(case, response)

    call()
    return seen


def check(case: Any, response: Any) -> None:
    case.validate_response(response, checks=[CHECKS.get_one(name) for name in PROMISES])
    if response.status_code >= 400 and case.operation.path != OAUTH:
        assert response.headers["content-type"] == ["application/problem+json"], response.text
        assert {"type", "code", "title", "status"} <= response.json().keys(), response.text
        assert response.json()["code"] not in NOT_LET_IN, response.text


def grafted(made: Any, sample: Any, chance: Random) -> Any:
    """The sample with none, one, two or all of its members made up; of a list, each of its documents so."""
    if isinstance(made, list) and isinstance(sample, list) and chance.random() < REAL:
        pairs = zip(made, cycle(sample), strict=False)
        return [grafted(one if isinstance(one, dict) else {}, right, chance) for one, right in pairs]
    if not isinstance(made, dict) or not isinstance(sample, dict):
        return made
    count = chance.choice((0, 1, 1, 2, len(made)))
    chosen = set(chance.sample(sorted(made), min(count, len(made)))) - OUTWARD
    kept = OUTWARD & sample.keys() if count == len(made) else sample.keys() - chosen
    return {name: made[name] for name in chosen} | {name: sample[name] for name in kept}


def rule_of(world: World, operation: Any) -> Any:
    method = operation.method.upper()
    return next(rule for _, rule in world.rules(method) if documented_path(rule) == operation.path)


def accepted_body(world: World, operation: Any) -> Any:
    """A body that the operation takes, None when it takes none."""
    if operation.path == OAUTH:
        return client_credentials(world)
    if operation.path == RECEIVER:
        return batch(world)
    endpoint = endpoint_of(rule_of(world, operation))
    return world.bodies[endpoint] if len(operation.body) and endpoint not in FILES else None


def client_credentials(world: World) -> dict[str, str]:
    """What the token endpoint takes from a consumer that has just introduced itself."""
    made = world.call("POST", "/api/v1/registrations", json=world.bodies["registrations.create"]).get_json()
    said = world.bodies["exchange.complete"] | {"token": made["token"], "instance_id": str(uuid4())}
    admission = world.call("POST", "/exchange/v1/registrations/complete", json=said).get_json()
    return {
        "grant_type": "client_credentials",
        "client_id": admission["client_id"],
        "client_secret": admission["client_secret"],
    }


def batch(world: World) -> list[dict[str, Any]]:
    """One event of each kind, each the next of its stream."""
    task_id = world.ids["task_id"]
    events = [
        state_changed(task_id, 2, "acknowledged"), comment_added(task_id, 3), product_changed(str(uuid4()), 1),
        item_changed(str(uuid4()), 1),
    ]  # fmt: skip
    return [json.loads(event) for event in events]


def sign_batches(world: World) -> None:
    """Put the provider's signature on whatever is sent to the consumer's receiver, as a proxy in front of it would."""
    app, clock = world.app.wsgi_app, world.app.extensions["sxg-consumer"].clock

    def front(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"].endswith("/events"):
            body = environ["wsgi.input"].read()
            now_s = int(clock().timestamp())
            signed = signing.sign(body, message_id=f"msg_{uuid4().hex}", now_s=now_s, secrets=[SECRET])
            environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed.items()}
            environ["wsgi.input"] = BytesIO(body)
        return app(environ, start_response)

    world.app.wsgi_app = front  # type: ignore[method-assign]
