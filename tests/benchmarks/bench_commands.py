"""Seconds of the commands that people wait for, beside what they may take on two cores.

The starter of ``full-service`` is made first; the grade, the first verdict of a practice check, the
scoring of saved evidence and the demo follow, each in a process of its own.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ASSAY = Path(sys.executable).with_name("assay")
VERDICT = re.compile(
    r"\b(secure|vulnerable|broken|inconclusive|error|not reached)\b", re.IGNORECASE
)


def whole(*arguments: str) -> float:
    """Seconds of a command from start to end; a status other than 0 or 1 ends the benchmark."""
    began = time.perf_counter()
    done = subprocess.run([str(ASSAY), *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"assay {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return time.perf_counter() - began


def first_verdict(*arguments: str) -> float:
    """Seconds until a command prints the first line with a verdict."""
    began = time.perf_counter()
    command = [str(ASSAY), *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        seconds = next(
            (time.perf_counter() - began for line in process.stdout if VERDICT.search(line)), None
        )
        process.stdout.read()
    if seconds is None:
        sys.exit(f"assay {' '.join(arguments)} gave no verdict")
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        kit, out = str(folder / "kit"), folder / "out"
        whole("start", "full-service", kit)
        grade = ("grade", kit, "--exercise", "full-service", "--load", "off", "--role", "somnio")
        whole(*grade, "--out", str(folder / "cold"))  # builds the environment, once a machine
        rows = [
            ("grade of full-service, no load", whole(*grade, "--out", str(out)), 25.0),
            ("first verdict of check", first_verdict("check", kit, "--only", "payment-idor"), 4.0),
            ("score", whole("score", str(out / "evidence.json"), "--role", "techflow"), 1.0),
            ("demo", whole("demo", "--out", str(folder / "demo")), 150.0),
        ]
    print(f"{'command':34} {'seconds':>8} {'at most':>8}")
    for command, seconds, most in rows:
        print(f"{command:34} {seconds:8.2f} {most:8.0f} {'' if seconds <= most else 'too slow'}")


if __name__ == "__main__":
    main()
