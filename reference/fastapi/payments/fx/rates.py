"""Rates of exchange, and which of them may be believed (rule 10.7)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

CLOCK_SKEW = timedelta(seconds=60)

DecimalString = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^(0|[1-9][0-9]{0,9})(\.[0-9]{1,12})?$"),
]


class RateReply(BaseModel):
    """A rate as the provider tells it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    base: str
    quote: str
    rate: DecimalString
    as_of: AwareDatetime


@dataclass(frozen=True, slots=True)
class Rate:
    """How many units of the currency ``quote`` one unit of ``base`` buys, and as of when."""

    base: str
    quote: str
    value: Decimal
    as_of: datetime

    @classmethod
    def told(cls, reply: bytes) -> Self:
        """The rate that a reply tells.

        Raises:
            ValueError: it tells none.
        """
        read = RateReply.model_validate_json(reply)
        return cls(read.base, read.quote, Decimal(read.rate), read.as_of)


@dataclass(frozen=True, slots=True)
class Belief:
    """What is asked for, and what a rate is held against.

    ``last`` is the last good rate of the pair, if there is one that is not too old to compare with.
    """

    base: str
    quote: str
    now: datetime
    max_age: timedelta
    max_deviation: Decimal
    last: Decimal | None = None

    def doubt(self, rate: Rate) -> str | None:
        """Why a rate is not to be believed; None if it is."""
        if (rate.base, rate.quote) != (self.base, self.quote):
            return "another pair than was asked for"
        if rate.value <= 0:
            return "not a positive rate"
        if self.now - rate.as_of > self.max_age:
            return "too old"
        if rate.as_of - self.now > CLOCK_SKEW:
            return "from the future"
        if self.last is not None and abs(rate.value - self.last) > self.last * self.max_deviation:
            return "too far from the last good rate"
        return None
