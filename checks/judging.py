"""How a run that was driven is judged, and which check is charged with what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from checks.client import Answer
from checks.interleaving import Run
from checks.losers import settled, unfailed
from checks.verdicts import Decision, Vulnerable


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges first by what came of a run, then by how its losers were answered.

    ``elsewhere`` gives for the SQLSTATE of a lost race the checks that are charged, where they are
    run too, with its reaching the client as a failure.
    """

    hint: str
    elsewhere: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def judge(self, run: Run, final: Sequence[Answer], verify: Callable[[], None]) -> None:
        """Raise what is wrong; ``verify`` raises what the contest finds in the final answers."""
        settled(final)
        verify()
        for thread, answer in enumerate(run.answers):
            met = sorted(run.course.failures(thread))
            unfailed([answer], [name for code in met for name in self.elsewhere.get(code, ())])
        unfailed(final)

    def unlike(self, run: Run, what: str) -> Decision:
        """What to say of an outcome that no serial order has."""
        return Vulnerable(said_of(what, len(run.answers)), self.hint)


def said_of(what: str, count: int) -> str:
    """That what so many requests did at once is not what they do one after the other."""
    number = {2: "two", 3: "three", 4: "four"}.get(count, str(count))
    which = "either" if count == 2 else "any"
    return (
        f"What {number} {what}s did at once is not what they do one after the other, in {which}"
        " order."
    )
