"""How losing a race may be answered where nobody has to lose, and who is charged if it is not so.

A service may let requests wait, or let one of them fail in the database and try again, or tell the
client to come again. What a request met in the database says which flaw it is that reaches the
client: the proxy has seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from checks.client import Answer
from checks.interleaving import Run
from checks.judging import Judge, said_of
from checks.losers import unfair
from checks.verdicts import Broken, Decision, Vulnerable

#: A lock that was not to be had: deadlock_detected, lock_not_available (a time-out, or NOWAIT), and
#: query_canceled, by the time-out of a statement.
NO_LOCK = frozenset({"40P01", "55P03", "57014"})

#: serialization_failure.
CONFLICT = "40001"

#: Where each is charged.
NO_LOCK_CHARGED = "concurrency/opposite_transfers_all_end"
CONFLICT_CHARGED = "concurrency/a_lost_race_is_no_failure"
SPENDING_CHARGED = "concurrency/transfers_never_overdraw"

#: Of a failure of transfers, by what it met in the database.
CHARGED = {CONFLICT: (CONFLICT_CHARGED,)} | dict.fromkeys(NO_LOCK, (NO_LOCK_CHARGED,))


def given_up(met: frozenset[str]) -> bool:
    """Whether a request met a lock that was not to be had."""
    return bool(met & NO_LOCK)


def conflicting(met: frozenset[str]) -> bool:
    """Whether a request can only have lost to one that changed what it had read."""
    return not met & NO_LOCK


@dataclass(frozen=True, slots=True)
class FairLoss(Judge):
    """Every request succeeds, at once or when it comes again, and no sooner than it says so.

    ``own`` tells by the SQLSTATEs that a request met whether it is this flaw that it was answered
    with; anything else belongs to the first of ``others`` that is run.
    """

    own: Callable[[frozenset[str]], bool] = conflicting
    others: Sequence[str] = ()

    def judge(self, run: Run, final: Sequence[Answer], verify: Callable[[], None]) -> None:
        """Raise what is wrong with the first request that it is wrong with."""
        for thread, (answer, last) in enumerate(zip(run.answers, final, strict=True)):
            if wrong := unfair(answer) or unfair(last) or _refused(answer, last):
                raise self._charge(run, thread, f"{wrong}.")
        verify()

    def unlike(self, run: Run, what: str) -> Decision:
        """What was put off and done all the same is this flaw's; money gone astray is another's."""
        for thread, answer in enumerate(run.answers):
            if not answer.ok and self.own(run.course.failures(thread)):
                return Vulnerable(
                    f"{answer}, and something was done. {said_of(what, len(run.answers))}",
                    self.hint,
                )
        return Broken(said_of(what, len(run.answers)), self.hint, unless=(SPENDING_CHARGED,))

    def _charge(self, run: Run, thread: int, wrong: str) -> Decision:
        if self.own(run.course.failures(thread)):
            return Vulnerable(wrong, self.hint)
        return Broken(wrong, self.hint, unless=self.others)


def _refused(answer: Answer, last: Answer) -> str:
    """What is wrong with a request that did not succeed in the end."""
    if last.ok:
        return ""
    again = "" if answer is last else f", and {last.status} when it came again"
    return f"{answer}{again}, though the accounts hold enough"
