"""Where the flaws of a pull request stand in it."""

from __future__ import annotations

import pytest

from exercises.bank import Variant, load_bank
from exercises.pull_request import Planted, planted
from exercises.tree import compose, reference_tree

BANK = load_bank()
FORMS = [variant for flaw in BANK.flaws.values() for variant in flaw.inject.values()]
BASE = reference_tree()


def alone(form: Variant) -> Planted:
    (found,) = planted([(BANK.flaw(form.flaw), form)], [], BASE)
    return found


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.flaw}-{form.name}")
def test_every_seeded_form_has_places_on_which_to_comment(form: Variant) -> None:
    found = alone(form)
    head = compose(BASE, [form.patch()])
    assert found.hunks
    for hunk in (*found.hunks, *found.functions):
        assert hunk.path in form.patch().paths
        lines = (head if hunk.side == "new" else BASE)[hunk.path].decode().splitlines()
        assert 1 <= hunk.first <= hunk.last
        assert hunk.first <= len(lines) + 1
    for function in found.functions:
        lines = (head if function.side == "new" else BASE)[function.path].decode().splitlines()
        assert any("def " in line for line in lines[function.first - 1 : function.last])


def test_places_are_those_of_the_whole_branch() -> None:
    names = {"transfer-deadlock": "locks-in-request-order", "account-idor": "transfers-by-id-alone"}
    both = [(BANK.flaw(flaw), BANK.flaw(flaw).inject[form]) for flaw, form in names.items()]
    more = BANK.flaw("reversal-twice").inject["read-first"].patch()
    head = compose(BASE, [*(form.patch() for _, form in both), more])
    for found, (_, form) in zip(planted(both, [more], BASE), both, strict=True):
        added = {
            line[1:].strip()
            for line in form.path.read_text().splitlines()
            if line.startswith("+") and not line.startswith("+++") and len(line) > 20
        }
        shown = {
            line.strip()
            for hunk in found.hunks
            if hunk.side == "new"
            for line in head[hunk.path].decode().splitlines()[hunk.first - 1 : hunk.last]
        }
        assert added & shown


def test_a_file_of_its_own_is_a_place_from_its_first_line() -> None:
    found = alone(BANK.flaw("idempotency-missing").inject["memory-of-the-process"])
    own = [hunk for hunk in found.hunks if hunk.path == "payments/idempotency/memory.py"]
    assert [hunk.first for hunk in own] == [1]
