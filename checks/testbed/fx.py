"""The FX simulator: the provider of rates of the contract's section 11, over real HTTP.

A pair's rate stays the same unless it is scripted otherwise. What is told of a pair is scripted by
method calls of the harness, pair by pair: checks that share a testbed use pairs of their own.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from urllib.parse import parse_qs

from pydantic import Field

from checks.testbed.http import Answer, Received
from checks.testbed.journal import Entry
from checks.testbed.simulator import Conduct, Conducts, Party, refusal

#: What one unit of each currency is worth in one and the same currency, more or less.
_WORTH = {
    "AED": "0.272", "AUD": "0.66", "BHD": "2.65", "BRL": "0.18", "CAD": "0.73", "CHF": "1.13",
    "CNY": "0.14", "CZK": "0.044", "DKK": "0.146", "EUR": "1.09", "GBP": "1.27", "HKD": "0.128",
    "HUF": "0.0028", "IDR": "0.000062", "ILS": "0.27", "INR": "0.012", "ISK": "0.0073",
    "JOD": "1.41", "JPY": "0.0067", "KRW": "0.00075", "KWD": "3.25", "MXN": "0.058",
    "MYR": "0.22", "NOK": "0.094", "NZD": "0.61", "OMR": "2.6", "PHP": "0.018", "PLN": "0.25",
    "RON": "0.22", "SAR": "0.267", "SEK": "0.096", "SGD": "0.74", "THB": "0.029", "TND": "0.32",
    "TRY": "0.031", "USD": "1", "VND": "0.00004", "ZAR": "0.054",
}  # fmt: skip

#: Digits of a rate that count, and after the point at most (contract 11.1).
_DIGITS, _PLACES = 7, 12


class Telling(Conduct):
    """How a pair's rate is told; what is not given is told as it is.

    ``rate`` is told instead, or ``factor`` times the true one; ``age`` is in seconds, and negative
    in the future. ``base`` and ``quote`` name another pair.
    """

    rate: str | None = None
    factor: Decimal | None = Field(default=None, gt=0)
    age: float = 0.0
    base: str | None = None
    quote: str | None = None


class Fx(Party):
    """One testbed's provider."""

    name = "fx"

    def __init__(self, api_key: str, lines: int = 1) -> None:
        super().__init__(api_key, lines)
        self._tellings = Conducts(Telling())

    def tell(self, base: str, quote: str, telling: Telling | None) -> None:
        """Tell a pair's rate in this way from now on; ``None``: as it is."""
        self._tellings.set(f"{base}/{quote}", telling)

    def lift(self) -> None:
        """Tell every pair's rate as it is."""
        self._tellings.lift()

    async def _answer(self, received: Received) -> Answer | None:
        asked = parse_qs(received.query)
        base, quote = ("".join(asked.get(name, [])[:1]) for name in ("base", "quote"))
        pair = f"{base}/{quote}"
        entry = Entry.of(received, token=pair)
        await self._journal.note(entry)
        refused = self._refused(received, ("GET", "/v1/rates"))
        if refused is None and not {base, quote} <= _WORTH.keys():
            refused = refusal(404, "unknown_pair")
        if refused is not None:
            return entry.ended(refused)
        told = _told(base, quote, self._tellings.about(pair))
        return entry.ended(await self._tellings.said(pair, told))


def true_rate(base: str, quote: str) -> Decimal:
    """The rate of a pair, as it is told: units of ``quote`` for one of ``base``."""
    rate = Context(prec=_DIGITS).divide(Decimal(_WORTH[base]), Decimal(_WORTH[quote]))
    return round(rate, _PLACES).normalize()


def _told(base: str, quote: str, telling: Telling) -> Answer:
    rate = true_rate(base, quote)
    if telling.factor is not None:
        rate = round(rate * telling.factor, _PLACES).normalize()
    as_of = datetime.now(UTC) - timedelta(seconds=telling.age)
    reply = {
        "base": telling.base or base,
        "quote": telling.quote or quote,
        "rate": f"{rate:f}" if telling.rate is None else telling.rate,
        "as_of": as_of.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return Answer(200, json.dumps(reply))
