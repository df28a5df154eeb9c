"""Criteria as documents: every fault is pointed at, every condition can hold and not hold, and nothing is implied."""

from typing import Any
from uuid import uuid4

import pytest

from provider.domain.criteria import (
    CONDITIONS,
    Agreement,
    Consumer,
    Owned,
    conditions_of,
    judge,
    read_criteria,
    say_criteria,
)
from provider.domain.errors import InvalidFields

ME, OTHER = str(uuid4()), str(uuid4())
ACME = Consumer(
    connection_id=ME, name="ACME IT", company="ACME", account="A-7", labels={"tier": "gold"},
    settings={"show_prices": True, "peer_version": "1.2"},
    offerings={"po-line": Owned(2, "PRD0000001")}, specifications={"ps-line": Owned(2, "PRD0000001")},
    contracts=(Agreement("CON0000001", "Gold", frozenset({"po-line"})), Agreement("CON0000002", "Silver")),
)  # fmt: skip
NOBODY = Consumer(connection_id=OTHER, name="Bolt")
HOLDS: dict[str, Any] = {
    "connection_ids": [ME],
    "companies": ["ACME", "Bolt"],
    "accounts": ["A-7"],
    "label": {"name": "tier", "values": ["gold", "silver"]},
    "setting": {"name": "show_prices", "values": [True]},
    "owns_offerings": ["po-line", "po-other"],
    "owns_specifications": ["ps-line"],
    "contracts": {"names": ["Gold"], "offerings": ["po-line"], "specifications": ["ps-other"]},
}
YES, NO = {"companies": ["ACME"]}, {"companies": ["Bolt"]}
UNKNOWN = {"moon_phase": "full"}


def test_every_condition_has_a_row_here() -> None:
    assert HOLDS.keys() == CONDITIONS.keys()


@pytest.mark.parametrize("kind", HOLDS)
def test_a_condition_holds_for_who_has_it_and_not_for_who_has_not(kind: str) -> None:
    criteria = read_criteria({kind: HOLDS[kind]})
    assert judge(criteria, ACME).holds is True
    finding = judge(criteria, NOBODY)
    assert finding.holds is False
    assert finding.words
    assert finding.looked_at


@pytest.mark.parametrize(
    ("criteria", "holds"),
    [
        ({"any": [YES, NO]}, True),
        ({"any": [NO, NO]}, False),
        ({"all": [YES, NO]}, False),
        ({"all": [YES, YES]}, True),
        ({"all": [YES, {"any": [NO, YES]}]}, True),
        ({"any": [NO, {"all": [YES, NO]}]}, False),
        (UNKNOWN, None),
        ({"any": [YES, UNKNOWN]}, True),
        ({"any": [NO, UNKNOWN]}, None),
        ({"all": [NO, UNKNOWN]}, False),
        ({"all": [YES, UNKNOWN]}, None),
        ({}, None),
    ],
)
def test_conditions_combine_and_what_is_not_known_decides_nothing(criteria: Any, holds: bool | None) -> None:
    assert judge(criteria, ACME).holds is holds


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        ({}, "/criteria", "required"),
        (None, "/criteria", "required"),
        ([], "/criteria", "required"),
        ({"all_consumers": False}, "/criteria/all_consumers", "unknown"),
        ({"all_consumers": True, "companies": ["ACME"]}, "/criteria", "required"),
        ({"companies": []}, "/criteria", "required"),
        ({"companies": ["ACME", ""]}, "/criteria/companies/1", "type"),
        ({"companies": ["a\nb"]}, "/criteria/companies/0", "type"),
        ({"companies": ["x" * 121]}, "/criteria/companies/0", "type"),
        ({"any": []}, "/criteria/any", "required"),
        ({"any": [YES, {}]}, "/criteria/any/1", "required"),
        ({"any": [YES, {"companies": []}]}, "/criteria/any/1/companies", "required"),
        ({"any": [{"all": [{"label": {"name": "tier"}}]}]}, "/criteria/any/0/all/0/label", "type"),
        ({"label": {"name": "tier", "values": []}}, "/criteria/label/values", "type"),
        ({"label": {"name": "tier", "values": ["gold", 7]}}, "/criteria/label/values/1", "type"),
        ({"label": {"name": " ", "values": ["gold"]}}, "/criteria/label/name", "type"),
        ({"setting": {"name": "secrets", "values": ["x"]}}, "/criteria/setting/name", "unknown"),
        ({"setting": {"name": "show_prices", "values": ["yes"]}}, "/criteria/setting/values", "type"),
        ({"moon_phase": ["full"]}, "/criteria/moon_phase", "unknown"),
        ({"contracts": ["C-1"]}, "/criteria/contracts", "type"),
        ({"contracts": {"numbers": ["C-1"]}}, "/criteria/contracts", "type"),
        ({"contracts": {"names": []}}, "/criteria/contracts/names", "type"),
        ({"contracts": {"offerings": ["po-line", 7]}}, "/criteria/contracts/offerings/1", "type"),
        ({"any": [{"any": [{"any": [{"any": [YES]}]}]}]}, "/criteria/any/0/any/0/any/0/any", "too_deep"),
        ({"any": [{"any": [YES] * 30}, {"all": [YES] * 30}]}, "/criteria", "too_many"),
        ({"any": [YES] * 51}, "/criteria/any", "too_many"),
    ],
)
def test_every_fault_is_pointed_at(document: Any, pointer: str, code: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        read_criteria(document)
    assert [(fault.pointer, fault.code) for fault in refused.value.errors] == [(pointer, code)]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidFields) as refused:
        read_criteria({"any": [{"companies": [""]}, {"moon_phase": 1}]})
    assert [fault.pointer for fault in refused.value.errors] == [
        "/criteria/any/0/companies/0",
        "/criteria/any/1/moon_phase",
    ]


def test_the_normal_form_is_sorted_and_names_each_once() -> None:
    assert read_criteria({"companies": ["b", " a ", "b"]}) == {"companies": ["a", "b"]}
    assert read_criteria({"connection_ids": [ME.upper(), ME]}) == {"connection_ids": [ME]}
    assert read_criteria({"all_consumers": True}) == {"all_consumers": True}


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({}, True),
        ({"names": ["Silver", "Bronze"]}, True),
        ({"names": ["Bronze"]}, False),
        ({"offerings": ["po-line"]}, True),
        ({"offerings": ["po-other"]}, False),
        ({"specifications": ["po-line"]}, False),
        ({"names": ["Silver"], "offerings": ["po-line"]}, False),  # both of one contract
    ],
)
def test_one_contract_has_to_be_all_that_is_asked_for(asked: Any, holds: bool) -> None:
    finding = judge(read_criteria({"contracts": asked}), ACME)
    assert finding.holds is holds
    assert "CON0000002 (Silver)" in finding.looked_at or holds


def test_conditions_are_found_wherever_they_stand() -> None:
    found = list(conditions_of({"any": [YES, {"all": [NO, {"accounts": ["A"]}]}]}))
    assert found == [
        ("/criteria/any/0/companies", "companies", ["ACME"]),
        ("/criteria/any/1/all/0/companies", "companies", ["Bolt"]),
        ("/criteria/any/1/all/1/accounts", "accounts", ["A"]),
    ]


@pytest.mark.parametrize(
    ("criteria", "words"),
    [
        (None, "nobody yet"),
        ({"all_consumers": True}, "all consumers, also those that connect later"),
        ({"connection_ids": [ME]}, "only ACME IT"),
        (YES, "only consumers that belong to the company ACME"),
        (
            {"any": [YES, {"all": [NO, {"label": {"name": "tier", "values": ["a", "b"]}}]}]},
            "only consumers that belong to the company ACME or "
            "(belong to the company Bolt and have the label tier with a or b)",
        ),
        ({"owns_offerings": ["po-line"]}, "only consumers that have a product in use of Business Line"),
        ({"contracts": {}}, "only consumers that have a contract in force"),
        (
            {"contracts": {"names": ["Gold"], "offerings": ["po-line"], "specifications": ["ps-x"]}},
            "only consumers that have a contract in force named Gold for Business Line or ps-x",
        ),
        (UNKNOWN, "only consumers that have “moon_phase”, which this version does not know"),
    ],
)
def test_criteria_are_said_in_plain_words(criteria: Any, words: str) -> None:
    assert say_criteria(criteria, {ME: "ACME IT", "po-line": "Business Line"}) == words
