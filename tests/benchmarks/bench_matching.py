"""How far the matcher agrees with a person about what a comment is about, and how reviews stand.

Precision is the share of the comments that the matcher gave to a flaw which are about that flaw;
recall the share of the comments about a flaw that it gave to it. Both are to be 0.95 at least. The
precision of finds is of those comments alone that earn a flaw: what repeats them earns nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from scoring.reviews.matching import Outcome, match
from scoring.reviews.standing import Bounds, Judged, standing
from tests.scoring.reviews.marked import Marked, marked_reviews


@dataclass(slots=True)
class Agreement:
    """Comments given to the right flaw, given wrongly, and about a flaw but not given to it."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    finds: int = 0
    wrong_finds: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """1 where nothing was given."""
        given = self.right + self.wrong
        return self.right / given if given else 1.0

    @property
    def precision_of_finds(self) -> float:
        """1 where nothing was found."""
        return 1 - self.wrong_finds / self.finds if self.finds else 1.0

    @property
    def recall(self) -> float:
        """1 where there was nothing to give."""
        wanted = self.right + self.missed
        return self.right / wanted if wanted else 1.0

    def add(self, one: Marked) -> None:
        """Count a review."""
        for found in match(one.review.comments, one.planted):
            wanted, given = one.about[found.comment.id], found.flaw or None
            self.right += given is not None and given == wanted
            self.wrong += given is not None and given != wanted
            self.missed += wanted is not None and given != wanted
            if found.outcome is Outcome.FOUND:
                self.finds += 1
                self.wrong_finds += given != wanted
            if given != wanted:
                place = f"{one.exercise}/{one.name} {found.comment.id}"
                self.differences.append(f"{place}: {given or '-'} for {wanted or '-'}")


def judged(one: Marked) -> Judged:
    """A person who takes what is about a flaw, and nothing else."""
    right = frozenset(id_ for id_, flaw in one.about.items() if flaw is not None)
    return Judged(right, frozenset(one.about) - right)


def agreement(reviews: Iterable[Marked]) -> Agreement:
    """Of all of these together."""
    found = Agreement()
    for one in reviews:
        found.add(one)
    return found


def standings(reviews: Sequence[Marked]) -> Iterator[str]:
    """A line for each review: recall, precision and balance, open claims left open and judged."""
    for one in reviews:
        first = standing(one.review, one.planted)
        last = standing(one.review, one.planted, judged(one))
        yield (
            f"{one.name:14} {len(one.review.comments):8} {len(first.found):5} "
            f"{first.recall:7.2f} {_range(first.precision):>10} {_range(first.balance):>10} "
            f"{last.precision.least:7.2f} {last.balance.least:7.2f}  "
            f"{'' if first.decided is None else 'yes' if first.decided else 'no'}"
        )


def _range(bounds: Bounds) -> str:
    return f"{bounds.least:.2f}-{bounds.most:.2f}"


def main() -> None:
    """Print both, and each comment of which person and matcher say different things."""
    reviews = list(marked_reviews())
    for exercise, group in groupby(reviews, key=lambda one: one.exercise):
        of_exercise = list(group)
        found = agreement(of_exercise)
        print(f"\n{exercise}: precision {found.precision:.3f}, recall {found.recall:.3f}")
        print(
            f"{'review':14} {'comments':>8} {'found':>5} {'recall':>7} {'precision':>10} "
            f"{'balance':>10} {'judged':>7} {'balance':>7}  decided"
        )
        print(*standings(of_exercise), sep="\n")
    whole = agreement(reviews)
    print(f"\nall: precision {whole.precision:.3f}, recall {whole.recall:.3f}", end="")
    print(f" ({whole.right} right, {whole.wrong} wrong, {whole.missed} missed)")
    print(f"of finds: precision {whole.precision_of_finds:.3f}")
    print(*whole.differences, sep="\n")


if __name__ == "__main__":
    main()
