"""Kits of kind review with any two trees, made as ``assay start`` makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from exercises.exercise import Exercise
from exercises.kit import write_kit
from exercises.tree import Tree, reference_tree

BEFORE = """\
import json


def transfer(source, target, amount):
    row = read(source)
    if row.balance < amount:
        raise Refused("insufficient funds")
    write(source, row.balance - amount)
    write(target, read(target).balance + amount)


def one():
    \"\"\"What stays,

    and stays.
    \"\"\"
    return 1


def two():
    return 2


def three():
    return 3


def four():
    return 4


def five():
    return 5


def last(text):
    return json.loads(text)
"""
AFTER = (
    BEFORE.replace("    row = read(source)\n", "    row = read(source, lock=False)\n")
    .replace('    if row.balance < amount:\n        raise Refused("insufficient funds")\n', "")
    .replace("json.loads(text)", "json.loads(text or '{}')")
)
REQUEST = """\
# Transfers made faster

They waited for **one another**. I have measured it: twice as fast.

- `transfer` no longer locks
- <script>alert("no")</script> is text
"""


@dataclass(frozen=True, slots=True)
class Given(Exercise):
    """A review of the tests' own: from one tree to another."""

    before: Tree = field(default_factory=dict)
    after: Tree = field(default_factory=dict)

    def base(self) -> dict[str, bytes]:
        return dict(self.before)

    def starter(self) -> dict[str, bytes]:
        return dict(self.after)


def write_review(
    folder: Path, before: Tree, after: Tree, *, request: str = REQUEST, name: str = "judged"
) -> Path:
    """The kit, in a new folder."""
    exercise = Given(
        id=name,
        title="A review",
        summary="For the tests.",
        kind="review",
        minutes=10,
        track="fastapi",
        seed=3,
        flaws={},
        brief="# Judge it\n\nSay what breaks.\n",
        enclosed={},
        request=request,
        before=before,
        after=after,
    )
    write_kit(exercise, folder, "1", "")
    return folder


def small(folder: Path) -> Path:
    """A kit that changes one file and adds another."""
    before = {"payments/transfers.py": BEFORE.encode(), "README.md": b"# Payments\n"}
    after = {
        **before,
        "payments/transfers.py": AFTER.encode(),
        "payments/news.py": b"NEWS = 1\n",
    }
    return write_review(folder, before, after)


def large(folder: Path, lines: int = 2_000) -> Path:
    """A kit whose branch adds and removes so many lines of the reference, in its larger files."""
    before = reference_tree()
    after, left = dict(before), lines
    for path, data in before.items():
        text = data.decode().splitlines()
        if left <= 0 or not path.endswith(".py") or len(text) < 120:
            continue
        for number in range(10, len(text), 8):
            if text[number].strip() and left > 0:
                text[number : number + 1] = [f"{text[number]}  # as measured", text[number]]
                left -= 1
            if text[number - 3].strip() and left > 1:
                text[number - 3] += "  # looked at"
                left -= 2
        after[path] = "".join(f"{line}\n" for line in text).encode()
    return write_review(folder, before, after)
