"""Carries the patches of flaws and harmless changes over to a reference that has changed.

    python -m exercises.carry HEAD~1

Patches fit the reference exactly or are refused, so a change of it leaves some behind. Each of
these is taken on the reference as it was at a commit, merged by git with the one in the working
tree, and written anew; those that fit stay as they are. What git cannot merge is named, and left to
a person. What it did merge is for a person to read, and for the checks to prove: that lines fit
says little.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exercises import places
from exercises.bank import Bank, Variant, load_bank
from exercises.harmless import Harmless, harmless_ids, load_harmless
from exercises.patches import Patch, PatchError
from exercises.tree import Tree, compose, read_tree, write_tree

#: What became of a patch: it fits as it is; its lines only moved; it was merged; it is in conflict
#: with what changed; or it does not even fit the reference as it was.
Outcome = Literal["fits", "moved", "merged", "conflict", "astray"]


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of a patch; ``text`` is the new one, or says where the conflicts are."""

    outcome: Outcome
    text: bytes = b""


class _Repository:
    """A scratch repository with two states of the reference, the second made of the first."""

    def __init__(self, folder: Path, old: Tree, new: Tree) -> None:
        self._folder = folder
        self._git("init", "--quiet", "--initial-branch=scratch")
        self._old = self._commit(old)
        self._new = self._commit(new)

    def carry(self, patched: Tree) -> Carried:
        """Merge what a patch makes of the first state with the second."""
        self._git("reset", "--quiet", "--hard", self._old)
        theirs = self._commit(patched)
        merged = self._run("merge-tree", "--write-tree", "--name-only", self._new, theirs)
        tree, _, said = merged.stdout.partition(b"\n")
        if merged.returncode:
            return Carried("conflict", said)
        options = ("--no-color", "--no-ext-diff", "--find-renames")
        return Carried("merged", self._git("diff", *options, self._new, tree.decode()))

    def _commit(self, tree: Tree) -> str:
        for entry in self._folder.iterdir():
            if entry.name != ".git":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        write_tree(tree, self._folder)
        self._git("add", "--all", "--force")
        self._git("commit", "--quiet", "--allow-empty", "--message", "state")
        return self._git("rev-parse", "HEAD").decode().strip()

    def _git(self, *arguments: str) -> bytes:
        done = self._run(*arguments)
        if done.returncode:
            raise PatchError(f"git {arguments[0]} failed: {done.stderr.decode().strip()}.")
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        own = ("user.name=assay", "user.email=assay@localhost", "core.autocrlf=false")
        options = [word for one in own for word in ("-c", one)]
        command = ["git", *options, *arguments]
        return subprocess.run(command, cwd=self._folder, capture_output=True, check=False)


def _carried(repository: _Repository, old: Tree, new: Tree, patch: Patch) -> Carried:
    if _fits(new, patch) is not None:
        return Carried("fits")
    patched = _fits(old, patch)
    if patched is None:
        return Carried("astray")
    return repository.carry(patched)


def _fits(tree: Tree, patch: Patch) -> dict[str, bytes] | None:
    try:
        return compose(tree, [patch])
    except PatchError:
        return None


def reference_at(commit: str, track: str = "fastapi") -> dict[str, bytes]:
    """The reference of a track at a commit; raises ``PatchError`` where there is none."""
    inside = places.service(track).relative_to(places.ROOT).as_posix()
    command = ["git", "archive", "--format=tar", f"{commit}:{inside}"]
    done = subprocess.run(command, cwd=places.ROOT, capture_output=True, check=False)
    if done.returncode:
        raise PatchError(f"There is no {inside} at {commit}: {done.stderr.decode().strip()}.")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive)
        return {name: file.read() for name, file in files if file is not None}


def _without_places(text: bytes) -> list[bytes]:
    """A patch's lines without what only says where they are."""
    positions = (b"@@ ", b"index ")
    return [line for line in text.splitlines() if not line.startswith(positions)]


def carry_over(
    patched: Iterable[Variant | Harmless], old: Tree, new: Tree
) -> Iterator[tuple[Variant | Harmless, Carried]]:
    """Carry patches over, and write those anew that git could merge."""
    with tempfile.TemporaryDirectory(prefix="assay-carry-") as name:
        repository = _Repository(Path(name), old, new)
        for one in patched:
            carried = _carried(repository, old, new, one.patch())
            yield one, _written(one.path, carried)


def patched_in(bank: Bank) -> Iterator[Variant | Harmless]:
    """All that has a patch: the variants of every flaw, and the harmless changes."""
    for flaw in bank.flaws.values():
        yield from flaw.variants
    yield from map(load_harmless, harmless_ids())


def _written(path: Path, carried: Carried) -> Carried:
    if carried.outcome != "merged":
        return carried
    before = path.read_bytes()
    path.write_bytes(carried.text)
    moved = _without_places(before) == _without_places(carried.text)
    return Carried("moved", carried.text) if moved else carried


def main() -> int:
    """Carry all patches over; 1 where some are left to a person."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("commit", help="at which the patches fitted the reference")
    commit = parser.parse_args().commit
    left = 0
    try:
        old, new = reference_at(commit), read_tree(places.service())
        for one, carried in carry_over(patched_in(load_bank()), old, new):
            if carried.outcome == "fits":
                continue
            print(f"{carried.outcome:8} {one.path.relative_to(places.ROOT)}")
            if carried.outcome in ("conflict", "astray"):
                left += 1
                print("".join(f"         {line}\n" for line in carried.text.decode().splitlines()))
    except PatchError as error:
        print(error, file=sys.stderr)
        return 2
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
