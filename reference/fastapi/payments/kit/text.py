"""Text that clients send: names, references, descriptions."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

NO_CONTROL_CHARACTERS: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"

# 13 to 19 digits in one run, or in the groups that cards are printed with.
_RUN = re.compile(r"(?<!\d)\d{13,19}(?!\d)")
_GROUPS = re.compile(r"(?<!\d)\d{4}[ -](?:\d{4}[ -]\d{4}[ -]\d{1,7}|\d{6}[ -]\d{4,5})(?!\d)")


def holds_card_number(text: str) -> bool:
    """Whether the text holds digits that could be a card's number (ISO/IEC 7812)."""
    candidates = _RUN.findall(text) + _GROUPS.findall(text)
    return any(_passes_luhn([int(c) for c in found if c.isdigit()]) for found in candidates)


def _passes_luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def without_card_number(text: str) -> str:
    """Refuse card data at the door, before anything could store or log it (PCI DSS 3.5)."""
    if holds_card_number(text):
        raise ValueError("must not hold a card number")
    return text


Name = Annotated[
    str, StringConstraints(min_length=1, max_length=140, pattern=NO_CONTROL_CHARACTERS)
]
Reference = Annotated[Name, AfterValidator(without_card_number)]
Description = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500, pattern=NO_CONTROL_CHARACTERS),
    AfterValidator(without_card_number),
]
