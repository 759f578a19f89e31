"""What betrays another merchant's object: a flaw's check says vulnerable, the contract's broken."""

from __future__ import annotations

import importlib

import pytest
from multidict import CIMultiDict

from checks.catalogue import CONTRACT, files
from checks.client import Answer
from checks.expectations import expect_absent, expect_hidden
from checks.verdicts import Broken, Decision, Vulnerable


def answer(status: int | None, content: str = "") -> Answer:
    return Answer("GET /x", status, CIMultiDict(), content.encode(), None, 0)


@pytest.mark.parametrize("status", [403, 404])
def test_what_does_not_exist_for_the_caller_is_hidden(status: int) -> None:
    expect_hidden(answer(status, "nothing"), ("secret", None))
    expect_absent(answer(status, "nothing"), ("secret", None))


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (answer(200), Vulnerable),
        (answer(404, "a secret"), Vulnerable),
        (answer(409), Vulnerable),
        (answer(500), Broken),
        (answer(401), Broken),
        (answer(None), Broken),
    ],
)
def test_what_betrays_it_is_not(given: Answer, verdict: type[Decision]) -> None:
    with pytest.raises(verdict):
        expect_hidden(given, ("secret",))
    with pytest.raises(Broken):
        expect_absent(given, ("secret",))


def test_checks_of_the_contract_never_say_vulnerable_of_it() -> None:
    own = [path for path in files() if path.parent.name == CONTRACT]
    assert own
    for path in own:
        module = importlib.import_module(f"checks.{CONTRACT}.{path.stem}")
        assert not {expect_hidden, Vulnerable} & {
            value for value in vars(module).values() if callable(value)
        }, path
