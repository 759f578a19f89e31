"""What a trial's outcome depends on, as one hash: while it is the same, so is the outcome.

That is the submission's files; the modules of this project that the checks asked for import, and
those that run any check; their rules and settings; and the versions of what they stand on. A check
that is changed makes its own trials new, and leaves the others as they are.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from checks.catalogue import CHECKS, catalogue, files
from harness.submission import digest
from harness.version import versions

_ROOT = CHECKS.parent

#: What runs checks, whichever they are.
_RUNNING = (
    "checks.__main__",
    "checks.plugin",
    "checks.runner",
    "checks.testbed.broker",
    "checks.testbed.keeper",
    "checks.testbed.testbed",
    "harness.matrix",
    "harness.session",
)


def fingerprint(tree: dict[str, bytes], checks: Iterable[str]) -> str:
    """The hash of a submission tried with some checks, in hexadecimal. Raises ``KeyError``."""
    wanted = sorted(checks)
    found = hashlib.sha256(f"{digest(tree)} {_standing_on()}".encode())
    modules = {module for check in wanted for module in _closure(_module_of(check))}
    modules.update(module for module in _RUNNING for module in _closure(module))
    for word in (*wanted, *(_content(module) for module in sorted(modules))):
        found.update(f"\n{word}".encode())
    return found.hexdigest()


@cache
def _standing_on() -> str:
    pinned = hashlib.sha256((_ROOT / "constraints.txt").read_bytes()).hexdigest()
    rules = hashlib.sha256()
    for path in sorted(CHECKS.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            rules.update(path.read_bytes())
    return f"{pinned} {rules.hexdigest()} {sorted(versions().items())}"


@cache
def _module_of(check: str) -> str:
    """The module that a check stands in."""
    family, _, function = check.partition("/")
    if check not in {one.id for one in catalogue()}:
        raise KeyError(check)
    return next(
        f"checks.{family}.{path.stem}"
        for path in files()
        if path.parent.name == family and f"async def {function}(" in path.read_text("utf-8")
    )


@cache
def _closure(module: str) -> frozenset[str]:
    """A module with all that it imports of this project, and what these import in turn."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(name))
    return frozenset(found)


@cache
def _imports(module: str) -> tuple[str, ...]:
    tree = ast.parse(_path(module).read_bytes())
    return tuple(name for name in _named(tree) if _is_ours(name))


def _named(tree: ast.AST) -> Iterator[str]:
    """What might be a module: ``from a import b`` may import ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in ("checks", "exercises", "harness") and _path(name).is_file()


def _path(module: str) -> Path:
    place = _ROOT.joinpath(*module.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


@cache
def _content(module: str) -> str:
    return f"{module} {hashlib.sha256(_path(module).read_bytes()).hexdigest()}"
