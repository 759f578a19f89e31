"""Where the time of a transfer through the reference goes: statement by statement, layer by layer.

Statements are timed at the SQL proxy, one transfer at a time. Layers are what a sampling profiler
finds the reference's processor at, under as many transfers at once as it can do: the innermost
function that is no part of Python's own library says whose time it is.
"""

import asyncio
import re
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

from checks.attachment import Testbed
from checks.concurrency.spending import Spending
from checks.fresh import Fresh
from checks.interleaving import interleave
from checks.lanes import brief
from checks.tenants import Merchant
from checks.testbed.driving.schedule import Schedule, Step
from checks.testbed.postgres import open_server
from checks.testbed.testbed import Host
from exercises.tree import reference_tree
from harness.loop import run
from tests.benchmarks.bench_transfers import SECONDS, migrate, prepare, saturated, serving
from tests.benchmarks.variants import BENCH, apart, prepared, started

#: Transfers of which statements are timed, after so many that are not.
TIMED, WARM = 50, 10

#: Samples of the profiler a second.
SAMPLES = 400

#: Whose time a function's is, by the beginning of the file's name.
LAYERS = {
    "uvicorn, httptools and the event loop, with what asyncpg does when an answer comes": (
        "uvicorn/",
        "asyncio/",
        "uvloop/",
        "click/",
    ),
    "FastAPI, Starlette and Pydantic": ("fastapi/", "starlette/", "pydantic/", "anyio/"),
    "SQLAlchemy": ("sqlalchemy/",),
    "asyncpg": ("asyncpg/",),
    "tokens": ("jwt/", "cryptography/"),
    "logs and metrics": ("structlog/", "prometheus_client/"),
    "the service's own code": ("payments/",),
}
_REST = "anything else"

_FRAME = re.compile(r".* \((?P<file>[^():]+)(:\d+)?\)")


async def statements(host: Host) -> None:
    """Print what each statement of a transfer takes, from its request to its answer."""
    courses: list[list[Step]] = []

    async def transfers(alice: Merchant, bob: Merchant, fresh: Fresh, testbed: Testbed) -> None:
        spending = await Spending.open(alice, bob, fresh)
        for _ in range(WARM + TIMED):
            contest = await spending.transfers(2)
            ran = await interleave(testbed, Schedule(), contest.requests[:1], replicas=[0])
            courses.append([one for one in ran.course.steps if one.kind == "statement"])

    async with (
        prepared(host, reference_tree("fastapi")) as control,
        started(control, BENCH) as testbed,
    ):
        await apart(testbed, transfers)
    total = 0.0
    for steps in zip(*courses[WARM:], strict=True):
        took = statistics.fmean((one.ended or one.at) - one.at for one in steps) * 1000
        total += took
        place = steps[0].place
        print(f"{took:8.2f} ms  {brief(place.shape) if place else steps[0].text}")
    print(f"{total:8.2f} ms  all of them, each waited for before the next")


async def layers() -> None:
    """Print what the reference's processor is at, under as many transfers as it can do."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        Path(name).chmod(0o711)
        async with open_server(Path(name) / "postgres") as server:
            await migrate(server)
            async with serving(server.dsn()) as service:
                await prepare(server, service)
                await saturated(service)
                shares, (rate, cpu) = await asyncio.gather(
                    sampled(service.pid, Path(name) / "samples"), saturated(service)
                )
    whole = sum(shares.values())
    print(f"\n{cpu * 1000:8.2f} ms of processor time for a transfer, at {rate:.0f} a second:")
    for layer, samples in shares.most_common():
        print(f"{cpu * 1000 * samples / whole:8.2f} ms  {samples / whole:4.0%}  {layer}")


async def sampled(pid: int, place: Path) -> Counter[str]:
    """How often a process was found in each layer while it was busy."""
    profiler = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid)),
        *("--duration", f"{SECONDS:.0f}", "--rate", str(SAMPLES), "--full-filenames"),
        *("--format", "raw", "--output", str(place)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await profiler.communicate()
    if profiler.returncode:
        raise SystemExit(f"py-spy could not look at the service: {said.decode().strip()}")
    found: Counter[str] = Counter()
    for line in place.read_text().splitlines():
        stack, _, samples = line.rpartition(" ")
        found[layer(stack)] += int(samples)
    return found


def layer(stack: str) -> str:
    """Whose time a sample is: that of the innermost function which is somebody's."""
    for frame in reversed(stack.split(";")):
        named = _FRAME.fullmatch(frame)
        file = f"/{named['file']}" if named else ""
        for name, folders in LAYERS.items():
            if any(f"/{folder}" in file for folder in folders):
                return name
    return _REST


async def main() -> None:
    async with Host.open(trusted=True) as host:
        await statements(host)
    await layers()


if __name__ == "__main__":
    run(main())
