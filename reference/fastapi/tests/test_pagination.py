"""Rules 1.13 and 1.14."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.kit.pagination import Cursors
from payments.kit.problems import Problem
from payments.payments.sorting import PaymentSort, order_of
from testkit.api import Merchant

CURSORS = Cursors(b"a secret for tests")
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
scopes = st.lists(st.text(max_size=10), max_size=3)


@given(moments, st.text(max_size=40), scopes)
def test_a_cursor_reads_back_as_the_position_it_was_made_of(
    moment: datetime, row_id: str, scope: list[str]
) -> None:
    order = order_of(PaymentSort.NEWEST)
    cursor = CURSORS.write([moment, row_id], scope)
    assert CURSORS.read(cursor, scope, order) == [moment, row_id]


@given(st.integers(0, 10**12), scopes, scopes)
def test_a_cursor_is_good_for_its_own_list_only(
    amount: int, scope: list[str], elsewhere: list[str]
) -> None:
    order = order_of(PaymentSort.LARGEST)
    cursor = CURSORS.write([amount, "pay_x"], scope)
    if scope == elsewhere:
        assert CURSORS.read(cursor, elsewhere, order)
    else:
        with pytest.raises(Problem):
            CURSORS.read(cursor, elsewhere, order)


@given(st.text(max_size=80))
def test_anything_else_is_no_cursor(cursor: str) -> None:
    with pytest.raises(Problem) as refused:
        CURSORS.read(cursor, ["list"], order_of(PaymentSort.NEWEST))
    assert refused.value.status == 422


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "amount", "-amount"])
async def test_pages_neither_skip_nor_repeat(merchant: Merchant, sort: str) -> None:
    account = await merchant.account()
    made = [
        (await merchant.pay(account, amount, capture=False)).json()
        for amount in (500, 300, 500, 100, 300)
    ]
    seen: list[dict[str, Any]] = []
    parameters: dict[str, object] = {"sort": sort, "limit": 2}
    while True:
        page = (await merchant.get("/v1/payments", **parameters)).json()
        seen += page["data"]
        await merchant.pay(account, 400)
        if page["next_cursor"] is None or len(seen) > 20:
            break
        parameters["cursor"] = page["next_cursor"]
    ids = [payment["id"] for payment in seen]
    assert len(ids) == len(set(ids))
    assert {payment["id"] for payment in made} <= set(ids)
    shown = [
        payment["amount"]["amount"] if "amount" in sort else payment["created_at"]
        for payment in seen
    ]
    assert shown == sorted(shown, reverse=sort.startswith("-"))


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "x"},
        {"cursor": "forged"},
        {"cursor": ""},
        {"sort": "id"},
        {"sort": "amount;--"},
        {"status": "paid"},
    ],
)
async def test_other_parameters_are_refused(merchant: Merchant, query: dict[str, object]) -> None:
    assert (await merchant.get("/v1/payments", **query)).status_code == 422


async def test_a_cursor_of_another_merchant_or_list_is_refused(
    merchant: Merchant, other: Merchant
) -> None:
    for _ in range(2):
        await merchant.account()
    cursor = (await merchant.get("/v1/accounts", limit=1)).json()["next_cursor"]
    assert (await merchant.get("/v1/accounts", limit=1, cursor=cursor)).status_code == 200
    assert (await other.get("/v1/accounts", cursor=cursor)).status_code == 422
    assert (await merchant.get("/v1/transfers", cursor=cursor)).status_code == 422
