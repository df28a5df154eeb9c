"""What may stand in a scratchpad."""

import pytest

from provider.domain.errors import InvalidFields
from provider.domain.scratchpads import NAME_MOST, VALUE_MOST, check_entry


@pytest.mark.parametrize("name", ["a", "tracking number", "<b>", "n" * NAME_MOST])
def test_a_name_is_any_text_that_an_address_can_carry(name: str) -> None:
    check_entry(name, "1Z999")


@pytest.mark.parametrize(
    ("name", "value", "pointer"),
    [
        ("", "1", "/name"),
        ("a/b", "1", "/name"),
        ("n" * (NAME_MOST + 1), "1", "/name"),
        ("a", "v" * (VALUE_MOST + 1), "/value"),
    ],
)
def test_what_does_not_fit_is_pointed_at(name: str, value: str, pointer: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        check_entry(name, value)
    assert [error.pointer for error in refused.value.errors] == [pointer]
