"""How surely races are found: the checks of every variant of every race flaw, over and over.

python -m tests.benchmarks.bench_races --runs 300 --flaw transfer-double-spend
"""

import argparse
import asyncio
import sys
import time

from checks.evidence import Verdict
from checks.testbed.testbed import Host
from exercises.bank import load_bank
from harness.bounds import upper_bound
from harness.loop import run
from harness.matrix import Planned, plan
from tests.benchmarks.variants import RACES, Row, measure


async def measure_all(flaws: list[str], runs: int, at_once: int) -> list[Row]:
    bank = load_bank(only=flaws)
    room = asyncio.Semaphore(at_once)

    async def told(host: Host, cell: Planned) -> Row:
        row = await measure(host, cell, runs, room)
        right, verdicts = len(row.verdicts) - row.wrong, sorted(map(str, set(row.verdicts)))
        print(
            f"{cell.flaw.id:24} {cell.label:40} {right:4} of {len(row.verdicts):4}"
            f" {', '.join(verdicts):12} {row.median:6.2f} s  {row.because[:300]}",
            flush=True,
        )
        return row

    async with Host.open(trusted=True) as host:
        cells = plan([bank.flaws[flaw] for flaw in flaws], 1)
        return await asyncio.gather(*(told(host, cell) for cell in cells))


def summed_up(rows: list[Row], expected: Verdict, what: str) -> str:
    of_kind = [row for row in rows if row.planned.expected is expected]
    runs, wrong = sum(len(row.verdicts) for row in of_kind), sum(row.wrong for row in of_kind)
    return (
        f"{len(of_kind)} {what} variants in {runs} runs: {wrong} runs came out other than"
        f" {expected}; with 95 % confidence, at most {upper_bound(wrong, runs) * 100:.2f} % do."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="of each variant's checks")
    parser.add_argument("--flaw", action="append", choices=RACES, help="may be repeated")
    parser.add_argument("--at-once", type=int, default=2, help="variants under way at a time")
    arguments = parser.parse_args()
    began = time.monotonic()
    rows = run(measure_all(arguments.flaw or list(RACES), arguments.runs, arguments.at_once))
    print(summed_up(rows, Verdict.VULNERABLE, "flawed"))
    print(summed_up(rows, Verdict.SECURE, "sound"))
    print(f"{time.monotonic() - began:.0f} s.")
    return any(row.wrong for row in rows)


if __name__ == "__main__":
    sys.exit(main())
