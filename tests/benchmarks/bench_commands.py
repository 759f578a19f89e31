"""Seconds of the commands that people wait for, beside what they may take on two cores.

Starters are made first; their grading, the first verdict of a practice check, the time from a save
to the next result in watch mode, the scoring of saved evidence and the demo follow, each in a
process of its own.
"""

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ASSAY = Path(sys.executable).with_name("assay")
VERDICT = re.compile(
    r"\b(secure|vulnerable|broken|inconclusive|error|not reached)\b", re.IGNORECASE
)
#: What watch mode says last of each run.
WATCHING = "Watching; save a file"
FLAW = "payment-idor"


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


def after_a_save(kit: Path, flaw: str, saves: int = 5) -> float:
    """Seconds from a save to what watch mode then says of a flaw: the median of some saves."""
    command = [str(ASSAY), "check", str(kit), "--only", flaw, "--watch"]
    source = next((kit / "payments").glob("*.py"))
    seconds = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            for number in range(saves + 1):
                began = time.perf_counter()
                if number:
                    source.write_text(f"{source.read_text()}# {number}\n")
                if not any(WATCHING in line for line in process.stdout):
                    sys.exit(f"assay {' '.join(command[1:])} ended")
                seconds.append(time.perf_counter() - began)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    return statistics.median(seconds[1:])


def graded(exercise: str, folder: Path) -> float:
    """Seconds of grading an exercise's starter without load."""
    kit = folder / exercise
    whole("start", exercise, str(kit))
    out = str(folder / f"{exercise}-graded")
    return whole(
        *("grade", str(kit), "--exercise", exercise, "--load", "off", "--role", "somnio"),
        *("--out", out),
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        graded("card-payments", folder)  # builds the environment, once a machine
        kit = folder / "card-payments"
        evidence = str(folder / "card-payments-graded" / "evidence.json")
        rows = [
            ("grade of due-diligence, no load", graded("due-diligence", folder), 90.0),
            ("grade of full-service, no load", graded("full-service", folder), 90.0),
            ("grade of wallet-transfers, no load", graded("wallet-transfers", folder), 20.0),
            ("grade of double-charge, no load", graded("double-charge", folder), 20.0),
            ("first verdict of check", first_verdict("check", str(kit), "--only", FLAW), 4.0),
            ("a save in watch mode", after_a_save(kit, FLAW), 2.0),
            ("score", whole("score", evidence, "--role", "techflow"), 1.0),
            ("demo", whole("demo", "--out", str(folder / "demo")), 150.0),
        ]
    print(f"{'command':34} {'seconds':>8} {'at most':>8}")
    for command, seconds, most in rows:
        print(f"{command:34} {seconds:8.2f} {most:8.0f} {'' if seconds <= most else 'too slow'}")


if __name__ == "__main__":
    main()
