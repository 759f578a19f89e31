"""Which look-ups are laid at the door of the database's own functions."""

from __future__ import annotations

import pytest

from checks.load.scans import Scans

FEW = Scans({"public.refunds": 2, "public.payments": 1})
MANY = {"public.refunds": 18, "public.payments": 9}


def of(body: str) -> dict[str, int]:
    return Scans(MANY, {"public.f": 10}, {"public.f": body}).more_than(FEW)


@pytest.mark.parametrize(
    ("body", "blamed"),
    [
        ("RETURN to_jsonb(refund);", set()),
        ("RETURN current_setting('payments.tenant', true);", set()),
        ("RETURN 'it''s FROM refunds';", set()),
        ("SELECT count(*) INTO n FROM refunds WHERE payment = id;", {"public.refunds"}),
        ('FOR r IN SELECT * FROM public."refunds" LOOP', {"public.refunds"}),
        ("EXECUTE 'SELECT * FROM ' || name;", {"public.refunds", "public.payments"}),
    ],
)
def test_only_tables_that_a_function_names_are_its_doing(body: str, blamed: set[str]) -> None:
    assert of(body).keys() == blamed


def test_nothing_is_blamed_on_functions_that_did_not_run() -> None:
    assert Scans(MANY, {}, {"public.f": "SELECT * FROM refunds"}).more_than(FEW) == {}


def test_figures_are_differences() -> None:
    before = Scans({"public.t": 3}, {"public.f": 1}, {"public.f": "FROM t"})
    after = Scans({"public.t": 8, "public.u": 1}, {"public.f": 1}, {"public.f": "FROM t"})
    assert after.since(before).tables == {"public.t": 5, "public.u": 1}
    assert after.since(before).functions == {}
