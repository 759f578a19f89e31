"""When the worker looks at a day's settlement next."""

from datetime import UTC, datetime, time, timedelta

from payments.kit.settings import Settings
from payments.settlements.models import HELD, Settlement

MAX_BACKOFF = 12
"""In units of SETTLEMENT_INTERVAL_SECONDS."""


def closes_at(settlement: Settlement) -> datetime:
    """When the day is over."""
    return datetime.combine(settlement.day, time(), UTC) + timedelta(days=1)


def needs_file(settlement: Settlement) -> bool:
    """Whether no whole file is held, or one that was asked for before the day was over."""
    if settlement.status not in HELD or settlement.asked_at is None:
        return True
    return settlement.asked_at < closes_at(settlement)


def in_vain(settlement: Settlement, settings: Settings, now: datetime) -> datetime:
    """When to look after one in vain: after growing pauses, and when the file can be expected."""
    units = min(2**settlement.passes, MAX_BACKOFF)
    pause = timedelta(seconds=units * settings.settlement_interval_seconds)
    return max(now + pause, expected_at(settlement, settings))


def expected_at(settlement: Settlement, settings: Settings) -> datetime:
    """From when on the day's file is asked for."""
    return closes_at(settlement) + timedelta(seconds=settings.settlement_after_seconds)
