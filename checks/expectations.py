"""What answers must be, said in the contract's words; each raises a verdict if not."""

from __future__ import annotations

from collections.abc import Iterable

from checks.amounts import Money, fee
from checks.client import Answer
from checks.shapes import Payment
from checks.verdicts import Broken, Vulnerable

_PROBLEM = "application/problem+json"

_MEMBERS = {"type": str, "title": str, "status": int, "detail": str, "code": str}


def expect_problem(
    answer: Answer, *statuses: int, code: str | tuple[str, ...] | None = None
) -> None:
    """A refusal in the form of RFC 9457 (contract 1.2), with one of these statuses."""
    answer.expect(*statuses, code=code)
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind != _PROBLEM:
        raise Broken(f"{answer} as {kind or 'nothing'}; errors are {_PROBLEM}.")
    problem = answer.members
    for member, type_ in _MEMBERS.items():
        if not isinstance(problem.get(member), type_):
            raise Broken(f"{answer}, and its problem has no {type_.__name__} {member!r}.")
    if problem["status"] != answer.status:
        raise Broken(f"{answer}, but its problem says {problem['status']}.")


def expect_hidden(answer: Answer, secrets: Iterable[str | None], hint: str = "") -> None:
    """404 or 403, with nothing of the object in the body (contract 1.15).

    ``secrets`` are strings that only those who may see the object know. Any answer that betrays
    them, or that treats the object as one that exists for the caller, is ``Vulnerable``; a failure
    is ``Broken``.
    """
    text = answer.content.decode("utf-8", "replace")
    for secret in secrets:
        if secret and secret in text:
            raise Vulnerable(f"{answer}, and the body shows {secret!r} to a stranger.", hint)
    if answer.status in {403, 404}:
        return
    if answer.failed or answer.status in {401, 429}:
        raise Broken(f"{answer}; the contract asks for 404 or 403.", hint)
    raise Vulnerable(f"{answer} to a stranger; the contract asks for 404 or 403.", hint)


def expect_absent(answer: Answer, secrets: Iterable[str | None]) -> None:
    """The same for checks of the contract, which say ``Broken`` of what betrays the object."""
    try:
        expect_hidden(answer, secrets)
    except Vulnerable as shown:
        raise Broken(shown.because) from None


def ambiguous(answer: Answer) -> bool:
    """Whether this is how an ambiguous result is answered: 202, 502 or 504 (contract 6.8)."""
    return answer.status in {202, 502, 504}


def expect_payment(payment: Payment, status: str, captured: Money, refunded: int = 0) -> None:
    """A payment shows these figures, and the fee on what was captured (contract 6.15)."""
    wanted = (status, captured, Money(refunded, captured.currency), fee(captured))
    shown = (
        payment.status,
        payment.captured.money,
        payment.refunded.money,
        payment.fee.money,
    )
    if shown != wanted:
        raise Broken(
            f"Payment {payment.id} shows status, captured, refunded, fee ="
            f" {', '.join(map(str, shown))}; it must be {', '.join(map(str, wanted))}."
        )
