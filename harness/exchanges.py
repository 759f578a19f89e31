"""Probes on a terminal: what was sent, what came back, what the PSP was asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rich.console import Console
from rich.text import Text

from checks.evidence import CheckVerdict, Exchange, Probe, ScheduleStep
from harness.progress import STYLES
from reports.visible import visible

#: Characters of a body and of a statement, and how many exchanges and steps of a schedule.
BODY, SQL = 240, 90
SHOWN, STEPS_SHOWN = 12, 60


def print_verdict(
    verdict: CheckVerdict,
    console: Console,
    *,
    probes: Literal["none", "attacks", "all"] = "all",
    hint: bool = True,
) -> None:
    """A verdict with its reason, its ``hint`` at the mending, and its probes: ``attacks`` leaves
    out the first, the legitimate flow that leads up to them.
    """
    head = Text.assemble((str(verdict.verdict), f"bold {STYLES[verdict.verdict]}"), "  ")
    console.print(head.append(verdict.summary))
    console.print(Text(verdict.check, "dim"))
    for text, style in ((verdict.because, ""), (verdict.hint if hint else "", "cyan")):
        if text:
            console.print(Text(visible(text), style))
    for probe in verdict.probes if probes != "none" else ():
        if probes == "all" or not probe.id.endswith("#0"):
            print_probe(probe, console)


def print_probe(probe: Probe, console: Console) -> None:
    """One probe: its exchanges, its schedule, the PSP's journal and its notes."""
    console.print(Text.assemble("\n", (probe.title, "bold"), (f"  {probe.id}", "dim")))
    for exchange in _shown(probe.exchanges, console):
        _print_exchange(exchange, console)
    for step in probe.schedule[:STEPS_SHOWN]:
        _print_step(step, console)
    for entry in probe.journal[:SHOWN]:
        done = "done" if entry.effect else "not done"
        answer = "no answer" if entry.status is None else str(entry.status)
        line = f"  PSP  {entry.method} {visible(entry.path)}: {answer}, {done}"
        console.print(Text(line, "magenta"))
    for note in probe.notes:
        console.print(Text(f"  {visible(note)}", "italic"))


def _print_step(step: ScheduleStep, console: Console) -> None:
    told = Text(f"  {step.at:7.3f} s  {visible(step.lane)}: {visible(step.what)}")
    if step.moment or step.cut:
        told.stylize("bold red")
    if step.sql:
        cut = step.sql if len(step.sql) <= SQL else step.sql[: SQL - 1] + "…"
        told.append(f"  {visible(cut)}", "dim")
    console.print(told)


def _shown(exchanges: tuple[Exchange, ...], console: Console) -> Iterable[Exchange]:
    """The last exchanges: the attack comes after what it builds on."""
    left_out = len(exchanges) - SHOWN
    if left_out > 0:
        console.print(Text(f"  ({left_out} earlier exchanges are left out)", "dim"))
    return exchanges[-SHOWN:]


def _print_exchange(exchange: Exchange, console: Console) -> None:
    answer = "no answer" if exchange.status is None else str(exchange.status)
    line = Text.assemble(
        (f"  {exchange.actor:<8} ", "cyan"),
        f"{exchange.method} {visible(exchange.url)}",
        (f"  -> {answer}", "bold"),
        (f"  replica {exchange.replica}, {exchange.seconds * 1000:.0f} ms", "dim"),
    )
    console.print(line)
    if exchange.request.body:
        console.print(Text(f"           > {visible(exchange.request.body, BODY)}", "dim"))
    if exchange.response is not None and exchange.response.body:
        console.print(Text(f"           < {visible(exchange.response.body, BODY)}", "dim"))
    if exchange.failure:
        console.print(Text(f"           ! {visible(exchange.failure)}", "red"))
