"""A flaw's lesson: ``lesson.md`` read into its sections."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

#: The sections in the order in which a lesson has them, and whether it may leave one out.
SECTIONS = {
    "What goes wrong": ("wrong", True),
    "Why": ("why", True),
    "Incident": ("incident", False),
    "Fix": ("fix", True),
    "Trade-offs": ("trade_offs", True),
    "Questions": ("questions", True),
    "Hints": ("hints", True),
}
#: Items of a numbered list, each with the lines that continue it.
_ITEM = re.compile(r"^\d+\. +(.+?)(?=^\d+\. |\Z)", re.MULTILINE | re.DOTALL)


class Lesson(BaseModel):
    """A flaw's lesson, by section, as Markdown.

    ``hints`` are a nudge towards the behaviour, and a direction for reading the code; they are for
    somebody who has not seen the rest, and no part of ``to_markdown``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    wrong: str
    why: str
    incident: str = ""
    fix: str
    trade_offs: str
    questions: str
    hints: tuple[str, str]

    def to_markdown(self) -> str:
        """The lesson as one Markdown text, with the headings it was read from."""
        parts = (
            f"## {title}\n\n{text}"
            for title, (field, _) in SECTIONS.items()
            if field != "hints" and (text := getattr(self, field))
        )
        return "\n\n".join(parts) + "\n"


def parse_lesson(text: str) -> Lesson:
    """Reads ``## Section`` headings; raises ``ValueError``, one sentence, for any other shape."""
    pieces = re.split(r"^## +(.+?) *$", text, flags=re.MULTILINE)
    found: dict[str, str] = {}
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if title not in SECTIONS:
            raise ValueError(f"it has a section {title!r}, which no lesson has.")
        if SECTIONS[title][0] in found:
            raise ValueError(f"it has the section {title!r} twice.")
        if not body.strip():
            raise ValueError(f"its section {title!r} is empty.")
        found[SECTIONS[title][0]] = body.strip()
    for title, (field, needed) in SECTIONS.items():
        if needed and field not in found:
            raise ValueError(f"it has no section {title!r}.")
    nudge, direction = _hints(found.pop("hints"))
    return Lesson(**found, hints=(nudge, direction))


def _hints(text: str) -> tuple[str, str]:
    match [" ".join(item.split()) for item in _ITEM.findall(text)]:
        case [nudge, direction]:
            return nudge, direction
    raise ValueError("its section 'Hints' is no numbered list of two, a nudge and a direction.")
