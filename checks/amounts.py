"""Amounts of money as checks speak of them: integer minor units of an ISO 4217 currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any, Self

#: ISO 4217 exponents that are not 2, among the currencies that the checks use.
_EXPONENTS = {
    **dict.fromkeys(("JPY", "KRW", "ISK", "VND"), 0),
    **dict.fromkeys(("KWD", "BHD", "OMR", "JOD", "TND"), 3),
}

#: Hundredths of a per cent in a whole.
_BASIS = 10_000


def exponent(currency: str) -> int:
    """Digits after the point of a currency's minor unit (ISO 4217)."""
    return _EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in minor units; compared and added only within one currency."""

    amount: int
    currency: str

    def json(self) -> dict[str, Any]:
        """As the API writes it (contract 1.9)."""
        return {"amount": self.amount, "currency": self.currency}

    @property
    def decimal(self) -> str:
        """As the PSP writes it, with exactly the exponent's digits (contract 9.1)."""
        return str(Decimal(self.amount).scaleb(-exponent(self.currency)))

    def __add__(self, other: Self) -> Money:
        return Money(self.amount + self._same(other).amount, self.currency)

    def __sub__(self, other: Self) -> Money:
        return Money(self.amount - self._same(other).amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __mul__(self, times: int) -> Money:
        return Money(self.amount * times, self.currency)

    def __str__(self) -> str:
        return f"{self.decimal} {self.currency}"

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"{other} is not in {self.currency}")
        return other


def money(text: str) -> Money:
    """``money("12.50 GBP")``; raises ``ValueError`` for digits beyond the currency's exponent."""
    number, currency = text.split()
    minor = Decimal(number).scaleb(exponent(currency))
    if minor != minor.to_integral_value():
        raise ValueError(f"{text} has more digits than {currency}")
    return Money(int(minor), currency)


def fee(amount: Money, basis_points: int = 150) -> Money:
    """A fee: an amount x basis points / 10,000, half to even (contract 6.15, 10.2)."""
    exact = Decimal(amount.amount) * basis_points / _BASIS
    return Money(int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN)), amount.currency)


def converted(sold: Money, rate: Decimal, currency: str) -> Money:
    """What an amount buys in another currency, rounded down to a minor unit (contract 10.2)."""
    scale = Fraction(10) ** (exponent(currency) - exponent(sold.currency))
    return Money(int(sold.amount * Fraction(rate) * scale), currency)
