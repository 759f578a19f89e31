"""Rule 18.4: when a file is asked for, and when again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.kit.settings import Settings
from payments.settlements.looks import expected_at, in_vain, needs_file
from payments.settlements.models import Settlement, SettlementStatus

MIDNIGHT = datetime(2026, 1, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def usual(settings: Settings) -> Settings:
    """The settings, with the times that are their defaults."""
    names = ("settlement_after_seconds", "settlement_interval_seconds")
    defaults: dict[str, Any] = {name: Settings.model_fields[name].default for name in names}
    return settings.model_copy(update=defaults)


def settlement(**more: Any) -> Settlement:
    given = {"status": SettlementStatus.AWAITED.value, "asked_at": None, "passes": 0}
    return Settlement(id="2026-01-05", **(given | more))


def test_a_file_is_expected_an_hour_after_its_day(usual: Settings) -> None:
    assert expected_at(settlement(), usual) == MIDNIGHT + timedelta(hours=1)


@pytest.mark.parametrize(
    ("passes", "minutes"), [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (50, 60)]
)
def test_pauses_grow_to_an_hour(usual: Settings, passes: int, minutes: int) -> None:
    now = MIDNIGHT + timedelta(days=1)
    assert in_vain(settlement(passes=passes), usual, now) == now + minutes * MINUTE


def test_a_day_that_is_not_over_is_not_asked_for_before_it_is(usual: Settings) -> None:
    due = in_vain(settlement(), usual, MIDNIGHT - timedelta(hours=9))
    assert due == MIDNIGHT + timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "asked_at", "needed"),
    [
        ("awaited", None, True),
        ("malformed", None, True),
        ("fetching", MIDNIGHT, True),
        ("compared", MIDNIGHT - MINUTE, True),
        ("comparing", MIDNIGHT, False),
        ("compared", MIDNIGHT, False),
    ],
)
def test_a_file_is_needed_until_a_whole_one_is_held_of_a_day_that_is_over(
    status: str, asked_at: datetime | None, needed: bool
) -> None:
    assert needs_file(settlement(status=status, asked_at=asked_at)) is needed
