"""Rules 9.12 to 9.15: which files of the PSP's are believed."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.kit.money import EXPONENTS, decimal_string
from payments.psp.settlements import MalformedFileError, SettlementFile
from testkit.settlements import HEADER, Row, file_of

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

SALE = Row("op_1", "capture", "ours_1", "12.50", "GBP", NOON)
YEN = Row("op_2", "capture", "ours_2", "1250", "JPY", NOON)
DINAR = Row("op_3", "refund", "ours_3", "1.250", "KWD", NOON)
WHOLE = file_of("2026-01-05", [SALE, YEN, DINAR, replace(SALE, operation="op_4")])
LINES = WHOLE.splitlines()


def read(text: str) -> SettlementFile:
    return SettlementFile(DAY, text.encode())


def refused(text: str | bytes) -> MalformedFileError:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(MalformedFileError) as caught:
        SettlementFile(DAY, content).totals()
    return caught.value


def test_a_whole_file_says_what_moved_in_minor_units() -> None:
    told = [(m.line, m.type, m.amount, m.currency, m.at) for m in read(WHOLE).movements()]
    assert told == [
        (2, "capture", 1250, "GBP", NOON),
        (3, "capture", 1250, "JPY", NOON),
        (4, "refund", 1250, "KWD", NOON),
        (5, "capture", 1250, "GBP", NOON),
    ]
    totals = [(t.type, t.currency, t.count, t.amount) for t in read(WHOLE).totals()]
    assert totals == [
        ("capture", "GBP", 2, 2500),
        ("capture", "JPY", 1, 1250),
        ("refund", "KWD", 1, 1250),
    ]


def test_a_day_without_movements_has_a_file_too() -> None:
    file = read(file_of("2026-01-05", []))
    assert (file.totals(), list(file.movements())) == ([], [])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_may_end_either_way_and_the_last_one_need_not(newline: str) -> None:
    assert read(newline.join(LINES)).totals() == read(WHOLE).totals()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (1, "operation,type,reference,amount,currency"),
        (1, HEADER.replace("at", "time")),
        (2, SALE.text().replace("12.50", "12.5")),
        (2, SALE.text().replace("12.50", "1250")),
        (2, SALE.text().replace("12.50", "-12.50")),
        (2, SALE.text().replace("12.50", "0.00")),
        (2, SALE.text().replace("12.50", "1e1")),
        (2, SALE.text().replace("12.50", "9" * 17 + ".00")),
        (2, SALE.text().replace("GBP", "XXX")),
        (2, SALE.text().replace("capture", "sale")),
        (2, SALE.text().replace("ours_1", "")),
        (2, SALE.text().replace("ours_1", "ours 1")),
        (2, SALE.text().replace("Z", "")),
        (2, SALE.text().replace("2026-01-05", "2026-02-30")),
        (2, SALE.text() + ",more"),
        (2, SALE.text().replace("op_1", '"op_1')),
        (3, YEN.text().replace("1250", "12.50")),
        (6, LINES[5].replace(",2,", ",3,")),
        (6, LINES[5].replace("25.00", "25.01")),
        (6, LINES[5].replace("2026-01-05", "2026-01-06")),
        (7, LINES[5]),
        (8, "total,refund,0,1.250,KWD,2026-01-05"),
        (9, LINES[8].replace(",4,", ",5,")),
        (9, LINES[8].replace("2026-01-05", "2026-01-04")),
        (9, LINES[8].replace(",,,", ",,GBP,")),
    ],
)
def test_a_file_with_one_wrong_line_is_refused_whole_and_says_where(line: int, text: str) -> None:
    assert LINES[line - 1] != text
    wrong = [*LINES[: line - 1], text, *LINES[line:]]
    assert refused("\n".join(wrong)).line >= line
    if '"' not in text:  # an open quotation goes on to the end
        assert refused("\n".join(wrong)).line == line


def test_a_total_that_is_missing_is_missed_and_so_is_what_comes_after_the_end() -> None:
    assert refused("\n".join(LINES[:6] + LINES[7:])).line == 8
    assert refused(WHOLE + SALE.text()).line == 10
    moved = [*LINES[:5], LINES[5], SALE.text(), *LINES[6:]]
    assert refused("\n".join(moved)).line == 7


def test_what_is_no_text_or_no_csv_is_refused_at_its_line() -> None:
    assert refused(WHOLE.encode().replace(b"ours_2", b"ours_\xff")).line == 3
    assert refused(WHOLE.replace("ours_2", "ours_\0")).line == 3
    assert refused("<html>").line == 1
    assert refused("").line == 1


@given(st.data())
def test_a_file_that_is_cut_anywhere_is_refused(data: st.DataObject) -> None:
    end = len(WHOLE.rstrip())
    cut = data.draw(st.integers(0, end - 1))
    refused(WHOLE[:cut])


CURRENCIES = st.sampled_from(sorted(EXPONENTS))


@given(
    st.lists(st.tuples(st.integers(1, 10**12), CURRENCIES, st.sampled_from(["capture", "refund"])))
)
def test_amounts_and_totals_are_exact(moved: list[tuple[int, str, str]]) -> None:
    rows = [
        Row(f"op_{n}", kind, f"ours_{n}", decimal_string(amount, currency), currency, NOON)
        for n, (amount, currency, kind) in enumerate(moved)
    ]
    file = read(file_of("2026-01-05", rows))
    assert [(m.amount, m.currency, m.type) for m in file.movements()] == moved
    assert sum(total.amount for total in file.totals()) == sum(amount for amount, _, _ in moved)
    assert all(Decimal(total.amount) > 0 for total in file.totals())
