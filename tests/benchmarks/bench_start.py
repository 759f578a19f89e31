"""A replica's cold start: from its command to its first ready answer, and what it imports for it.

Each start is a process of its own on a migrated database; its bytecode is compiled, as in an image.
"""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from checks.testbed.postgres import open_server
from harness.loop import run
from tests.benchmarks.bench_transfers import SERVICE, migrate, serving

#: Starts that are measured, after one that is not.
ROUNDS = 9

#: Seconds that are allowed.
WANTED = 1.0

#: Packages of which the time is told.
SHOWN = 6

#: A line of ``-X importtime``: microseconds of the module itself, and its name.
_IMPORT = re.compile(r"import time: +(\d+) \| +\d+ \| *(\w+)")


async def started(url: str) -> float:
    """Seconds until a replica is ready."""
    began = time.perf_counter()
    async with serving(url):
        return time.perf_counter() - began


def imports() -> Counter[str]:
    """Seconds that the imports of the service take, by package."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import uvicorn, payments.app"],
        cwd=SERVICE,
        capture_output=True,
        text=True,
        check=True,
    )
    found: Counter[str] = Counter()
    for micros, package in _IMPORT.findall(told.stderr):
        found[package] += int(micros)
    return found


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        Path(name).chmod(0o711)
        # The first start compiles; the service's own folder stays as it is.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{name}/bytecode"
        async with open_server(Path(name) / "postgres") as server:
            await migrate(server)
            await started(server.dsn())
            times = [await started(server.dsn()) for _ in range(ROUNDS)]
        taken = await asyncio.to_thread(imports)
    print(
        f"Ready after {statistics.median(times):.2f} s, at most {max(times):.2f} s"
        f" ({WANTED:g} s wanted)."
    )
    shares = ", ".join(f"{name} {n / 1e6:.2f} s" for name, n in taken.most_common(SHOWN))
    print(f"Imports, as -X importtime tells them: {taken.total() / 1e6:.2f} s ({shares}).")


if __name__ == "__main__":
    run(main())
