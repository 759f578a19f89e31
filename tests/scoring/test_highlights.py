"""The questions that a lesson holds, as the first page asks them."""

from __future__ import annotations

import pytest

from scoring.highlights import first_question
from scoring.role import load_role
from scoring.scorecard import score
from tests.scoring import evidence_samples as samples


@pytest.mark.parametrize(
    ("markdown", "question"),
    [
        ("1. *Why is `id` no key?* It leaks.\n2. *Two?* No.", "Why is id no key?"),
        ("- **Why?** Because.", "Why?"),
        ("1. _Where must\n   it stand?_ In the look-up.", "Where must it stand?"),
        ("1. What does `SKIP LOCKED` skip?\n", "What does SKIP LOCKED skip?"),
        ("What would you ask?\n\nAnd then?", "What would you ask?"),
        ("### Questions\n\n1) First?\n2) Second?", "First?"),
        ("", ""),
        ("   \n\n", ""),
    ],
)  # fmt: skip
def test_the_first_question_stands_without_its_answer(markdown: str, question: str) -> None:
    assert first_question(markdown) == question


def test_the_gravest_flaw_comes_first() -> None:
    card = score(samples.partial(), load_role("techflow"))
    assert [one.subject for one in card.highlights] == [
        "transfer-double-spend",
        "jwt-algorithm",
        "idempotency-claim-race",
    ]
    assert card.highlights[0].requirements == ("brokers-and-sql",)


def test_a_repaired_submission_is_asked_about_what_could_not_be_assessed() -> None:
    card = score(samples.repaired(), load_role("techflow"))
    assert [one.tone for one in card.highlights] == ["for", "for", "for"]
    assert card.questions[-1].requirement == "go"
