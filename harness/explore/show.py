"""An exploration on the terminal: the verdict, the figures, and the interleaving in lanes."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from checks.evidence import Exchange, Probe, ScheduleStep
from harness.exchanges import SQL, print_probe
from harness.explore.record import Explored
from reports.visible import visible
from reports.words import seconds

_HEADS = {
    "race": ("✗ A race was found", "bold red"),
    "no race": ("✓ No race was found", "bold green"),
    "inconclusive": ("? Inconclusive", "bold yellow"),
}

#: Characters of an answer's body.
_BODY = 160


def show(found: Explored, console: Console, *, replayed: bool = False) -> None:
    """Print it."""
    text, style = _HEADS[found.verdict]
    if replayed:
        text = {
            "race": "✗ It happens again",
            "no race": "✓ It does not happen again",
        }.get(found.verdict, text)
    head = Text.assemble((text, style), ("  ", ""), (_line(found.title), "bold"))
    console.print(head.append(f"  {seconds(found.seconds)}", "dim"))
    if found.because:
        console.print(Text(visible(found.because)))
    for line in _figures(found):
        console.print(Text(line, "dim"), soft_wrap=True)
    if found.probe is not None:
        _print_probe(found, found.probe, console)


def _figures(found: Explored) -> Iterator[str]:
    figures = found.figures
    if figures.run:
        yield (
            f"Of {figures.exist} schedules {figures.run} were run, {figures.driven} of them as"
            f" asked; {figures.distinct} took different courses."
        )
    for why, count in figures.undriven.items():
        yield f"Not driven, {count} of them: {_line(why)}."
    if figures.gates:
        yield f"Held inside their writes to {_line(', '.join(figures.gates))}."
    if not found.settled:
        yield "One after the other they did not always do the same: invariants alone decided."
    elif found.varying:
        yield f"Not compared, since they differ from run to run: {_line(', '.join(found.varying))}."


def _print_probe(found: Explored, probe: Probe, console: Console) -> None:
    lanes = [f"request {number}" for number, _ in enumerate(found.requests, 1)]
    if not {step.lane for step in probe.schedule} <= set(lanes):
        print_probe(probe, console)  # a gate has lanes of its own
        return
    console.print(Text(f"\n{_line(probe.title.partition(': ')[2])}", "bold"))
    if probe.schedule:
        console.print(_lanes(found, probe, lanes))
    for exchange in probe.exchanges:
        console.print(_exchanged(exchange), soft_wrap=True)
    for note in probe.notes:
        console.print(Text(f"  {_line(note)}", "italic"), soft_wrap=True)


def _lanes(found: Explored, probe: Probe, lanes: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("s", justify="right", no_wrap=True, style="dim")
    for lane, request in zip(lanes, found.requests, strict=True):
        table.add_column(Text(f"{lane}\n{_line(request)}"), ratio=1, overflow="fold")
    began = probe.schedule[0].at
    for step in probe.schedule:
        cells = [_told(step) if step.lane == lane else Text() for lane in lanes]
        table.add_row(f"{step.at - began:.3f}", *cells)
    return table


def _told(step: ScheduleStep) -> Text:
    told = Text()
    if step.sql:
        cut = step.sql if len(step.sql) <= SQL else step.sql[: SQL - 1] + "…"
        told.append(f"{_line(cut)}\n", "dim")
    return told.append(_line(step.what), "bold red" if step.moment else "")


def _exchanged(exchange: Exchange) -> Text:
    answer = exchange.failure or str(exchange.status)
    line = Text.assemble(
        (f"  {_line(exchange.actor):<10}", "cyan"),
        f"{exchange.method} {_line(exchange.url)}",
        (f"  -> {_line(answer)}", "bold"),
    )
    if exchange.response is not None and exchange.response.body:
        line.append(f"  {_line(exchange.response.body[:_BODY])}", "dim")
    return line


def _line(text: str) -> str:
    return " ".join(visible(text).split())
