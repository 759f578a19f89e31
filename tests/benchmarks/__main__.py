"""Runs all benchmarks, or those that are named: ``python -m tests.benchmarks [NAME]...``."""

import subprocess
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run each benchmark as a program of its own, so that none warms another's caches."""
    folder = Path(__file__).parent
    known = sorted(path.stem.removeprefix("bench_") for path in folder.glob("bench_*.py"))
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"No benchmark {unknown[0]}; there are: {', '.join(known)}.", file=sys.stderr)
        return 2
    status = 0
    for name in names or known:
        print(f"\n{name}", flush=True)
        program = [sys.executable, "-m", f"tests.benchmarks.bench_{name}"]
        status |= subprocess.run(program, cwd=folder.parents[1], check=False).returncode
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
