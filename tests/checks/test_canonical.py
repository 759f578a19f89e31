"""Outcomes that differ in nothing but what is fresh are one."""

from __future__ import annotations

import json
from typing import Any

from multidict import CIMultiDict

from checks.canonical import canonical
from checks.client import Answer


def answer(status: int, body: Any) -> Answer:
    content = json.dumps(body).encode()
    return Answer("POST /v1/x", status, CIMultiDict(), content, None, 0)


def paid(transfer: str, account: str, at: str, amount: int = 5) -> Answer:
    body = {"id": transfer, "from": account, "created_at": at, "amount": amount}
    return answer(201, body)


def test_ids_and_times_do_not_count() -> None:
    one = paid("tr_0a1b2c3d4e", "acc_11111111", "2026-01-01T00:00:00Z")
    two = paid("tr_ffffffff00", "acc_22222222", "2027-02-03T04:05:06.789+00:00")
    assert canonical([one], {"account": "acc_11111111"}) == canonical(
        [two], {"account": "acc_22222222"}
    )


def test_whose_id_it_is_counts() -> None:
    one = paid("tr_0a1b2c3d4e", "acc_11111111", "2026-01-01T00:00:00Z")
    same = canonical([one], {"account": "acc_11111111"})
    assert same != canonical([one], {"account": "acc_33333333"})


def test_money_status_and_order_count() -> None:
    one = paid("tr_0a1b2c3d4e", "acc_11111111", "2026-01-01T00:00:00Z")
    more = paid("tr_0a1b2c3d4e", "acc_11111111", "2026-01-01T00:00:00Z", amount=6)
    refused = answer(422, {"code": "insufficient_funds", "detail": "5 left"})
    assert canonical([one], {}) != canonical([more], {})
    assert canonical([one, refused], {}) != canonical([refused, one], {})
    assert canonical([one], {"left": 1}) != canonical([one], {"left": 2})


def test_a_refusals_wording_does_not_count() -> None:
    one = answer(422, {"code": "insufficient_funds", "detail": "5 left"})
    two = answer(422, {"code": "insufficient_funds", "detail": "nothing left", "instance": "/x"})
    assert canonical([one], {}) == canonical([two], {})
    assert canonical([one], {}) != canonical([answer(409, {"code": "insufficient_funds"})], {})
