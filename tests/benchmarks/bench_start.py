"""A replica's cold start: from its command to its first ready answer, confined as a submission is.

Its bytecode is compiled, as in an image; each start is a process of its own.
"""

import statistics
import time

from checks.attachment import Testbed
from checks.testbed.testbed import Host
from exercises.tree import reference_tree
from harness.loop import run
from tests.benchmarks.variants import BENCH, prepared, started

#: Starts that are measured, after one that is not.
ROUNDS = 9

#: Seconds that are allowed.
WANTED = 1.0


async def start(testbed: Testbed) -> float:
    """Seconds until a replica that was killed is ready again."""
    await testbed.kill(0)
    began = time.perf_counter()
    await testbed.start(0)
    return time.perf_counter() - began


async def main() -> None:
    async with (
        Host.open(trusted=True) as host,
        prepared(host, reference_tree()) as control,
        started(control, BENCH) as testbed,
    ):
        await start(testbed)
        times = [await start(testbed) for _ in range(ROUNDS)]
    print(
        f"Ready after {statistics.median(times):.2f} s, at most {max(times):.2f} s"
        f" ({WANTED:g} s wanted)."
    )


if __name__ == "__main__":
    run(main())
