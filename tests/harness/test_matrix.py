"""What a calibration cell's verdicts mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.evidence import CheckVerdict, Verdict
from exercises.bank import Flaw, Variant
from exercises.lesson import Lesson
from harness.matrix import Cell, Planned, Totals, certainty, judge, outcome, plan
from harness.trials import Trial

LESSON = Lesson(wrong="w", why="y", fix="f", trade_offs="t", questions="q", hints=("n", "d"))


def variant(kind: str, name: str, breaks: tuple[str, ...] = ()) -> Variant:
    return Variant("a-flaw", kind, name, name, Path(name), breaks)  # type: ignore[arg-type]


FLAW = Flaw(
    id="a-flaw",
    title="A flaw",
    family="security",
    severity="high",
    cwe=(1,),
    owasp=(),
    competencies=("api.contract",),
    minutes=5,
    checks=("security/one", "security/two"),
    exclusive=(),
    also_affects=(),
    untried=(),
    lesson=LESSON,
    inject={"seed": variant("inject", "seed")},
    fixes={name: variant("fix", name) for name in "abc"},
    decoys={"x": variant("decoy", "x"), "y": variant("decoy", "y", ("contract/flow",))},
)


def said(check: str, verdict: Verdict, blocked_by: str | None = None) -> CheckVerdict:
    flaw = "a-flaw" if check.startswith("security/") else None
    return CheckVerdict(
        check=check, flaw=flaw, verdict=verdict, summary="s", because="why", blocked_by=blocked_by
    )


def cell(label: str) -> Planned:
    return next(one for one in plan([FLAW], 1) if one.label == label)


def judged(planned: Planned, verdicts: list[CheckVerdict]) -> tuple[Verdict, str]:
    return judge(planned, verdicts, Trial("whole", (planned,)).breaks)


def test_every_variant_has_a_cell_for_each_repeat() -> None:
    planned = plan([FLAW], 3)
    assert len(planned) == 3 * (1 + 1 + 3 + 2)
    assert [(one.label, str(one.expected)) for one in planned[:7]] == [
        ("reference", "secure"),
        ("seeded:seed", "vulnerable"),
        ("fix:a", "secure"),
        ("fix:b", "secure"),
        ("fix:c", "secure"),
        ("decoy:x", "vulnerable"),
        ("decoy:y", "vulnerable"),
    ]
    assert {one.repeat for one in planned} == {1, 2, 3}


V = Verdict


@pytest.mark.parametrize(
    ("label", "verdicts", "verdict", "meaning"),
    [
        ("fix:a", {"security/one": V.SECURE, "security/two": V.SECURE}, V.SECURE, "right"),
        (
            "fix:a",
            {"security/one": V.SECURE, "security/two": V.VULNERABLE},
            V.VULNERABLE,
            "false_reject",
        ),
        ("fix:a", {"security/one": V.SECURE, "contract/flow": V.BROKEN}, V.BROKEN, "false_reject"),
        (
            "fix:a",
            {"security/one": V.NOT_REACHED, "contract/flow": V.SECURE},
            V.NOT_REACHED,
            "false_reject",
        ),
        ("reference", {"security/one": V.ERROR}, V.ERROR, "error"),
        (
            "decoy:x",
            {"security/one": V.VULNERABLE, "contract/flow": V.SECURE},
            V.VULNERABLE,
            "right",
        ),
        ("decoy:x", {"security/one": V.SECURE}, V.SECURE, "false_accept"),
        ("decoy:x", {"security/one": V.VULNERABLE, "contract/flow": V.BROKEN}, V.BROKEN, "wrong"),
        (
            "decoy:y",
            {"security/one": V.VULNERABLE, "contract/flow": V.BROKEN},
            V.VULNERABLE,
            "right",
        ),
        ("decoy:y", {"security/one": V.VULNERABLE, "contract/other": V.BROKEN}, V.BROKEN, "wrong"),
        ("seeded:seed", {"security/one": V.NOT_REACHED}, V.NOT_REACHED, "wrong"),
        ("seeded:seed", {"security/one": V.VULNERABLE, "contract/flow": V.ERROR}, V.ERROR, "error"),
        ("seeded:seed", {"security/one": V.ERROR, "contract/flow": V.BROKEN}, V.ERROR, "error"),
        ("seeded:seed", {"security/one": V.INCONCLUSIVE}, V.INCONCLUSIVE, "inconclusive"),
        ("seeded:seed", {"contract/flow": V.SECURE}, V.ERROR, "error"),
    ],
)
def test_a_cells_verdict(
    label: str, verdicts: dict[str, Verdict], verdict: Verdict, meaning: str
) -> None:
    planned = cell(label)
    found, _ = judged(planned, [said(check, one) for check, one in verdicts.items()])
    assert found is verdict
    assert outcome(planned.expected, found) == meaning


def test_what_a_broken_check_blocks_is_its_fault_alone() -> None:
    verdicts = [
        said("security/one", V.VULNERABLE),
        said("contract/flow", V.BROKEN),
        said("contract/later", V.NOT_REACHED, blocked_by="contract/flow"),
    ]
    assert judged(cell("decoy:y"), verdicts)[0] is V.VULNERABLE
    assert judged(cell("decoy:x"), verdicts)[0] is V.BROKEN


def ended(expected: Verdict, verdict: Verdict) -> Cell:
    return Cell(
        mode="alone",
        flaw="f",
        variant="v",
        expected=expected,
        verdict=verdict,
        repeat=1,
        seconds=0.0,
        seed=0,
        outcome=outcome(expected, verdict),
    )


@given(st.lists(st.tuples(st.sampled_from([V.SECURE, V.VULNERABLE]), st.sampled_from(list(V)))))
def test_totals_count_every_cell_once(pairs: list[tuple[Verdict, Verdict]]) -> None:
    cells = [ended(*pair) for pair in pairs]
    totals = Totals.of(cells)
    counts = totals.model_dump()
    right = sum(expected is verdict for expected, verdict in pairs)
    assert counts.pop("cells") == right + sum(counts.values()) == len(pairs)
    assert totals.clean == (right == len(pairs))


def test_what_was_seen_bounds_what_may_be() -> None:
    cells = [ended(V.VULNERABLE, V.VULNERABLE)] * 59 + [ended(V.SECURE, V.SECURE)] * 29
    assert certainty(cells) == (
        "With 95 % confidence, what comes out wrong is at most 5.0 % of flawed code, by 59 cells,"
        " and at most 9.8 % of sound code, by 29 cells."
    )
    wrong = ended(V.SECURE, V.INCONCLUSIVE)
    assert "at most 14.9 % of sound code, by 30 cells" in certainty([*cells, wrong])
    assert "at most 100.0 % of sound code, by 0 cells" in certainty(cells[:59])
