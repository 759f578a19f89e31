"""What the incident of an exercise holds is what its brief tells of."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from exercises import places
from tests.incidents import double_charge
from tests.incidents.double_charge import KILLED, ORDERS, REFUNDED_TWICE, SENT_OFF_TWICE

HOME = double_charge.HOME


def rows(name: str) -> list[dict[str, str]]:
    with (HOME / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def cards() -> dict[int, list[dict[str, str]]]:
    """What the processor did, by order: it begins with the first operation of each."""
    by_card: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows("processor.csv"):
        by_card[row["card"]].append(row)
    return dict(zip(ORDERS, by_card.values(), strict=True))


def test_the_brief_names_the_files() -> None:
    brief = (places.EXERCISES / "double-charge" / "brief.md").read_text(encoding="utf-8")
    assert [path.name for path in sorted(HOME.iterdir()) if f"`{path.name}`" not in brief] == []
    for order in (4107, 4103, 4122):
        assert str(order) in brief
    assert f"{len(ORDERS)} orders" in brief


def test_what_went_wrong_is_in_the_lists(
    cards: dict[int, list[dict[str, str]]],
) -> None:
    took = {order: Counter(row["type"] for row in done) for order, done in cards.items()}
    assert {order for order, kinds in took.items() if kinds["sale"] > 1} == set(KILLED)
    assert {order for order, kinds in took.items() if kinds["capture"] > 1} == set(SENT_OFF_TWICE)
    assert {order for order, kinds in took.items() if kinds["refund"] > 1} == set(REFUNDED_TWICE)
    captures = Counter(row["reference"] for row in rows("ledger.csv") if row["kind"] == "capture")
    orders = {row["id"]: int(row["order"].removeprefix("order-")) for row in rows("payments.csv")}
    assert {orders[payment] for payment in captures} == set(ORDERS)
    twice = {orders[payment] for payment, times in captures.items() if times > 1}
    assert twice == set(SENT_OFF_TWICE)


def test_more_was_given_back_than_was_taken(cards: dict[int, list[dict[str, str]]]) -> None:
    for order in REFUNDED_TWICE:
        given = sum(Decimal(row["amount"]) for row in cards[order] if row["type"] == "refund")
        assert given > Decimal(cards[order][0]["amount"])


def test_a_request_can_be_followed_into_the_logs() -> None:
    logged = {
        json.loads(line).get("request_id")
        for path in HOME.glob("*.log")
        for line in path.read_text(encoding="utf-8").splitlines()
    }
    asked = rows("requests.csv")
    assert {row["request_id"] for row in asked if row["request_id"]} <= logged
    assert {row["order"] for row in asked if row["status"] == "no answer"} == set(map(str, KILLED))


def test_nothing_tells_where_it_was_recorded() -> None:
    here = str(Path(__file__).parents[2])
    for path in HOME.iterdir():
        text = path.read_text(encoding="utf-8")
        assert here not in text
        assert "/tmp/" not in text
