"""A schedule that was driven, kept as text with its probe, and driven again on replay.

again.keep(attempt, "transfer", schedule)       # while it is driven
if (wanted := again.wanted()) is not None: ...   # on replay: drive that, and nothing else
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from checks.probes import Attempt, current
from checks.testbed.driving.schedule import Schedule
from checks.verdicts import Inconclusive

#: Bytes of a schedule's text: a third of what a command's argument holds.
_LONGEST = 40_000


class Driven(BaseModel):
    """A schedule, and ``what`` requests it was driven with, in the words of the check."""

    model_config = ConfigDict(frozen=True)

    what: str
    schedule: Schedule


def keep(attempt: Attempt, what: str, schedule: Schedule) -> None:
    """Note with a probe what is driven in it; not where the service's SQL is absurdly long."""
    text = Driven(what=what, schedule=schedule).model_dump_json(exclude_defaults=True)
    attempt.drive = text if len(text.encode()) <= _LONGEST else ""


def wanted() -> Driven | None:
    """What the current check is to drive again, and it alone; ``None`` where it is to decide."""
    text = current()[0].again
    return Driven.model_validate_json(text) if text else None


def unfit(why: str) -> Inconclusive:
    """The service takes other steps by now than when the schedule was recorded."""
    return Inconclusive(f"The schedule no longer fits: {why}.")
