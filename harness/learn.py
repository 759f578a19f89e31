"""``assay learn``: a flaw shown live on the flawed service, then its lesson."""

from __future__ import annotations

from rich.console import Console
from rich.markdown import Markdown
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from checks.catalogue import select
from checks.evidence import CheckVerdict, FlawFacts
from checks.testbed.testbed import Host
from exercises.bank import Flaw, load_bank
from exercises.tree import compose, reference_tree
from harness.errors import DONE
from harness.exchanges import print_verdict
from harness.facts import flaw_facts
from harness.loop import run
from harness.progress import Progress
from harness.session import checking, fresh_seed, prepared, session


def learn(name: str) -> int:
    """Shows a flaw being exploited, and teaches what it is; raises ``UnknownFlawError``."""
    flaw = load_bank(only=[name]).flaw(name)
    with Progress() as progress, progress.stage(f"running the service with {name} in it"):
        facts, verdicts = run(_live(flaw))
    console = Console(highlight=False)
    console.print(Rule(Text(flaw.title, "bold")))
    console.print(Text(f"\n{flaw.severity}, {_weaknesses(flaw)}. Shown live:\n", "dim"))
    for verdict in verdicts:
        print_verdict(verdict, console, probes="attacks")
        console.print()
    console.print(Markdown(flaw.lesson.to_markdown()))
    console.print(Rule(Text("from the flawed code to the reference's", "bold")))
    console.print(Syntax(facts.difference, "diff", background_color="default", word_wrap=True))
    console.print(Text(f"\nTo explore it by hand: assay serve --flaw {name}", "cyan"))
    return DONE


async def _live(flaw: Flaw) -> tuple[FlawFacts, list[CheckVerdict]]:
    seeded = next(iter(flaw.inject.values()))
    facts = await flaw_facts(flaw, seeded, "fastapi")
    tree = compose(reference_tree(), [seeded.patch()])
    names = select(flaws=[flaw.id], contract=False)
    async with (
        checking(names, fresh_seed()) as check,
        Host.open(trusted=True) as host,
        prepared(host, tree) as submission,
        session(submission) as running,
    ):
        found = [one async for one in check(running)]
    return facts, [one for one in found if one.flaw == flaw.id]


def _weaknesses(flaw: Flaw) -> str:
    return ", ".join([*(f"CWE-{number}" for number in flaw.cwe), *flaw.owasp])
