"""All checks there are, without running one: for lists, selections and validation."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path

from checks.registry import Declaration, DeclarationError, declaration_of

#: Where the checks are.
CHECKS = Path(__file__).parent

#: The family of the checks that others need.
CONTRACT = "contract"


def files(root: Path = CHECKS) -> tuple[Path, ...]:
    """The files of checks, the contract's first."""
    found = sorted(root.glob("*/check_*.py"))
    return tuple(sorted(found, key=lambda path: path.parent.name != CONTRACT))


@cache
def catalogue() -> tuple[Declaration, ...]:
    """Every check in the order of its file and its place in it, contract checks first.

    Raises ``DeclarationError`` for one id used twice and for needs that are no contract checks,
    are exclusive, or go round in a circle.
    """
    found: list[Declaration] = []
    for path in files():
        module = importlib.import_module(f"checks.{path.parent.name}.{path.stem}")
        of_file = (declaration_of(value) for value in vars(module).values())
        found.extend(declaration for declaration in of_file if declaration is not None)
    validate(found)
    return tuple(found)


def validate(declarations: Iterable[Declaration]) -> None:
    """Raise ``DeclarationError`` where the checks do not fit one another."""
    known: dict[str, Declaration] = {}
    for declaration in declarations:
        if declaration.id in known:
            raise DeclarationError(f"Two checks are called {declaration.id}.")
        known[declaration.id] = declaration
    for declaration in known.values():
        for need in declaration.needs:
            if need not in known or known[need].flaw is not None:
                raise DeclarationError(f"{declaration.id} needs {need}: no such contract check.")
            if known[need].exclusive:
                raise DeclarationError(f"{declaration.id} needs {need}, which is exclusive.")
    for name in known:
        _walk(name, known, ())


def _walk(name: str, known: dict[str, Declaration], path: tuple[str, ...]) -> None:
    if name in path:
        raise DeclarationError(
            f"Checks need one another in a circle: {' -> '.join((*path, name))}."
        )
    for need in known[name].needs:
        _walk(need, known, (*path, name))


def select(
    *,
    flaws: Collection[str] | None = None,
    checks: Collection[str] | None = None,
    contract: bool = True,
    among: tuple[Declaration, ...] | None = None,
) -> tuple[str, ...]:
    """The ids of the checks to run, with all that they need, in the catalogue's order.

    ``flaws`` and ``checks`` name flaws and check ids; both ``None`` means every check. ``contract``
    adds all contract checks; without it only those that the chosen ones need. Raises ``KeyError``
    with the name of a flaw or check that does not exist.
    """
    declarations = catalogue() if among is None else among
    by_id = {declaration.id: declaration for declaration in declarations}
    if flaws is None and checks is None:
        return tuple(by_id)
    chosen: set[str] = set()
    for name in checks or ():
        if name not in by_id:
            raise KeyError(name)
        chosen.add(name)
    for flaw in flaws or ():
        of_flaw = {declaration.id for declaration in declarations if declaration.flaw == flaw}
        if not of_flaw:
            raise KeyError(flaw)
        chosen |= of_flaw
    if contract:
        chosen |= {declaration.id for declaration in declarations if declaration.flaw is None}
    waiting = list(chosen)
    while waiting:
        for need in by_id[waiting.pop()].needs:
            if need not in chosen:
                chosen.add(need)
                waiting.append(need)
    return tuple(name for name in by_id if name in chosen)
