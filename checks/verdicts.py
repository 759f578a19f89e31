"""What a check may decide other than ``secure``: raised, never returned.

``because`` says what was seen, for the record; ``hint`` is for the person who mends it. A check
that returns has found the rule kept. Anything else that leaves a check is the harness's own fault.
"""

from __future__ import annotations

from collections.abc import Sequence

from checks.evidence import Verdict


class Decision(Exception):  # noqa: N818 - an outcome, and no error
    """Base of the verdicts that a check raises."""

    verdict: Verdict

    def __init__(self, because: str, hint: str = "") -> None:
        super().__init__(because)
        self.because = because
        self.hint = hint


class Vulnerable(Decision):
    """The flaw was shown to be there."""

    verdict = Verdict.VULNERABLE


class Broken(Decision):
    """A legitimate flow, or a rule of the contract, no longer works.

    ``unless`` are checks that this fault belongs to: the first of them that is run too is charged
    with it, and this one is not reached.
    """

    verdict = Verdict.BROKEN

    def __init__(self, because: str, hint: str = "", *, unless: Sequence[str] = ()) -> None:
        super().__init__(because, hint)
        self.unless = tuple(unless)


class Inconclusive(Decision):
    """The attack could not be carried out, so that nothing can be said."""

    verdict = Verdict.INCONCLUSIVE


class NotReached(Decision):
    """What the attack builds on is already charged to another check, ``blocked_by``.

    Without one, the submission is such that this check cannot speak about it at all.
    """

    verdict = Verdict.NOT_REACHED

    def __init__(self, because: str, blocked_by: str | None = None) -> None:
        super().__init__(because)
        self.blocked_by = blocked_by
