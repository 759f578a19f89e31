"""What requests under one key came to together."""

from __future__ import annotations

from collections.abc import Sequence

from checks.client import Answer
from checks.operations import Case, counted
from checks.verdicts import Broken, Vulnerable


async def taken_twice(case: Case) -> bool:
    """Whether it has had more effects by now than one request has."""
    return _beyond(case, await case.effects())


async def taken_once(name: str, case: Case, answers: Sequence[Answer], hint: str) -> None:
    """What ``once`` says, by the effects that it has had by now."""
    once(name, case, await case.effects(), answers, hint)


def once(
    name: str, case: Case, done: tuple[int, int], answers: Sequence[Answer], hint: str
) -> None:
    """Requests under one key, all settled, took effect once and speak of one object.

    Raises ``Vulnerable`` for more, and ``Broken`` for less.
    """
    ids = {answer.members.get("id") for answer in answers if answer.ok}
    if _beyond(case, done) or len(ids) > 1:
        raise Vulnerable(
            f"{len(answers)} requests under one key for one {name} took effect {counted(done)}"
            f" instead of {counted(case.whole)}; their answers name"
            f" {'one object' if len(ids) == 1 else f'{len(ids)} objects'}.",
            hint,
        )
    if not ids or done != case.whole:
        raise Broken(
            f"{answers[0]}; its {len(answers)} twins took effect {counted(done)} instead of"
            f" {counted(case.whole)}."
        )


def _beyond(case: Case, done: tuple[int, int]) -> bool:
    return any(count > limit for count, limit in zip(done, case.whole, strict=True))
