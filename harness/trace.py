"""``assay trace``: which kit a text has got out of, by its canary."""

from __future__ import annotations

import sys
from pathlib import Path

from exercises.canary import canaries, opened
from harness.canary_key import place, read_key
from harness.errors import DONE, FOUND, UsageError

#: Bytes that are read of a text.
_MOST = 64 * 1024 * 1024


def trace(source: str) -> int:
    """Say of each canary in a file (``-``: standard input) what it says; 1 if none could be opened.

    Raises ``UsageError`` where there is no key, or no text.
    """
    key = read_key()
    if key is None:
        raise UsageError(f"There is no key of canaries at {place()}: no kit was made with it.")
    told = {canary: opened(canary, key) for canary in canaries(_text(source))}
    for canary, handed in told.items():
        if handed is None:
            sys.stdout.write(f"{canary[:24]}...: sealed with another key\n")
            continue
        to = f", handed to {handed.to}" if handed.to else ""
        sys.stdout.write(f"{canary[:24]}...: {handed.exercise}, form {handed.seed}{to}\n")
    if not told:
        sys.stdout.write("There is no canary in it.\n")
    return DONE if any(told.values()) else FOUND


def _text(source: str) -> str:
    try:
        if source == "-":
            return sys.stdin.read(_MOST)
        with Path(source).open("rb") as file:
            return file.read(_MOST).decode(errors="replace")
    except OSError as failure:
        raise UsageError(f"{source} cannot be read: {failure.strerror}.") from failure
