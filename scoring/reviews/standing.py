"""How a review stands: what it found, what it raised that is not there, and how well it weighed.

*Recall* is the share of the planted flaws that were found, weighed by severity as flaws are
everywhere. *Precision* is the share of its claims that are right: a claim is a comment of a kind
that a flaw can be, and it is right where it found a flaw or a person has accepted it. What no
person has judged yet is read both ways, so precision and what follows from it are bounds until
then. Claims that repeat one another count once, remarks about tests or design not at all. The
*balance* is the harmonic mean of the two (van Rijsbergen, Information Retrieval, 1979, ch. 7), so
that neither flagging every line nor naming the one sure thing is a good review.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from checks.reviewed import Decision, Planted, Review
from scoring.points import WEIGHT
from scoring.reviews.matching import Match, Outcome, match

_RANKS = {"critical": 4, "high": 3, "medium": 2, "low": 1, "nit": 0}

#: Severities from which a pull request must not go in as it is.
_STOPS = frozenset({"critical", "high"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of a share while claims are open: it is at least and at most this."""

    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Standing:
    """A review held against what was planted.

    ``found`` and ``missed`` are flaws' ids. ``severity_off`` says for each found flaw by how many
    ranks the comment rated it too high (or, negative, too low). ``decided`` is whether the decision
    is one that the flaws allow; ``None`` where there is no decision.
    """

    matches: tuple[Match, ...]
    found: tuple[str, ...]
    missed: tuple[str, ...]
    recall: float
    precision: Bounds
    balance: Bounds
    severity_off: dict[str, int]
    decided: bool | None


@dataclass(frozen=True, slots=True)
class Judged:
    """The open comments, by id, that a person has accepted, and those that a person has not."""

    accepted: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()


def standing(review: Review, planted: Sequence[Planted], judged: Judged = Judged()) -> Standing:
    """Holds a review against what was planted, and against what persons said of the rest."""
    matches = match(review.comments, planted)
    finds = {one.flaw: one for one in matches if one.outcome is Outcome.FOUND}
    recall = _recall(planted, finds)
    precision = _precision(matches, judged)
    return Standing(
        matches=matches,
        found=tuple(flaw.flaw for flaw in planted if flaw.flaw in finds),
        missed=tuple(flaw.flaw for flaw in planted if flaw.flaw not in finds),
        recall=recall,
        precision=precision,
        balance=Bounds(_mean(recall, precision.least), _mean(recall, precision.most)),
        severity_off={
            flaw.flaw: _RANKS[finds[flaw.flaw].comment.severity] - _RANKS[flaw.severity]
            for flaw in planted
            if flaw.flaw in finds
        },
        decided=_decided(review.decision, planted),
    )


def _recall(planted: Sequence[Planted], found: Collection[str]) -> float:
    """1 where nothing was planted: there was nothing to miss."""
    whole = sum(WEIGHT[flaw.severity] for flaw in planted)
    had = sum(WEIGHT[flaw.severity] for flaw in planted if flaw.flaw in found)
    return had / whole if whole else 1.0


def _precision(matches: Sequence[Match], judged: Judged) -> Bounds:
    """1 where nothing was claimed: nothing was raised that is not there."""
    right = sum(one.outcome is Outcome.FOUND for one in matches)
    claims = [one.comment.id for one in matches if one.outcome is Outcome.OPEN]
    accepted = sum(id_ in judged.accepted for id_ in claims)
    rejected = sum(id_ in judged.rejected for id_ in claims)
    unknown = len(claims) - accepted - rejected
    whole = right + len(claims)
    if not whole:
        return Bounds(1.0, 1.0)
    return Bounds((right + accepted) / whole, (right + accepted + unknown) / whole)


def _mean(recall: float, precision: float) -> float:
    both = recall + precision
    return 2 * recall * precision / both if both else 0.0


def _decided(decision: Decision | None, planted: Sequence[Planted]) -> bool | None:
    """Grave flaws are to be stopped, lesser ones not to be waved through; else, either may be."""
    if decision is None:
        return None
    if any(flaw.severity in _STOPS for flaw in planted):
        return decision == "request changes"
    return decision != "approve" if planted else decision != "request changes"
