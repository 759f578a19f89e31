"""What the explorer finds and takes, beside what a user would do instead: requests all at once.

Every variant of transfer-double-spend is put to both in one run. ``found`` of the explorer is its
verdict; of simultaneous requests it is the share of rounds in which more was spent than there was.
The speed is that of the pair of transfers on the reference, preparation and oracle included.
"""

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from checks.attachment import Testbed
from checks.client import Answer
from checks.concurrency.spending import HINT, Spending
from checks.contest import Prepare
from checks.explorer import explore
from checks.fresh import Fresh
from checks.judging import Judge
from checks.probes import Recorder, recording
from checks.settings import PATIENT_CLAIMS
from checks.tenants import Merchant, Platform
from checks.testbed.broker import Broker
from checks.testbed.control import Control
from checks.testbed.testbed import Host, Submission
from checks.verdicts import Vulnerable
from exercises.bank import load_bank
from exercises.tree import Tree, write_tree
from harness.loop import run
from harness.matrix import plan

FLAW = "transfer-double-spend"
ROUNDS = 20
AT_ONCE = (2, 10, 50)
#: Seconds within which requests arrive, where they do not all arrive together.
JITTER = 0.02


@dataclass(frozen=True)
class Row:
    """One variant: whether the explorer found it, in which time; and the rounds that did.

    ``speed`` is in schedules a second, on the pair of transfers, where all of them were run.
    """

    variant: str
    found: bool
    seconds: float
    speed: float
    rounds: tuple[tuple[int, float], ...]


@contextlib.asynccontextmanager
async def testbed(host: Host, tree: Tree) -> AsyncIterator[Testbed]:
    """A testbed around a variant, without a worker."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        write_tree(tree, Path(name) / "submission")
        async with (
            Submission.prepare(host, Path(name) / "submission") as submission,
            Broker.open(submission) as broker,
            await Control.connect(broker.socket) as control,
        ):
            settings = dict(PATIENT_CLAIMS)
            lease = await control.lease("exclusive", worker=False, settings=settings)
            lent = Testbed(control, lease)
            yield lent
            await lent.close()


async def at_once(prepare: Prepare, count: int, jitter: float) -> bool:
    """One round: so many requests at once, over all replicas; whether too much was spent."""
    contest = await prepare(count)

    async def send(number: int) -> Answer:
        await asyncio.sleep(random.uniform(0, jitter))
        return await contest.requests[number](number % 2)

    answers = await asyncio.gather(*(send(number) for number in range(count)))
    try:
        contest.verify(answers, await contest.view())
    except Vulnerable:
        return True
    return False


async def measure(host: Host, label: str, tree: Tree) -> Row:
    async with testbed(host, tree) as lent:
        fresh = Fresh(7, label)
        platform = Platform(lent.connections, lent.lease.admin_token, fresh)
        alice, bob = (Merchant(name, platform, Fresh(7, name)) for name in ("alice", "bob"))
        with recording(Recorder("bench/explorer")):
            await alice.open()
            await bob.open()
            spending = await Spending.open(alice, bob, fresh)
            began, found, speed = time.perf_counter(), True, 0.0
            with contextlib.suppress(Vulnerable):
                figures = await explore(lent, spending.transfers, "transfer", Judge(HINT))
                speed = figures.run / (time.perf_counter() - began)
                await explore(lent, spending.with_a_reversal, "debit", Judge(HINT))
                found = False
            seconds = time.perf_counter() - began
            rounds = []
            for jitter in (0.0, JITTER):
                for count in AT_ONCE:
                    began = time.perf_counter()
                    hits = [await at_once(spending.transfers, count, jitter) for _ in range(ROUNDS)]
                    rounds.append((sum(hits), time.perf_counter() - began))
    return Row(label, found, seconds, speed, tuple(rounds))


async def measure_all() -> list[Row]:
    bank = load_bank(only=[FLAW])
    cells = plan(list(bank.flaws.values()), 1)
    async with Host.open(trusted=True) as host:
        return [await measure(host, cell.label, cell.tree()) for cell in cells]


def main() -> None:
    rows = run(measure_all())
    heads = [f"{count} at once" for count in AT_ONCE] + [f"{count}, jitter" for count in AT_ONCE]
    print(f"{'variant':34} {'explorer':>16}  " + "  ".join(f"{head:>14}" for head in heads))
    for row in rows:
        verdict = f"{'found' if row.found else 'nothing':>7} {row.seconds:6.2f} s"
        plain = "  ".join(f"{hits:3}/{ROUNDS} {took:6.2f} s" for hits, took in row.rounds)
        print(f"{row.variant:34} {verdict:>16}  {plain}")
    reference = next(row for row in rows if row.variant == "reference")
    print(f"{reference.speed:.0f} schedules a second on the reference; at least 30 are wanted.")


if __name__ == "__main__":
    main()
