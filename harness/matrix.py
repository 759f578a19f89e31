"""The matrix that proves the grader: each flaw's variants, what is expected of them, what came."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from checks.evidence import PRECEDENCE, CheckVerdict, Verdict
from exercises.bank import Flaw, Variant
from exercises.tree import compose, reference_tree
from harness.bounds import upper_bound

#: How a cell is tried: with its flaw's own checks; held to the whole contract; or that, among
#: others.
Mode = Literal["alone", "whole", "bundled"]
Outcome = Literal["right", "false_accept", "false_reject", "wrong", "inconclusive", "error"]


@dataclass(frozen=True, slots=True)
class Planned:
    """One cell to be run: a flaw, and the variant of it that stands in the reference.

    ``variant`` is ``None`` for the reference's own code.
    """

    flaw: Flaw
    variant: Variant | None
    repeat: int

    @property
    def label(self) -> str:
        """The variant as a cell names it."""
        return "reference" if self.variant is None else self.variant.label

    @property
    def place(self) -> tuple[str, str, int]:
        """Which cell it is, however it is tried."""
        return self.flaw.id, self.label, self.repeat

    @property
    def expected(self) -> Verdict:
        """Fixes and the reference are secure; what was seeded, and decoys, are vulnerable."""
        sound = self.variant is None or self.variant.kind == "fix"
        return Verdict.SECURE if sound else Verdict.VULNERABLE

    def tree(self, track: str = "fastapi") -> dict[str, bytes]:
        """The submission that the cell tries; raises ``PatchError``."""
        patches = [] if self.variant is None else [self.variant.patch()]
        return compose(reference_tree(track), patches)


class Cell(BaseModel):
    """What one cell came to; ``because`` says why where it came out wrong.

    ``seconds`` are those of its flaw's checks; ``key`` is the fingerprint of its trial.
    """

    model_config = ConfigDict(frozen=True)

    mode: Mode
    flaw: str
    variant: str
    expected: Verdict
    verdict: Verdict
    repeat: int
    seconds: float
    seed: int
    outcome: Outcome
    because: str = ""
    key: str = ""

    @property
    def place(self) -> tuple[Mode, str, str, int]:
        """Which cell it is."""
        return self.mode, self.flaw, self.variant, self.repeat


class Totals(BaseModel):
    """How many cells came out how."""

    model_config = ConfigDict(frozen=True)

    cells: int
    false_accept: int
    false_reject: int
    wrong: int
    inconclusive: int
    error: int

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> Totals:
        """The totals of some cells."""
        given = [cell.outcome for cell in cells]
        return cls(
            cells=len(given),
            false_accept=given.count("false_accept"),
            false_reject=given.count("false_reject"),
            wrong=given.count("wrong"),
            inconclusive=given.count("inconclusive"),
            error=given.count("error"),
        )

    @property
    def clean(self) -> bool:
        """Whether every cell came out as expected."""
        return not (
            self.false_accept + self.false_reject + self.wrong + self.inconclusive + self.error
        )


def plan(flaws: Sequence[Flaw], repeat: int) -> list[Planned]:
    """Every cell of some flaws: seeded forms, the reference, fixes and decoys, ``repeat`` times."""
    return [
        Planned(flaw, variant, number)
        for number in range(1, repeat + 1)
        for flaw in flaws
        for variant in (None, *flaw.variants)
    ]


def judge(
    cell: Planned, verdicts: Sequence[CheckVerdict], breaks: Collection[str]
) -> tuple[Verdict, str]:
    """A cell's verdict, and the reason behind it.

    It is the flaw's, unless a check of the contract came out otherwise than it must: then the
    service is broken (or the check in error, or inconclusive), whatever was said of the flaw.
    ``breaks`` are the contract checks that may fail.
    """
    own = [one for one in verdicts if one.flaw == cell.flaw.id]
    if not own:
        return Verdict.ERROR, "No check spoke about the flaw."
    contract = [
        one
        for one in verdicts
        if one.flaw is None
        and one.verdict is not Verdict.SECURE
        and not {one.check, one.blocked_by} & set(breaks)
    ]
    first = min(own, key=_precedence)
    for one in sorted(contract, key=_precedence):
        if one.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE):
            return one.verdict, _reason(one)
        if first.verdict is not Verdict.ERROR:
            return Verdict.BROKEN, _reason(one)
    return first.verdict, _reason(first)


def outcome(expected: Verdict, verdict: Verdict) -> Outcome:
    """What a cell's verdict means.

    A ``false_accept`` calls secure what is vulnerable, a ``false_reject`` finds fault with what is
    secure; a vulnerable cell that comes out neither way is ``wrong``, a mistake in the bank.
    """
    if verdict is Verdict.ERROR:
        return "error"
    if verdict is Verdict.INCONCLUSIVE:
        return "inconclusive"
    if verdict is expected:
        return "right"
    if expected is Verdict.SECURE:
        return "false_reject"
    return "false_accept" if verdict is Verdict.SECURE else "wrong"


def certainty(cells: Sequence[Cell]) -> str:
    """How often flawed code, and sound code, may come out wrong, by what was seen of them."""
    told = []
    for what, expected in (("flawed", Verdict.VULNERABLE), ("sound", Verdict.SECURE)):
        outcomes = [cell.outcome for cell in cells if cell.expected is expected]
        most = upper_bound(len(outcomes) - outcomes.count("right"), len(outcomes))
        told.append(f"at most {most * 100:.1f} % of {what} code, by {len(outcomes)} cells")
    return f"With 95 % confidence, what comes out wrong is {', and '.join(told)}."


def _precedence(verdict: CheckVerdict) -> int:
    return PRECEDENCE.index(verdict.verdict)


def _reason(verdict: CheckVerdict) -> str:
    return f"{verdict.check}: {verdict.because}" if verdict.because else verdict.check
