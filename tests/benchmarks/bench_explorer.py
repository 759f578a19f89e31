"""What the explorer finds and takes, beside what a user would do instead: requests all at once.

Every flawed variant of the races, and the reference, is put to both in one run. ``found`` of the
explorer is the verdict of the flaw's checks; of simultaneous requests it is the share of rounds in
which the flaw showed. The speed is that of the pair of transfers on the reference, preparation and
oracle included.
"""

import argparse
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

from checks.attachment import Testbed
from checks.concurrency.spending import HINT, Spending
from checks.evidence import Verdict
from checks.explorer import TWO_PREEMPTIONS, Exploration
from checks.fresh import Fresh
from checks.judging import Judge
from checks.operations import Tenants
from checks.tenants import Merchant
from checks.testbed.control import Control
from checks.testbed.testbed import Host
from exercises.bank import load_bank
from exercises.tree import reference_tree
from harness.loop import run
from harness.matrix import Planned, plan
from tests.benchmarks.simultaneous import ROUNDS
from tests.benchmarks.variants import BENCH, RACES, Row, apart, prepared, repeat, started

#: The flaws that are compared.
COMPARED = tuple(flaw for flaw in RACES if flaw in ROUNDS)

#: Rounds of so many requests at once, with and without jitter.
TIMES = 20
WAYS = tuple((count, jitter) for jitter in (False, True) for count in (2, 10, 50))

#: Schedules a second that are wanted, and seconds that the sweep of one preemption may take.
WANTED, SWEEP = 30, 2.0

#: Explorations that are timed, after so many that are not.
WARM, TIMED = 1, 5


@dataclass
class Found:
    """What was found of a flaw's variants, and the seconds that it took."""

    variants: int = 0
    found: int = 0
    seconds: float = 0.0
    rounds: Counter[tuple[int, bool]] = field(default_factory=Counter)
    took: dict[tuple[int, bool], float] = field(default_factory=lambda: dict.fromkeys(WAYS, 0.0))


async def by_rounds(control: Control, flaw: str, found: Found) -> None:
    """Simultaneous requests, in each way."""

    async def rounds(tenants: Tenants) -> None:
        for way in WAYS:
            began = time.perf_counter()
            for _ in range(TIMES):
                one = await ROUNDS[flaw](tenants, way[0])
                found.rounds[way] += await one.found(jitter=way[1])
            found.took[way] += time.perf_counter() - began

    async with started(control, BENCH) as testbed:
        await apart(testbed, rounds)


async def by_checks(control: Control, planned: Planned, found: Found) -> None:
    """The flaw's checks, until one has found it."""
    row = Row(planned)
    await repeat(control, row, 1)
    found.found += row.verdicts == [Verdict.VULNERABLE]
    found.seconds += row.median
    found.variants += 1


async def compare(host: Host, flaw: str) -> tuple[Found, Found]:
    """What is found of a flaw's variants, and, wrongly, of the reference."""
    flawed, sound = Found(), Found()
    for planned in plan([load_bank(only=[flaw]).flaws[flaw]], 1):
        if planned.variant is not None and planned.expected is Verdict.SECURE:
            continue
        of_kind = sound if planned.variant is None else flawed
        async with prepared(host, planned.tree()) as control:
            await by_checks(control, planned, of_kind)
            await by_rounds(control, flaw, of_kind)
    return flawed, sound


async def speed(host: Host) -> None:
    """What a schedule takes, on the pair of transfers on the reference: the median of some runs."""

    async def pair(alice: Merchant, bob: Merchant, fresh: Fresh, testbed: Testbed) -> None:
        spending = await Spending.open(alice, bob, fresh)
        sweeps, rates = [], []
        for _ in range(WARM + TIMED):
            for two in (0, TWO_PREEMPTIONS):
                exploration = Exploration(testbed, spending.transfers, "transfer", Judge(HINT))
                began = time.perf_counter()
                await exploration.walk(await exploration.solos(), two)
                took = time.perf_counter() - began
                figures = exploration.figures
                if two:
                    rates.append((figures.serial + figures.run) / took)
                else:
                    sweeps.append(took)
        swept, rate = statistics.median(sweeps[WARM:]), statistics.median(rates[WARM:])
        print(
            f"\n{rate:.0f} schedules a second on the reference ({WANTED} at least), those of the"
            f" serial orders among them; one preemption in {swept:.2f} s ({SWEEP:g} at most)."
        )

    async with (
        prepared(host, reference_tree("fastapi")) as control,
        started(control, BENCH) as testbed,
    ):
        await apart(testbed, pair)


def told(flaw: str, what: str, found: Found) -> str:
    """One line of the table."""
    rounds = TIMES * found.variants
    shares = (f"{found.rounds[way] / rounds:6.0%} {found.took[way] / rounds:5.2f}" for way in WAYS)
    checks = f"{found.found:3} of {found.variants:2} {found.seconds / found.variants:6.2f}"
    return f"{flaw:24} {what:10} {checks}  " + " ".join(shares)


async def measure(flaws: list[str]) -> None:
    heads = (f"{count:2} at once{' ~' if jitter else '  '}" for count, jitter in WAYS)
    print("Share found, and seconds for each variant or round; ~ with jitter of their arrival.")
    print(f"{'flaw':24} {'code':10} {'by checks':>16}  " + " ".join(heads))
    async with Host.open(trusted=True) as host:
        for flaw in flaws:
            flawed, sound = await compare(host, flaw)
            print(
                told(flaw, "flawed", flawed), told(flaw, "reference", sound), sep="\n", flush=True
            )
        await speed(host)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flaw", action="append", choices=COMPARED, help="may be repeated")
    run(measure(parser.parse_args().flaw or list(COMPARED)))


if __name__ == "__main__":
    main()
