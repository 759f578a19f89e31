"""Whether a flaw's checks keep silent where another flaw is seeded.

Each seeded form of each flaw meets the checks of the others. They come out secure, or not reached
because of a check that is that flaw's own; anything else is told, and is a wrong verdict unless the
flaw says that it affects the other too.

python -m tests.benchmarks.cross_talk --checks-of reversal-twice --seed serialization-500
"""

import argparse
import asyncio
import sys
import time

from checks.catalogue import catalogue
from checks.evidence import CheckVerdict, Verdict
from checks.testbed.testbed import Host
from exercises.bank import Flaw, Variant, load_bank
from exercises.tree import compose, reference_tree
from harness.loop import run
from tests.benchmarks.variants import Stand, checks_of, prepared

#: Seeded forms under way at a time.
AT_ONCE = 2


def expected(seeded: Flaw, other: Flaw, verdict: CheckVerdict) -> bool:
    """Whether a check of another flaw may say so of a service that this one is seeded in."""
    if verdict.verdict is Verdict.SECURE or other.id in seeded.also_affects:
        return True
    return verdict.verdict is Verdict.NOT_REACHED and verdict.blocked_by in seeded.checks


async def meet(host: Host, flaw: Flaw, form: Variant, others: list[Flaw]) -> int:
    """How many of the others' checks say what they should not, of one seeded form."""
    asked, wrong = [one.id for one in catalogue()], 0
    async with prepared(host, compose(reference_tree(), [form.patch()])) as control:
        for other in others:
            for check in checks_of(other.id):
                stand = Stand(control, check, asked)
                async with stand.held:
                    verdict = await stand.verdict()
                if not expected(flaw, other, verdict):
                    wrong += 1
                    print(
                        f"{flaw.id} {form.label}: {check.id} {verdict.verdict}"
                        f" ({verdict.blocked_by or verdict.because[:200]})",
                        flush=True,
                    )
    return wrong


async def measure_all(seeds: list[str], others: list[str]) -> int:
    bank, room = load_bank(), asyncio.Semaphore(AT_ONCE)

    async def told(host: Host, flaw: Flaw, form: Variant) -> int:
        apart = {flaw.id, *flaw.exclusive}
        met = [bank.flaw(one) for one in others or bank.flaws if one not in apart]
        async with room:
            return await meet(host, flaw, form, met)

    async with Host.open(trusted=True) as host:
        flaws = [bank.flaw(one) for one in seeds or bank.flaws]
        forms = [(flaw, one) for flaw in flaws for one in flaw.variants if one.kind == "inject"]
        wrong = sum(await asyncio.gather(*(told(host, *one) for one in forms)))
    print(
        f"{len(forms)} seeded forms: {wrong} verdicts of other flaws' checks were not as expected."
    )
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", action="append", default=[], help="flaw; may be repeated")
    parser.add_argument("--checks-of", action="append", default=[], help="flaw; may be repeated")
    arguments = parser.parse_args()
    began = time.monotonic()
    wrong = run(measure_all(arguments.seed, arguments.checks_of))
    print(f"{time.monotonic() - began:.0f} s.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
