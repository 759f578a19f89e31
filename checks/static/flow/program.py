"""The source as a program: its modules, and what their names for one another mean.

Nothing of it is imported or run. What cannot be parsed is as if it were another package's.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from checks.static.source import SourceFile


@dataclass(frozen=True, slots=True)
class Module:
    """A file: its dotted name from the submission's root, its path, text and syntax."""

    name: str
    path: str
    lines: tuple[str, ...]
    tree: ast.Module
    package: bool

    def line(self, number: int) -> str:
        """A line of it without the blanks around it; empty where there is no such line."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""


@dataclass(frozen=True, slots=True)
class Program:
    """All modules by name, and those that the end of a name may mean, nearest to the root first."""

    modules: Mapping[str, Module]
    endings: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, files: Iterable[SourceFile]) -> Program:
        """Parse some files; never raises for what is in them."""
        modules: dict[str, Module] = {}
        for file in files:
            tree = parsed(file.text)
            if tree is None:
                continue
            path = PurePosixPath(file.path)
            package = path.stem == "__init__"
            name = ".".join((*path.parent.parts, *([] if package else [path.stem])))
            lines = tuple(file.text.split("\n"))
            modules[name] = Module(name, file.path, lines, tree, package)
        return cls(modules, _endings(modules))

    def find(self, name: str) -> Module | None:
        """The module that an absolute name means, or ``None`` for another package's."""
        if name in self.modules:
            return self.modules[name]
        if name.partition(".")[0] in sys.stdlib_module_names:
            return None
        known = [one for one in self.endings.get(name, ()) if self._is_rooted(one, name)]
        return self.modules[known[0]] if known else None

    def _is_rooted(self, found: str, name: str) -> bool:
        """Whether the folder in which a name begins may be one that Python looks in: no package."""
        before = found.removesuffix(name).rstrip(".").split(".")
        above = (".".join(before[:count]) for count in range(1, len(before) + 1))
        return not any(one in self.modules and self.modules[one].package for one in above)


def relative(module: Module, level: int, name: str | None) -> str:
    """The absolute name of what a relative import names."""
    parts = module.name.split(".")
    kept = parts[: len(parts) - level + (1 if module.package else 0)]
    return ".".join([*kept, *([name] if name else [])])


def parsed(text: str) -> ast.Module | None:
    """The syntax of some text, or ``None`` where it is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _endings(modules: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each end of a dotted name the modules it may mean, those nearest to the root first."""
    found: dict[str, list[str]] = {}
    for name in sorted(modules, key=lambda one: (one.count("."), one)):
        parts = name.split(".")
        for start in range(len(parts)):
            found.setdefault(".".join(parts[start:]), []).append(name)
    return {ending: tuple(names) for ending, names in found.items()}
