"""``assay learn``: a flaw shown live, then its lesson; or a way to remove it, tried live."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from checks.catalogue import select
from checks.evidence import CheckVerdict
from checks.testbed.testbed import Host
from exercises.bank import Flaw, Variant, load_bank
from exercises.tree import compose, reference_tree
from harness.difference import difference
from harness.errors import DONE, UsageError
from harness.exchanges import print_verdict
from harness.facts import flaw_facts
from harness.loop import run
from harness.progress import Progress
from harness.session import checking, fresh_seed, prepared, session


def learn(name: str, label: str | None) -> int:
    """Shows a flaw being exploited, and teaches what it is.

    With the label of a variant (``decoy:NAME``), that is shown live instead, with its code. Raises
    ``UnknownFlawError`` or ``UsageError``.
    """
    flaw = load_bank(only=[name]).flaw(name)
    variant = _chosen(flaw, label)
    with Progress() as progress, progress.stage(f"running the service with {variant.label} in it"):
        verdicts, code = run(_live(flaw, variant))
    console = Console(highlight=False)
    console.print(Rule(Text(flaw.title, "bold")))
    about = f"{flaw.severity}, {_weaknesses(flaw)}" if label is None else variant.label
    console.print(Text(f"\n{about}: {variant.mechanism}. Shown live:\n", "dim"))
    for verdict in verdicts:
        print_verdict(verdict, console, probes="attacks", hint=label is None)
        console.print()
    if label is None:
        console.print(Markdown(flaw.lesson.to_markdown()))
        console.print(_ways(flaw))
    seeded = variant.kind == "inject"
    heading = "from the flawed code to the reference's" if seeded else "what it changes"
    console.print(Rule(Text(heading, "bold")))
    console.print(Syntax(code, "diff", background_color="default", word_wrap=True))
    console.print(Text(f"\nTo explore it by hand: assay serve --flaw {name}", "cyan"))
    return DONE


def _chosen(flaw: Flaw, label: str | None) -> Variant:
    known = {one.label: one for one in flaw.variants}
    if label is not None and label not in known:
        raise UsageError(f"{flaw.id} has no variant {label!r}; there are: {', '.join(known)}.")
    return known[label] if label else next(iter(flaw.inject.values()))


async def _live(flaw: Flaw, variant: Variant) -> tuple[list[CheckVerdict], str]:
    """The flaw's verdicts on a variant, and its code: how it is mended, or what it changes."""
    tree = compose(reference_tree(), [variant.patch()])
    names = select(flaws=[flaw.id], contract=False)
    async with (
        checking(names, fresh_seed()) as check,
        Host.open(trusted=True) as host,
        prepared(host, tree) as submission,
        session(submission) as running,
    ):
        found = [one async for one in check(running)]
    if variant.kind == "inject":
        code = (await flaw_facts(flaw, variant, "fastapi")).difference
    else:
        code, _ = await difference(reference_tree(), tree)
    return [one for one in found if one.flaw == flaw.id], code


def _ways(flaw: Flaw) -> RenderableType:
    """The right ways to remove a flaw and the wrong ones, each of which can be shown live."""
    right, wrong = flaw.fixes.values(), flaw.decoys.values()
    return Group(
        Text("\nOther right ways\n", "bold"),
        _table(right),
        Text("\nWays that do not remove it\n", "bold"),
        _table(wrong),
        Text(f"\nTo see one at work: assay learn {flaw.id} --variant {next(iter(wrong)).label}\n"),
    )


def _table(variants: Iterable[Variant]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column()
    for one in variants:
        table.add_row(Text(one.label), Text(one.mechanism))
    return table


def _weaknesses(flaw: Flaw) -> str:
    return ", ".join([*(f"CWE-{number}" for number in flaw.cwe), *flaw.owasp])
