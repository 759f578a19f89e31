"""Fresh values from a seed: unknown beforehand, and all can be repeated."""

from __future__ import annotations

import random
import string

from checks.amounts import Money
from checks.shapes import Payee

_LETTERS = string.ascii_lowercase
_TOKEN = string.ascii_letters + string.digits
_NAMES = [
    "Alder",
    "Ash",
    "Aspen",
    "Beech",
    "Birch",
    "Cedar",
    "Elder",
    "Elm",
    "Hazel",
    "Holly",
    "Juniper",
    "Larch",
    "Lime",
    "Maple",
    "Oak",
    "Pine",
    "Poplar",
    "Rowan",
    "Spruce",
    "Willow",
    "Yew",
]
_TRADES = [
    "Bakery",
    "Books",
    "Cycles",
    "Dairy",
    "Foods",
    "Garden",
    "Hardware",
    "Optics",
    "Pottery",
    "Supplies",
    "Tools",
]


#: Currencies by the digits of their minor units.
_CURRENCIES = {
    0: ("JPY", "KRW", "ISK"),
    2: ("EUR", "USD", "CHF", "SEK", "PLN", "AUD", "CAD", "CZK"),
    3: ("KWD", "BHD", "OMR", "JOD", "TND"),
}

#: Others, for what is told of a pair to one check and to no other.
_SCRIPTED = ("NOK", "DKK", "HUF", "MXN", "THB", "TRY", "ZAR", "VND")

#: 1.5 % of every such number of minor units, and half as many more, is a tie.
_TIES = 200


class Fresh:
    """A source of values for one check: the same seed and check give the same values in turn."""

    def __init__(self, seed: int, check: str) -> None:
        self.random = random.Random(f"{seed}/{check}")  # noqa: S311 - must be repeatable

    def word(self, length: int = 8) -> str:
        """Lower-case letters."""
        return "".join(self.random.choices(_LETTERS, k=length))

    def name(self) -> str:
        """The name of a business or an account."""
        return f"{self.random.choice(_NAMES)} {self.random.choice(_TRADES)} {self.number(10, 9999)}"

    def key(self) -> str:
        """An idempotency key, as a client library would make one."""
        digits = f"{self.random.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def card(self) -> str:
        """A PSP token; it has letters throughout, so that no run of digits looks like a card."""
        return "tok_" + "".join(
            self.random.choice(_LETTERS if index % 4 == 0 else _TOKEN) for index in range(20)
        )

    def card_number(self, length: int = 16) -> str:
        """So many digits that pass the Luhn check, as a card's number does (ISO/IEC 7812)."""
        first = {13: "4", 14: "36", 15: "37", 16: "4", 17: "62", 18: "62", 19: "6"}[length]
        digits = [int(digit) for digit in first]
        digits += [self.number(0, 9) for _ in range(length - len(digits) - 1)]
        doubled = sum(sum(divmod(digit * 2, 10)) for digit in digits[::-1][::2])
        check_digit = -(doubled + sum(digits[::-1][1::2])) % 10
        return "".join(map(str, [*digits, check_digit]))

    def reference(self) -> str:
        """A reference as a merchant writes them."""
        return f"{self.word(3).upper()}-{self.number(1000, 99999)}"

    def payee(self) -> Payee:
        """Somebody with a bank account; it has letters throughout."""
        parts = (f"{self.word(2).upper()}{self.number(10, 99)}" for _ in range(5))
        return Payee(name=self.name(), bank_account="".join(parts))

    def number(self, low: int, high: int) -> int:
        """An integer between two bounds, both included."""
        return self.random.randint(low, high)

    def pair(self) -> tuple[str, str]:
        """Two currencies whose minor units have two digits; none is the pound.

        How the digits of others are minded is one check's matter, and no other's.
        """
        first, second = self.random.sample(_CURRENCIES[2], 2)
        return first, second

    def currency(self, digits: int) -> str:
        """A currency whose minor unit has so many digits; it is not the pound."""
        return self.random.choice(_CURRENCIES[digits])

    def scripted_pair(self) -> tuple[str, str]:
        """Two currencies whose rate a check may have told falsely on a shared testbed.

        ``pair`` gives none of them. One check alone may use it, or two could script one pair.
        """
        first, second = self.random.sample(_SCRIPTED, 2)
        return first, second

    def money(self, low: int, high: int, currency: str = "GBP") -> Money:
        """An amount of that many minor units, bounds included, whose fee of 1.5 % is no tie.

        How ties are rounded is one check's matter, and no other's.
        """
        while (amount := self.number(low, high)) % _TIES == _TIES // 2:
            pass
        return Money(amount, currency)
