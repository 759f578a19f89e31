"""``assay list``: the exercises, flaws and roles there are."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table

from harness.errors import DONE

What = Literal["exercises", "flaws", "roles"]


@dataclass(frozen=True, slots=True)
class _Listing:
    """Rows to show, and the same for a script."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: tuple[dict[str, object], ...]


def show(what: What, *, as_json: bool) -> int:
    """Prints one of the lists; raises ``BankError`` or ``RoleError`` for a mistake in it."""
    listing = {"exercises": _exercises, "flaws": _flaws, "roles": _roles}[what]()
    if as_json:
        json.dump(listing.data, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return DONE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in listing.columns:
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for row in listing.rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)
    return DONE


def _exercises() -> _Listing:
    from exercises.bank import load_bank
    from exercises.exercise import exercise_ids, load_exercise

    bank = load_bank()
    found = [load_exercise(name, bank) for name in exercise_ids()]
    return _Listing(
        ("id", "minutes", "kind", "flaws", "about"),
        tuple(
            (one.id, str(one.minutes), one.kind, str(len(one.flaws)), one.summary)
            for one in sorted(found, key=lambda one: one.minutes)
        ),
        tuple(
            {
                "id": one.id,
                "title": one.title,
                "summary": one.summary,
                "kind": one.kind,
                "minutes": one.minutes,
                "track": one.track,
                "flaws": list(one.flaws),
            }
            for one in found
        ),
    )


def _flaws() -> _Listing:
    from exercises.bank import load_bank

    flaws = load_bank().flaws.values()
    return _Listing(
        ("id", "severity", "family", "fixes", "decoys", "title"),
        tuple(
            (
                flaw.id,
                flaw.severity,
                flaw.family,
                str(len(flaw.fixes)),
                str(len(flaw.decoys)),
                flaw.title,
            )
            for flaw in flaws
        ),
        tuple(
            {
                "id": flaw.id,
                "title": flaw.title,
                "family": flaw.family,
                "severity": flaw.severity,
                "cwe": list(flaw.cwe),
                "owasp": list(flaw.owasp),
                "competencies": list(flaw.competencies),
                "minutes": flaw.minutes,
                "checks": list(flaw.checks),
                "variants": [variant.label for variant in flaw.variants],
            }
            for flaw in flaws
        ),
    )


def _roles() -> _Listing:
    from scoring.role import load_role, role_ids

    roles = [load_role(name) for name in role_ids()]
    return _Listing(
        ("id", "title", "company", "place", "requirements"),
        tuple(
            (role.id, role.title, role.company, role.place, str(len(role.requirements)))
            for role in roles
        ),
        tuple(
            {
                "id": role.id,
                "title": role.title,
                "company": role.company,
                "place": role.place,
                "requirements": [one.id for one in role.requirements],
            }
            for role in roles
        ),
    )
