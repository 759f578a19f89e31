"""The geometry of the load chart; the template draws it as inline SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checks.evidence import LoadReport, LoadSide

#: Slices drawn at most.
MOST_SLICES = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """One horizontal bar: its length as a share of the axis, and the figure beside it."""

    side: str
    share: float
    figure: str


@dataclass(frozen=True, slots=True)
class Group:
    """Bars that compare the two services in one measure."""

    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Groups by panel: throughput first, then latency; each panel has its own axis."""

    throughput: tuple[Group, ...]
    latency: tuple[Group, ...]


def chart(load: LoadReport) -> Chart:
    """The chart of a load report; figures that are no numbers are drawn as nothing."""
    sides = (("submission", load.submission), ("reference", load.reference))
    slices = min(len(load.submission.slices), len(load.reference.slices), MOST_SLICES)
    rates: list[tuple[str, list[tuple[str, float]]]] = [
        ("all", [(name, side.throughput) for name, side in sides])
    ]
    rates += [
        (f"slice {index + 1}", [(name, side.slices[index]) for name, side in sides])
        for index in range(slices)
    ]
    times = [
        (measure, [(name, _measure(side, measure)) for name, side in sides])
        for measure in ("p50", "p95", "p99")
    ]
    return Chart(_groups(rates, "/s"), _groups(times, " ms"))


def _measure(side: LoadSide, measure: str) -> float:
    return {"p50": side.p50, "p95": side.p95, "p99": side.p99}[measure]


def _groups(rows: list[tuple[str, list[tuple[str, float]]]], unit: str) -> tuple[Group, ...]:
    figures = [figure for _, bars in rows for _, figure in bars if math.isfinite(figure)]
    top = max([*figures, 1e-9])
    return tuple(
        Group(label, tuple(Bar(name, _share(rate, top), _say(rate, unit)) for name, rate in bars))
        for label, bars in rows
    )


def _share(figure: float, top: float) -> float:
    return max(0.0, figure / top) if math.isfinite(figure) else 0.0


def _say(figure: float, unit: str) -> str:
    return f"{figure:,.0f}{unit}" if math.isfinite(figure) else "no figure"
