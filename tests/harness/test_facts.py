"""What the reports say of flaws, and that the bank and the checks speak of the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.catalogue import catalogue
from exercises.bank import BankError, load_bank
from harness.facts import agree
from scoring.competencies import competencies


def test_bank_and_checks_name_each_other() -> None:
    agree(load_bank(), catalogue(), competencies())


def test_a_check_that_its_flaw_does_not_name_is_an_error() -> None:
    some = next(one for one in catalogue() if one.flaw)
    stray = replace(some, id=f"{some.family}/a_stray")
    with pytest.raises(BankError, match="a_stray do not name each other"):
        agree(load_bank(), (*catalogue(), stray), competencies())
