"""Turns the samples of a run into the figures of a report.

Only correct answers count towards throughput, so that refusing quickly is no way to be fast.
Percentiles are exact, over correct answers and time-outs. Requests and errors are those of the
whole run; throughput and percentiles leave the warm-up out.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence

from checks.evidence import LoadReport, LoadSide
from checks.load.profile import Profile, Results, Sample, Side

TIMED_OUT = "timed out"
_PROBLEMS = 8


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of values in ascending order; 0 where there are none."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def report(profile: Profile, results: Results, *, failure: str | None = None) -> LoadReport:
    """The load figures of both sides and the median ratio of the pairs of slices."""
    rates = _rates(results)
    paired = [
        rates["submission"][pair] / rates["reference"][pair]
        for pair in sorted(rates["submission"].keys() & rates["reference"].keys())
        if rates["reference"][pair] > 0
    ]
    return LoadReport(
        profile=profile.name,
        users=profile.users,
        submission=_side(results, "submission", rates["submission"]),
        reference=_side(results, "reference", rates["reference"]),
        ratio=round(statistics.median(paired), 3) if paired else 0.0,
        failure=failure or results.failure,
    )


def _counted(results: Results, side: Side) -> list[Sample]:
    return [
        sample
        for sample in results.samples
        if results.slices[sample.slice].side == side
        and results.slices[sample.slice].pair is not None
    ]


def _rates(results: Results) -> dict[Side, dict[int, float]]:
    """Correct answers a second in each counted slice, by side and pair."""
    answered: Counter[int] = Counter()
    for sample in results.samples:
        if not sample.problem and sample.ended <= results.slices[sample.slice].deadline:
            answered[sample.slice] += 1
    rates: dict[Side, dict[int, float]] = {"submission": {}, "reference": {}}
    for index, driven in enumerate(results.slices):
        if driven.pair is not None:
            seconds = driven.deadline - driven.started
            rates[driven.side][driven.pair] = answered[index] / seconds
    return rates


def _side(results: Results, side: Side, rates: dict[int, float]) -> LoadSide:
    samples = _counted(results, side)
    times = sorted(s.seconds * 1000 for s in samples if s.problem in ("", TIMED_OUT))
    every = [s for s in results.samples if results.slices[s.slice].side == side]
    problems = Counter(f"{s.operation}: {s.problem}" for s in every if s.problem)
    return LoadSide(
        requests=len(every),
        errors=sum(1 for sample in every if sample.problem),
        throughput=round(statistics.fmean(rates.values()), 1) if rates else 0.0,
        p50=round(percentile(times, 0.50), 2),
        p95=round(percentile(times, 0.95), 2),
        p99=round(percentile(times, 0.99), 2),
        slices=tuple(round(rates[pair], 1) for pair in sorted(rates)),
        problems=tuple(f"{text} ({n})" for text, n in problems.most_common(_PROBLEMS)),
    )
