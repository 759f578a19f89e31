"""Forms of an exercise: alike in what they ask for, and not in where it stands. A seed chooses one.

Form 0 is the exercise as its manifest writes it. Any other draws which of interchangeable flaws are
in, in which of their seeded forms, and the names and numbers of the brief, from the exercise's id
and the seed alone: the same seed gives the same form everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exercises.bank import BankError, Flaw, Variant

#: Draws after which an exercise counts as one that has no other form.
_DRAWS = 200


@dataclass(frozen=True, slots=True)
class Form:
    """One form: each flaw that is in, with its seeded form, and what stands for each word."""

    seed: int
    flaws: Mapping[str, Variant]
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """What an exercise leaves open: of everything the first is form 0's.

    ``places`` has for each place the flaws that may stand there, and of each flaw the seeded forms
    that it may have; ``words`` what may stand for each word.
    """

    places: Sequence[Sequence[Sequence[Variant]]]
    words: Mapping[str, Sequence[str]]

    def form(self, seed: int, stands: Callable[[Sequence[Variant]], bool]) -> Form:
        """The form of a seed.

        ``stands`` says whether seeded forms can stand in one tree. Raises ``LookupError`` where no
        draw gives any that can.
        """
        if seed == 0:
            usual = [place[0][0] for place in self.places]
            return Form(0, _by_flaw(usual), {word: these[0] for word, these in self.words.items()})
        drawn = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        words = {word: drawn.choice(these) for word, these in self.words.items()}
        for _ in range(_DRAWS):
            chosen = [drawn.choice(drawn.choice(place)) for place in self.places]
            if stands(chosen):
                return Form(seed, _by_flaw(chosen), words)
        raise LookupError(seed)


def seeded_forms(flaw: Flaw, wanted: Sequence[str], where: str) -> list[Variant]:
    """The seeded forms of a flaw that a manifest wants; the only one, where it wants none.

    Raises ``BankError``, with ``where`` it stands, for one that there is not.
    """
    if not wanted and len(flaw.inject) > 1:
        raise BankError(f"{where}: {flaw.id} has several seeded forms, and none is chosen.")
    for name in wanted:
        if name not in flaw.inject:
            raise BankError(f"{where}: {flaw.id} has no seeded form {name!r}.")
    return [flaw.inject[name] for name in wanted or flaw.inject]


def _by_flaw(chosen: Sequence[Variant]) -> dict[str, Variant]:
    return {variant.flaw: variant for variant in chosen}
