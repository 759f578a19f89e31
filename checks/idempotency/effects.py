"""What requests under one key came to together."""

from __future__ import annotations

from collections.abc import Sequence

from checks.client import Answer
from checks.operations import Case
from checks.verdicts import Broken, Vulnerable


async def taken_twice(case: Case) -> bool:
    """Whether it has had more effects by now than one request has."""
    done = await case.effects()
    return any(count > limit for count, limit in zip(done, case.whole, strict=True))


async def taken_once(name: str, case: Case, answers: Sequence[Answer], hint: str) -> None:
    """Requests under one key, by now all settled, took effect once and speak of one object.

    Raises ``Vulnerable`` for more, and ``Broken`` for less.
    """
    done = await case.effects()
    ids = {answer.members.get("id") for answer in answers if answer.ok}
    if await taken_twice(case) or len(ids) > 1:
        raise Vulnerable(
            f"{len(answers)} requests under one key for one {name} had the effects (ledger, PSP)"
            f" {done} instead of {case.whole}, and answered {len(ids)} different objects.",
            hint,
        )
    if not ids or done != case.whole:
        raise Broken(
            f"Of {len(answers)} twins none was carried out, or half: {answers[0]}, {done}."
        )
