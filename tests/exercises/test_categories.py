"""The categories of reviews, and that every flaw has one."""

from __future__ import annotations

import pytest

from exercises.bank import load_bank
from exercises.categories import categories, categories_of
from scoring.competencies import competencies

BANK = load_bank()


@pytest.mark.parametrize("name", BANK.flaws)
def test_a_flaw_can_be_named(name: str) -> None:
    flaw = BANK.flaw(name)
    found = categories_of(flaw.cwe, flaw.competencies)
    assert 1 <= len(found) <= 5
    assert set(found) <= categories().keys()


def test_categories_speak_of_competencies_that_there_are() -> None:
    named = {skill for one in categories().values() for skill in one.competencies}
    assert named <= competencies().keys()


def test_what_no_flaw_is_stays_for_a_person() -> None:
    for id_ in ("tests", "design", "other"):
        assert not categories()[id_].cwe
        assert not categories()[id_].competencies
