"""Whether the harmless changes of reviews are harmless: every check on the reference with them.

For each exercise named, or all reviews, its harmless changes stand together in one tree, as they do
in the pull request, and each check has to say secure.

python -m tests.benchmarks.harmless faster-transfers
"""

import argparse
import sys
import time

from checks.catalogue import select
from checks.evidence import Verdict
from checks.testbed.testbed import Host
from exercises.bank import load_bank
from exercises.exercise import exercise_ids, load_exercise
from exercises.tree import compose
from harness.loop import run
from harness.session import checking, fresh_seed, prepared, session


async def others_than_secure(names: list[str]) -> int:
    """How many checks say anything else, over all of these exercises."""
    bank, checks, wrong = load_bank(), select(), 0
    async with Host.open(trusted=True) as host:
        for name in names:
            exercise = load_exercise(name, bank)
            if not exercise.harmless:
                continue
            tree = compose(exercise.base(), [one.patch() for one in exercise.harmless])
            seed, told = fresh_seed(), 0
            async with (
                checking(checks, seed) as check,
                prepared(host, tree) as submission,
                session(submission) as lent,
            ):
                async for verdict in check(lent):
                    told += 1
                    if verdict.verdict is not Verdict.SECURE:
                        wrong += 1
                        print(f"{name}: {verdict.check} {verdict.verdict}: {verdict.because[:300]}")
            print(f"{name}: {told} checks, seed {seed}.", flush=True)
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("exercise", nargs="*", help="a review; all, if none is named")
    began = time.monotonic()
    wrong = run(others_than_secure(parser.parse_args().exercise or list(exercise_ids())))
    print(f"{wrong} verdicts other than secure, {time.monotonic() - began:.0f} s.")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
