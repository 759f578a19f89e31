"""The source scanners as a team would run them: over the service's own code, with a rule pack."""

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from checks.static import semgrep
from checks.static.limits import Limits, run_scanner
from checks.static.match import Match
from checks.static.source import is_test
from exercises.tree import Tree


def _written(tree: Tree, folder: Path) -> dict[str, str]:
    """The service's own Python files, side by side; their texts by the names they have there."""
    texts = {
        path.replace("/", "__"): data.decode()
        for path, data in tree.items()
        if path.endswith(".py") and not is_test(path)
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return texts


async def by_bandit(tree: Tree) -> Counter[str]:
    """What bandit says, all of its tests, as it comes."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        texts = _written(tree, folder)
        argv = [sys.executable, "-m", "bandit", "--quiet", "--exit-zero", "-r", "."]
        argv += ["--format", "custom", "--msg-template", "{relpath}\t{line}\t{test_id}"]
        said = await run_scanner("bandit", argv, folder, Limits(), accept=frozenset({0}))
    found: Counter[str] = Counter()
    for line in filter(None, said.decode().splitlines()):
        path, number, rule = line.split("\t")
        found[_alarm(rule, Path(path).name, int(number), texts)] += 1
    return found


async def by_semgrep(tree: Tree) -> Counter[str]:
    """What semgrep says, with the rule pack that reports show the findings of."""
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as name:
        folder = Path(name)
        texts = _written(tree, folder)
        scan = await semgrep.scan(folder, sorted(texts), Limits())
    matches: set[Match] = set(scan.matches)
    return Counter(_alarm(one.rule, one.name, one.line, texts) for one in matches)


def _alarm(rule: str, name: str, line: int, texts: dict[str, str]) -> str:
    """A finding by its rule and what stands there: the same, when lines above it have moved."""
    lines = texts[name].split("\n")
    stands = " ".join(lines[line - 1].split()) if 0 < line <= len(lines) else ""
    return f"{rule} {name} {stands}"


if __name__ == "__main__":
    from exercises.tree import reference_tree

    for tool in (by_bandit, by_semgrep):
        for alarm, count in asyncio.run(tool(reference_tree())).items():
            print(tool.__name__, count, alarm)
