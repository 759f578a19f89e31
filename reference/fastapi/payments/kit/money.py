"""Money: integer minor units and an ISO 4217 currency, never a binary float."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_AMOUNT: Final = 10**12

BASIS: Final = 10_000
"""Basis points in the whole."""

EXPONENTS: Final[dict[str, int]] = {
    "AED": 2, "AUD": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CNY": 2, "CZK": 2,
    "DKK": 2, "EUR": 2, "GBP": 2, "HKD": 2, "HUF": 2, "IDR": 2, "ILS": 2, "INR": 2,
    "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "MXN": 2, "MYR": 2, "NOK": 2,
    "NZD": 2, "OMR": 3, "PHP": 2, "PLN": 2, "RON": 2, "SAR": 2, "SEK": 2, "SGD": 2,
    "THB": 2, "TND": 3, "TRY": 2, "USD": 2, "VND": 0, "ZAR": 2,
}  # fmt: skip
"""How many decimal digits each currency's minor unit has (ISO 4217)."""


def _known_currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError("not a known ISO 4217 currency")
    return code


Currency = Annotated[
    str, Field(pattern=r"^[A-Z]{3}$", examples=["GBP"]), AfterValidator(_known_currency)
]


class Money(BaseModel):
    """An amount in minor units, of either sign, as answers show it."""

    model_config = ConfigDict(frozen=True)

    amount: int
    currency: str


class PositiveMoney(BaseModel):
    """An amount that a client may ask to move: 1 to 10^12 minor units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Annotated[int, Field(strict=True, ge=1, le=MAX_AMOUNT)]

    currency: Currency


def decimal_string(amount: int, currency: str) -> str:
    """Minor units as a decimal string with exactly the currency's digits: 1250 GBP is ``12.50``."""
    digits = EXPONENTS[currency]
    if digits == 0:
        return str(amount)
    whole, fraction = divmod(amount, 10**digits)
    return f"{whole}.{fraction:0{digits}d}"


def minor_units(text: str, currency: str) -> int:
    """The amount that a decimal string says; the inverse of ``decimal_string``.

    Raises:
        ValueError: the string has another number of digits after the point, or is no such number.
    """
    digits = EXPONENTS[currency]
    fraction = rf"\.[0-9]{{{digits}}}" if digits else ""
    if not re.fullmatch(rf"(0|[1-9][0-9]{{0,17}}){fraction}", text, re.ASCII):
        raise ValueError("not an amount in this currency")
    return int(text.replace(".", ""))


def fee_of(amount: int, basis_points: int) -> int:
    """``amount`` x ``basis_points`` / 10,000 in minor units, rounded half to even."""
    fee, remainder = divmod(amount * basis_points, BASIS)
    if 2 * remainder > BASIS or (2 * remainder == BASIS and fee % 2 == 1):
        fee += 1
    return fee
