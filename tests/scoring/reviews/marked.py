"""Reviews of the real exercises, of which a person has said which comment is about which flaw.

``data/EXERCISE`` holds for form 0 of an exercise the flaws with their places, as they were when the
reviews were written (``planted.json``), and for each review ``NAME.json`` and, by a comment's id,
the flaw that it is about or null (``NAME.expected.json``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from checks.reviewed import Planted, Review, read_review

DATA = Path(__file__).with_name("data")

_Flaws = TypeAdapter(tuple[Planted, ...])
_Marks = TypeAdapter(dict[str, str | None])


@dataclass(frozen=True, slots=True)
class Marked:
    """A review; ``about`` names for each comment's id the flaw that it is about, if any."""

    exercise: str
    name: str
    review: Review
    about: dict[str, str | None]
    planted: tuple[Planted, ...]


def marked_reviews() -> Iterator[Marked]:
    """All of them, by exercise and name."""
    for home in sorted(path for path in DATA.iterdir() if path.is_dir()):
        planted = planted_in(home.name)
        for path in sorted(home.glob("*.expected.json")):
            name = path.name.removesuffix(".expected.json")
            review = read_review((home / f"{name}.json").read_bytes())
            yield Marked(home.name, name, review, _Marks.validate_json(path.read_bytes()), planted)


def planted_in(exercise: str) -> tuple[Planted, ...]:
    """The flaws of an exercise's form 0, as they stood when its reviews were written."""
    return _Flaws.validate_python(json.loads((DATA / exercise / "planted.json").read_text()))
