"""Section 8 of the contract: the service, driven at random beside a model of its books."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile
from hypothesis.errors import FlakyFailure
from hypothesis.stateful import run_state_machine_as_test

from payments.kit.logging import configure
from payments.kit.settings import Settings
from testkit.bank import FakeBank
from testkit.fx import FakeFx
from testkit.model.rules.machine import Machine
from testkit.model.rules.stage import Parties, Stage, staged
from testkit.notifier import FakeNotifier
from testkit.psp import FakePsp

EXAMPLES = int(os.environ.get("TEST_MODEL_EXAMPLES", "12"))
STEPS = int(os.environ.get("TEST_MODEL_STEPS", "30"))
SHRINKS = "TEST_MODEL_SHRINK" in os.environ

AT_RANDOM = profile(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    phases=[Phase.reuse, Phase.generate, *([Phase.shrink] if SHRINKS else [])],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def stage(
    settings: Settings,
    fake_psp: FakePsp,
    fake_bank: FakeBank,
    fake_fx: FakeFx,
    fake_notifier: FakeNotifier,
) -> Iterator[Stage]:
    """One replica for all examples; it waits longer, since what it does not hear is counted."""
    patient = settings.model_copy(update={"psp_deadline_seconds": 1.0, "log_level": "error"})
    parties = Parties(fake_psp, fake_bank, fake_fx, fake_notifier)
    try:
        with staged(patient, parties) as started:
            yield started
    finally:
        configure(settings.log_level)


def play(stage: Stage, how: profile) -> None:
    run_state_machine_as_test(type("Machine", (Machine,), {"stage": stage}), settings=how)


def test_the_service_does_as_the_model_does(stage: Stage) -> None:
    play(stage, AT_RANDOM)


async def nothing(*_: object) -> None:
    """Do nothing of what was to be done."""


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("payments.operations.settlement.fee_of", lambda amount, share: amount * share // 10_000),
        ("payments.transfers.service.record", nothing),
        ("payments.payouts.service.add_to_held", nothing),
    ],
)
def test_what_is_wrong_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str, wrong: object
) -> None:
    monkeypatch.setattr(name, wrong)
    with pytest.raises((AssertionError, FlakyFailure)):
        play(stage, profile(AT_RANDOM, max_examples=20, database=None))
