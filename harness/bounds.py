"""How often something may happen that was seen so often in so many runs."""

from __future__ import annotations

from math import exp, lgamma, log, log1p

#: Halvings of the range in which a bound is looked for: as fine as a float.
_HALVINGS = 60


def upper_bound(seen: int, runs: int, confidence: float = 0.95) -> float:
    """The share that is exceeded with that confidence by nothing that was seen so seldom.

    One-sided and exact (Clopper and Pearson, "The use of confidence or fiducial limits illustrated
    in the case of the binomial", Biometrika 1934); of runs that do not depend on each other. 1 if
    there were none. Raises ``ValueError`` for more seen than there were runs.
    """
    if not 0 <= seen <= runs:
        raise ValueError(f"{seen} of {runs} runs")
    if seen == runs:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        if _at_most(seen, runs, share) > 1 - confidence:
            low = share
        else:
            high = share
    return high


def _at_most(seen: int, runs: int, share: float) -> float:
    """The probability of seeing it at most so often, where it happens in that share of runs."""
    return sum(
        exp(
            lgamma(runs + 1)
            - lgamma(count + 1)
            - lgamma(runs - count + 1)
            + count * log(share)
            + (runs - count) * log1p(-share)
        )
        for count in range(seen + 1)
    )
