from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from checks import contract
from checks.catalogue import catalogue, select, validate
from checks.registry import Declaration, DeclarationError, check
from exercises.bank import load_bank

ALONE = {
    "transfer-double-spend",
    "over-refund-race",
    "capture-twice",
    "account-lost-update",
    "transfer-deadlock",
    "serialization-500",
    "idempotency-claim-race",
    "idempotency-restart",
    "psp-timeout-is-failure",
    "exception-means-paid",
    "n-plus-one",
    "missing-index",
    "global-lock",
    "transaction-across-psp",
}


def test_every_flaw_has_checks_in_its_family() -> None:
    found = {declaration.flaw: declaration.family for declaration in catalogue()}
    found.pop(None)
    assert found == {flaw.id: flaw.family for flaw in load_bank().flaws.values()}


def test_flaws_that_need_it_have_a_testbed_of_their_own() -> None:
    exclusive = {one.flaw for one in catalogue() if one.flaw and one.exclusive}
    assert exclusive >= ALONE


def test_contract_checks_come_first_and_have_no_flaw() -> None:
    families = [declaration.family for declaration in catalogue()]
    assert families == sorted(families, key=lambda family: family != "contract")
    assert {one.flaw for one in catalogue() if one.family == "contract"} == {None}
    assert all(one.flaw for one in catalogue() if one.family != "contract")


def test_what_others_need_exists() -> None:
    known = {declaration.id for declaration in catalogue()}
    groups = [value for value in vars(contract).values() if isinstance(value, tuple)]
    assert groups
    for group in groups:
        assert set(group) <= known


def test_a_summary_is_one_sentence() -> None:
    for declaration in catalogue():
        assert declaration.summary.endswith("."), declaration.id
        assert len(declaration.summary) <= 120, declaration.id


def test_select_adds_what_is_needed() -> None:
    chosen = select(flaws=["jwt-claims"], contract=False)
    assert chosen[-1] == "security/every_claim_of_a_token_is_verified"
    assert set(chosen[:-1]) == {*contract.service, *contract.merchants, *contract.accounts}
    assert set(select(checks=["contract/a_list_is_paged"], contract=False)) == {
        *contract.service,
        *contract.merchants,
        *contract.accounts,
        *contract.deposits,
        *contract.lists,
    }


def test_select_everything_or_the_whole_contract() -> None:
    everything = tuple(declaration.id for declaration in catalogue())
    assert select() == everything
    whole = select(flaws=["jwt-claims"])
    assert {one.id for one in catalogue() if one.family == "contract"} < set(whole)
    assert sum(not name.startswith("contract/") for name in whole) == 1


@pytest.mark.parametrize("unknown", [{"flaws": ["no-flaw"]}, {"checks": ["x/y"]}])
def test_select_refuses_what_does_not_exist(unknown: dict[str, list[str]]) -> None:
    with pytest.raises(KeyError, match=r"no-flaw|x/y"):
        select(**unknown)  # type: ignore[arg-type]


def _declared(name: str, *needs: str, flaw: str | None = None) -> Declaration:
    return Declaration(f"contract/{name}", "contract", flaw, "A rule.", needs)


@pytest.mark.parametrize(
    ("declarations", "message"),
    [
        ([_declared("a"), _declared("a")], "Two checks"),
        ([_declared("a", "contract/b")], "no such contract check"),
        ([_declared("a", "contract/b"), _declared("b", flaw="f")], "no such contract check"),
        ([_declared("a", "contract/b"), _declared("b", "contract/a")], "circle"),
    ],
)
def test_checks_that_do_not_fit(declarations: list[Declaration], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        validate(declarations)


def test_a_declaration_is_refused_where_it_is_made() -> None:
    async def no_docstring() -> None: ...

    def not_async() -> None:
        """A rule."""

    async def shared() -> None:
        """A rule."""

    with pytest.raises(DeclarationError, match="docstring"):
        check()(no_docstring)
    with pytest.raises(DeclarationError, match="async"):
        check()(not_async)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="exclusive"):
        check(settings={"A": "1"})(shared)
    declared = check("f")(shared)
    assert asyncio.iscoroutinefunction(declared)


def test_files_of_checks_hold_nothing_else_that_pytest_would_run() -> None:
    root = Path(__file__).parents[2] / "checks"
    assert not list(root.glob("*/test_*.py"))
    assert not list(root.rglob("conftest.py"))
