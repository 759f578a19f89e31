"""Flaws in a pull request that nobody wrote, and comments on it."""

from __future__ import annotations

from typing import Any

from checks.reviewed import Comment, Planted, Region, Side


def region(path: str, first: int, last: int, side: Side = "new") -> Region:
    return Region(path=path, side=side, first=first, last=last)


def flaw(
    id_: str,
    hunk: tuple[str, int, int],
    function: tuple[str, int, int] | None = None,
    *categories: str,
    severity: Any = "high",
) -> Planted:
    return Planted(
        flaw=id_,
        title=id_,
        severity=severity,
        categories=categories or ("races",),
        hunks=(region(*hunk), region(hunk[0], hunk[1] + 100, hunk[2] + 100, "old")),
        functions=(region(*function),) if function else (),
    )


def comment(id_: str, path: str, first: int, category: str = "races", **more: Any) -> Comment:
    given = {"id": id_, "path": path, "first": first, "last": first, "category": category}
    return Comment.model_validate({"severity": "high", **given, **more})


#: Two flaws of one file, a critical one and one of medium severity in the same function; one more
#: elsewhere.
DEBIT = flaw("debit", ("a.py", 10, 16), ("a.py", 5, 40), severity="critical")
LOCK = flaw("lock", ("a.py", 30, 34), ("a.py", 5, 40), "races", "performance", severity="medium")
OWNER = flaw("owner", ("b.py", 3, 9), None, "access-control")
PLANTED = (DEBIT, LOCK, OWNER)
