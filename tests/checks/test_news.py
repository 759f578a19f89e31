"""What is told of operations, and what has changed of what is shown."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from checks.evidence import JournalEntry
from checks.fresh import Fresh
from checks.news import News, Shown, expiry_of
from checks.processor import last_reference
from checks.shapes import Balance, Payment


def amount(of: int) -> dict[str, Any]:
    return {"amount": of, "currency": "GBP"}


def payment(status: str, *refunds: str) -> Payment:
    made = [
        {
            "id": f"ref_{number}",
            "payment": "pay_1",
            "amount": amount(100),
            "status": one,
            "created_at": "2026-01-05T09:30:00Z",
        }
        for number, one in enumerate(refunds)
    ]
    return Payment.model_validate(
        {
            "id": "pay_1",
            "account": "acc_1",
            "amount": amount(1_000),
            "status": status,
            "capture": False,
            "captured": amount(0),
            "refunded": amount(0),
            "fee": amount(0),
            "refunds": made,
            "created_at": "2026-01-05T09:30:00Z",
        }
    )


def balance(posted: int, held: int = 0) -> Balance:
    parts = {"posted": posted, "held": held, "available": posted - held}
    return Balance.model_validate({name: amount(of) for name, of in parts.items()})


SHOWN = Shown(payment("captured"), balance(985), (("capture", 985),), ("payment.captured",))


def test_what_is_the_same_has_not_changed() -> None:
    assert SHOWN.changed_to(replace(SHOWN)) == ""


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"payment": payment("expired")}, "was captured, is expired"),
        ({"payment": payment("captured", "failed")}, "1.00 GBP failed"),
        ({"balance": balance(985, 100)}, "985, 100, 885"),
        ({"entries": (("capture", 985),) * 2}, "2 entries, and had 1"),
        ({"told": ("payment.captured",) * 2}, "told payment.captured, payment.captured, and was"),
    ],
)
def test_whatever_differs_is_said(now: dict[str, Any], words: str) -> None:
    assert words in SHOWN.changed_to(replace(SHOWN, **now))


def test_an_authorisation_that_has_run_out_is_told_as_an_operation_of_its_own() -> None:
    told = {"id": "op_1", "type": "authorisation", "status": "succeeded", "reference": "op_ours"}
    expiry = expiry_of(told, Fresh(1, "x"))
    assert expiry.pop("id") != "op_1"
    assert expiry == {"type": "expiry", "status": "succeeded", "reference": "op_ours"}


@pytest.mark.parametrize(("status", "taken"), [("authorised", False), ("expired", True)])
def test_a_payment_that_is_expired_has_taken_its_end_in(status: str, taken: bool) -> None:
    operation = {"type": "expiry", "status": "succeeded"}
    news = News(cast(Any, SimpleNamespace()), payment("authorised"), operation)
    assert news.taken_in(payment(status)) is taken


def entry(body: str) -> JournalEntry:
    return JournalEntry(
        at=0,
        simulator="psp",
        method="POST",
        path="/v1/captures",
        key=None,
        body=body,
        fault=None,
        effect=False,
        status=None,
        answer="",
    )


def test_the_last_reference_is_that_of_the_last_operation() -> None:
    bodies = ('{"reference": "op_1"}', '{"reference": "op_2"}', "", "[1]", '{"reference": 3}')
    assert last_reference(map(entry, bodies)) == "op_2"
    assert last_reference([entry("")]) is None
