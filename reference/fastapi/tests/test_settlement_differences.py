"""Rules 18.6 to 18.9: exactly the differences that there are."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from payments.settlements import matching, service
from testkit.api import Caller
from testkit.settlements import Row, file_of
from testkit.till import (
    Till,
    fetched,
    kinds,
    ledger_of,
    listed,
    new_day,
)

FAULTS = ("", "", "missing", "amount", "currency", "type", "day", "duplicate", "thrice")


def with_fault(row: Row, fault: str) -> Iterator[Row]:
    """What the file tells of a row instead."""
    match fault:
        case "missing":
            return
        case "amount":
            yield row.one_more()
        case "currency":
            yield row.elsewhere()
        case "type":
            yield replace(row, type="refund" if row.type == "capture" else "capture")
        case "day":
            yield row.the_day_before()
        case "duplicate":
            yield from (row, row)
        case "thrice":
            yield from (row, replace(row, operation="op_again"), row.one_more())
        case _:
            yield row


def planted(rows: Sequence[Row], faults: Sequence[str], strangers: Iterable[Row]) -> Counter[Any]:
    """The differences that there must be."""
    wanted: Counter[Any] = Counter()
    for row, fault in zip(rows, faults, strict=True):
        if fault == "thrice":
            wanted["duplicate", row.reference] = 2
        elif fault:
            wanted[fault, row.reference] = 1
    return wanted + Counter(("unexpected", row.reference) for row in strangers)


MOVES = st.tuples(
    st.sampled_from(["sale", "capture"]),
    st.integers(1, 10**9),
    st.sampled_from(["GBP", "JPY", "KWD", "EUR"]),
)


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each takes a second: not shrunk
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_exactly_the_differences_that_were_planted_are_found(
    till: Till, admin: Caller, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    monkeypatch.setattr(matching, "BATCH", data.draw(st.sampled_from([1, 2, 500]), label="batch"))
    monkeypatch.setattr(service, "BATCH", data.draw(st.sampled_from([1, 3, 500]), label="kept"))
    day = new_day()
    till.psp.reset()
    for kind, amount, currency in data.draw(st.lists(MOVES, max_size=4), label="moves"):
        payment = await till.move(kind, amount, currency)
        if data.draw(st.booleans(), label="refunded"):
            await till.refund(payment, data.draw(st.integers(1, amount)), currency)
    rows = await till.happened(day)
    strangers = [
        Row(
            f"op_s{n}",
            "refund",
            f"stranger_{n}",
            "3.10",
            "EUR",
            datetime.fromisoformat(f"{day}T00:00:00Z"),
        )
        for n in range(data.draw(st.integers(0, 3), label="strangers"))
    ]
    before = await ledger_of(till)
    faults = [data.draw(st.sampled_from(FAULTS), label=row.reference) for row in rows]
    told = [list(with_fault(row, fault)) for row, fault in zip(rows, faults, strict=True)]
    told += [[stranger] for stranger in strangers]
    shuffled = data.draw(st.permutations(told), label="order")
    till.psp.files[day] = file_of(day, itertools.chain.from_iterable(shuffled))
    wanted = planted(rows, faults, strangers)
    for _ in range(2):
        shown = await fetched(admin, day)
        assert await kinds(admin, day) == wanted
        assert shown["differences"] == wanted.total()
    till.psp.files[day] = file_of(day, rows)
    shown = await fetched(admin, day)
    assert (await kinds(admin, day), shown["differences"]) == (Counter(), 0)
    assert shown["resolved"] == len(await listed(admin, day))
    assert await ledger_of(till) == before
