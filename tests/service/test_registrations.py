"""A registration token makes one connection, whatever is repeated, raced or lost on the way."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from bridge.database import Database
from bridge.identity import Keyring
from bridge.models import Connection
from bridge.vocabulary import ConnectionState
from provider.domain.errors import Conflict, IllegalMove, InvalidFields
from provider.models.access import AccessToken, AuditEntry, Registration
from provider.services.connections import (
    authenticate_token,
    issue_token,
    pause_connection,
    resume_connection,
    revoke_connection,
    show_connections,
)
from provider.services.errors import (
    ChallengeFailed,
    ConnectionNotActive,
    CredentialsInvalid,
    NotAuthenticated,
    RegistrationTokenInvalid,
)
from provider.services.registrations import (
    Admission,
    Introduction,
    activate_connection,
    complete_registration,
    prepare_challenge,
    reissue_token,
)
from tests.factories import (
    LOOPBACK,
    NOW,
    PROVIDER,
    at_once,
    introduction,
    make_keyring,
    make_registration,
    provider_database,
)

WORKERS = 10
USES_EACH = 5


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with provider_database(database_url) as database:
        yield database


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return make_keyring(tmp_path)


@pytest.fixture
def token(database: Database) -> str:
    with database.transaction() as session:
        return make_registration(session)[1]


def complete(
    database: Database, keyring: Keyring, token: str, said: Introduction | None = None, *, hours: float = 0
) -> Admission:
    with database.transaction() as session:
        return complete_registration(
            session, keyring, LOOPBACK, token, said or introduction(), now=NOW + timedelta(hours=hours)
        )


def sign_in(database: Database, admission: Admission, client_id: str) -> str:
    with database.transaction() as session:
        return issue_token(session, client_id, admission.client_secret, now=NOW)[0]


def test_fifty_uses_at_once_leave_one_connection_and_one_live_secret(
    database: Database, keyring: Keyring, token: str
) -> None:
    said = introduction()

    def use() -> list[tuple[str, Admission]]:
        made = []
        for _ in range(USES_EACH):
            admission = complete(database, keyring, token, said)
            made.append((str(admission.connection.client_id), admission))
        return made

    results = at_once([use] * WORKERS)
    assert [result for result in results if isinstance(result, Exception)] == []
    uses = [use for result in results for use in result]
    assert len(uses) == WORKERS * USES_EACH

    live = 0
    for client_id, admission in uses:
        try:
            sign_in(database, admission, client_id)
            live += 1
        except CredentialsInvalid:
            pass
    assert live == 1
    with database.reading() as session:
        assert session.execute(select(func.count()).select_from(Connection)).scalar_one() == 1


def test_a_repeated_completion_voids_secrets_and_tokens_of_the_former(
    database: Database, keyring: Keyring, token: str
) -> None:
    first = complete(database, keyring, token)
    bearer = sign_in(database, first, str(first.connection.client_id))
    second = complete(database, keyring, token)

    assert second.connection.id == first.connection.id
    with pytest.raises(NotAuthenticated):
        authenticate_token(database, bearer, now=NOW)
    assert sign_in(database, second, str(second.connection.client_id))


def test_a_token_ends_after_a_day_and_is_replaced_by_a_new_one(database: Database, keyring: Keyring) -> None:
    with database.transaction() as session:
        registration_id, old = make_registration(session)
    with pytest.raises(RegistrationTokenInvalid):
        complete(database, keyring, old, hours=24)
    with database.transaction() as session:
        _, new = reissue_token(session, registration_id, actor="user/ann", now=NOW + timedelta(hours=24))
    with pytest.raises(RegistrationTokenInvalid):
        complete(database, keyring, old)
    assert complete(database, keyring, new, hours=47).connection.state == ConnectionState.PENDING


def test_verifying_spends_the_token(database: Database, keyring: Keyring, token: str) -> None:
    admission = complete(database, keyring, token)
    with database.transaction() as session:
        challenge = prepare_challenge(session, PROVIDER, admission.connection.id, now=NOW)
    with database.transaction() as session:
        assert activate_connection(session, challenge, now=NOW).state == ConnectionState.ACTIVE
    with database.transaction() as session:
        assert activate_connection(session, challenge, now=NOW).state == ConnectionState.ACTIVE
        assert session.execute(select(Registration.state)).scalar_one() == "closed_complete"
    with pytest.raises(RegistrationTokenInvalid):
        complete(database, keyring, token)


@pytest.mark.parametrize("same_callback", [True, False])
def test_a_challenge_under_former_credentials_proves_nothing(
    database: Database, keyring: Keyring, token: str, same_callback: bool
) -> None:
    said = introduction()
    admission = complete(database, keyring, token, said)
    with database.transaction() as session:
        challenge = prepare_challenge(session, PROVIDER, admission.connection.id, now=NOW)
    complete(database, keyring, token, said if same_callback else introduction())
    with database.transaction() as session, pytest.raises(ChallengeFailed):
        activate_connection(session, challenge, now=NOW)


@pytest.mark.parametrize(
    ("wanted", "given"), [("ACME", ["ACME", "ACME2", "ACME3"]), ("ABCDEFGHIJKL", ["ABCDEFGHIJKL", "ABCDEFGHIJK2"])]
)
def test_number_prefixes_are_made_unique(database: Database, keyring: Keyring, wanted: str, given: list[str]) -> None:
    found = []
    for _ in given:
        with database.transaction() as session:
            token = make_registration(session)[1]
        found.append(complete(database, keyring, token, introduction(number_prefix=wanted)).connection.number_prefix)
    assert found == given


def test_prefixes_asked_for_at_once_are_unique_too(database: Database, keyring: Keyring) -> None:
    with database.transaction() as session:
        tokens = [make_registration(session)[1] for _ in range(6)]
    results = at_once([lambda token=token: complete(database, keyring, token) for token in tokens])  # type: ignore[misc]
    assert [result for result in results if isinstance(result, Exception)] == []
    assert len({result.connection.number_prefix for result in results}) == 6


def test_a_company_and_an_instance_may_have_several_connections(database: Database, keyring: Keyring) -> None:
    base_url, instance_id = "https://acme.example", str(uuid4())
    made = []
    for path in ("sales", "it", "it/second"):
        with database.transaction() as session:
            token = make_registration(session, "ACME", base_url=base_url)[1]
        said = introduction(instance_id=instance_id, callback_url=f"{base_url}/{path}")
        made.append(complete(database, keyring, token, said).connection)
    assert len({connection.id for connection in made}) == len({connection.client_id for connection in made}) == 3
    assert {connection.peer_instance_id for connection in made} == {instance_id}
    with database.reading() as session:
        shown = show_connections(session, made, now=NOW)
    assert [(one["company"], one["registration_number"]) for one in shown] == [
        ("ACME", f"REG000000{number}") for number in (1, 2, 3)
    ]


def test_a_callback_belongs_to_one_connection_until_that_is_revoked(
    database: Database, keyring: Keyring, token: str
) -> None:
    said = introduction()
    first = complete(database, keyring, token, said).connection
    with database.transaction() as session:
        another = make_registration(session)[1]
    with pytest.raises(Conflict) as refused:
        complete(database, keyring, another, introduction(callback_url=said.callback_url))
    assert refused.value.code == "callback_taken"
    with database.transaction() as session:
        revoke_connection(session, first.id, reason="moved", actor="user/ann", now=NOW)
    complete(database, keyring, another, introduction(callback_url=said.callback_url))


BASE = {"base_url": "https://acme.example/portal/"}
EXACT = {"callback_url": "https://acme.example/portal/events"}


@pytest.mark.parametrize(
    ("urls", "callback_url", "good"),
    [
        (BASE, "https://acme.example/portal/events", True),
        (BASE, "https://ACME.example:443/portal/a%20b", True),
        (BASE, "https://acme.example/portal", True),
        (BASE, "https://acme.example/portals/events", False),
        (BASE, "https://acme.example/portal/../events", False),
        (BASE, "https://acme.example/portal/%2e%2e/events", False),
        (BASE, "https://acme.example:8443/portal/events", False),
        (BASE, "https://acme.example.evil.example/portal/events", False),
        (BASE, "https://evil.example/portal/events", False),
        (EXACT, "https://acme.example/portal/events", True),
        (EXACT, "https://acme.example/portal/events/more", False),
        (BASE | EXACT, "https://acme.example/portal/events", True),
        (BASE | EXACT, "https://acme.example/portal/other", False),
    ],
)
def test_a_token_is_good_only_where_its_registration_says(
    database: Database, keyring: Keyring, urls: dict[str, str], callback_url: str, good: bool
) -> None:
    with database.transaction() as session:
        token = make_registration(session, **urls)[1]
    if good:
        assert complete(database, keyring, token, introduction(callback_url=callback_url)).connection.peer_url
        return
    with pytest.raises(InvalidFields) as refused:
        complete(database, keyring, token, introduction(callback_url=callback_url))
    assert [error.pointer for error in refused.value.errors] == ["/callback_url"]
    with database.reading() as session:
        assert session.execute(select(func.count()).select_from(Connection)).scalar_one() == 0


@pytest.mark.parametrize(
    ("urls", "pointer"),
    [
        ({"base_url": "https://169.254.169.254/"}, "/base_url"),
        ({"base_url": "acme"}, "/base_url"),
        ({"callback_url": "http://["}, "/callback_url"),
        (BASE | {"callback_url": "https://acme.example/elsewhere"}, "/callback_url"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_at_registering(
    database: Database, urls: dict[str, str], pointer: str
) -> None:
    with database.transaction() as session, pytest.raises(InvalidFields) as refused:
        make_registration(session, **urls)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_a_callback_that_must_not_be_reached_is_refused_by_pointer(
    database: Database, keyring: Keyring, token: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        complete(database, keyring, token, introduction(callback_url="https://169.254.169.254/latest"))
    assert refused.value.errors[0].pointer == "/callback_url"


def test_no_secret_is_stored_in_clear(database: Database, keyring: Keyring, token: str) -> None:
    admission = complete(database, keyring, token)
    bearer = sign_in(database, admission, str(admission.connection.client_id))
    with database.reading() as session:
        stored = [
            str({column.name: getattr(row, column.name) for column in row.__table__.columns})
            for model in (Connection, Registration, AccessToken, AuditEntry)
            for row in session.execute(select(model)).scalars()
        ]
    for secret in (token, bearer, admission.client_secret, admission.webhook_secret):
        assert not [text for text in stored if secret in text]


def test_revoking_ends_tokens_and_credentials_for_ever(database: Database, keyring: Keyring, token: str) -> None:
    admission = complete(database, keyring, token)
    connection_id, client_id = admission.connection.id, str(admission.connection.client_id)
    bearer = sign_in(database, admission, client_id)
    with database.transaction() as session:
        revoke_connection(session, connection_id, reason="contract ended", actor="user/ann", now=NOW)
    with pytest.raises(NotAuthenticated):
        authenticate_token(database, bearer, now=NOW)
    with pytest.raises(CredentialsInvalid):
        sign_in(database, admission, client_id)
    with pytest.raises(RegistrationTokenInvalid):
        complete(database, keyring, token)
    with database.transaction() as session, pytest.raises(IllegalMove):
        resume_connection(session, connection_id, actor="user/ann", now=NOW)


def test_a_pending_connection_is_opened_by_its_challenge_only(database: Database, keyring: Keyring, token: str) -> None:
    admission = complete(database, keyring, token)
    with database.transaction() as session, pytest.raises(ConnectionNotActive):
        resume_connection(session, admission.connection.id, actor="user/ann", now=NOW)
    with database.transaction() as session, pytest.raises(IllegalMove):
        pause_connection(session, admission.connection.id, reason="no", actor="user/ann", now=NOW)


def test_an_access_token_ends_after_a_quarter_of_an_hour(database: Database, keyring: Keyring, token: str) -> None:
    admission = complete(database, keyring, token)
    bearer = sign_in(database, admission, str(admission.connection.client_id))
    assert authenticate_token(database, bearer, now=NOW + timedelta(seconds=899)).state == ConnectionState.PENDING
    with pytest.raises(NotAuthenticated):
        authenticate_token(database, bearer, now=NOW + timedelta(seconds=900))
