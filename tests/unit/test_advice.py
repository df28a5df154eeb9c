"""Is there a word for people about everything that can be wrong, in sentences, and without commands?"""

import pytest

from bridge.ailments import KINDS
from bridge.issues import DIFFERS
from consumer_sim.ui.advice import ADVICE as AT_CONSUMER
from provider.domain.registrations import Stage
from provider.ui.advice import ADVICE as AT_PROVIDER
from webkit.advice import Advice
from webkit.words import sentence

STEPS = {"connecting_complete", "connecting_verify", "token_refused"}


def test_every_trouble_has_its_advice_on_both_sides() -> None:
    assert set(AT_PROVIDER) == {*KINDS, DIFFERS, *Stage} - {Stage.CONNECTED}
    assert set(AT_CONSUMER) == {*KINDS, DIFFERS, *STEPS}


@pytest.mark.parametrize("advice", [*AT_PROVIDER.values(), *AT_CONSUMER.values()], ids=lambda one: one.text)
def test_an_advice_is_in_sentences_and_leads_somewhere(advice: Advice) -> None:
    assert advice.text[0].isupper() and advice.text.endswith((".", "!")) and "sxg" not in advice.text
    assert advice.label and advice.permission and advice.to.startswith("/")
    assert "{" not in advice.url({"connection_id": "1", "number": "REG0000001"})


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("paused by people: maintenance", "Paused by people: maintenance."), ("Why not?", "Why not?"), (" a. ", "A."),
        ("", ""),
    ],
)  # fmt: skip
def test_what_programs_say_is_shown_as_a_sentence(said: str, shown: str) -> None:
    assert sentence(said) == shown
