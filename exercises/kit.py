"""The kit: the folder that a candidate receives. It holds no answer, and no path to one.

Of a repair it is the flawed service; of a review a repository with the service as it is on
``main``, and the pull request as a branch.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exercises import places
from exercises.tree import LEAVINGS, Tree, read_tree, write_tree

if TYPE_CHECKING:
    from exercises.exercise import Exercise

BRIEF = "BRIEF.md"
MANIFEST = "kit.toml"
GITIGNORE = ".gitignore"
REQUEST = "PULL_REQUEST.md"
#: The branch of a review that is to be judged, and the one that it is to go into.
BRANCH, TRUNK = "change", "main"
CONTRACT_FILES = ("CONTRACT.md", "openapi.yaml")
#: What every kit holds besides the service.
KIT_FILES = frozenset({BRIEF, MANIFEST, GITIGNORE, REQUEST, *CONTRACT_FILES})

#: Git leaves aside what a hand-in leaves aside: environments, caches, editors' folders.
_GITIGNORE = "".join(f"{name}\n" for name in LEAVINGS if name != ".git")

#: Whoever publishes it anyway has read this.
_PLEA = """
---

Others are to work on this too: please publish neither the brief nor the service. {canary}
"""

#: The one commit of a kit is the same whenever it is made.
_AUTHOR = {
    "GIT_AUTHOR_NAME": "Payments team",
    "GIT_AUTHOR_EMAIL": "payments@example.com",
    "GIT_AUTHOR_DATE": "2025-01-01T09:00:00Z",
    "GIT_COMMITTER_NAME": "Payments team",
    "GIT_COMMITTER_EMAIL": "payments@example.com",
    "GIT_COMMITTER_DATE": "2025-01-01T09:00:00Z",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


class KitError(Exception):
    """A kit cannot be written there, or read; one sentence."""


class Kit(BaseModel):
    """``kit.toml``: which exercise a folder was made for, in the form of which seed.

    It says nothing about the flaws.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    exercise: Annotated[str, Field(max_length=100)]
    track: Annotated[str, Field(max_length=100)] = "fastapi"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    assay: Annotated[str, Field(max_length=100)] = ""
    canary: Annotated[str, Field(max_length=3000)] = ""

    def to_toml(self) -> str:
        """The text of ``kit.toml``."""
        return (
            "# Which exercise this folder belongs to; 'assay check' reads it.\n"
            f'exercise = "{self.exercise}"\n'
            f'track = "{self.track}"\n'
            f"seed = {self.seed}\n"
            f'assay = "{self.assay}"\n'
            f'canary = "{self.canary}"\n'
        )


def beside_the_service(exercise: Exercise) -> frozenset[str]:
    """The paths of a kit that are no part of a submission's difference from the starter."""
    return KIT_FILES | exercise.enclosed.keys()


def kit_tree(exercise: Exercise, version: str, canary: str) -> dict[str, bytes]:
    """Every file of the kit: the starter, and what is beside it."""
    return {**exercise.starter(), **_beside(exercise, version, canary)}


def _beside(exercise: Exercise, version: str, canary: str) -> dict[str, bytes]:
    """The files of the kit that are none of the service's."""
    tree = dict(exercise.enclosed)
    kit = Kit(
        exercise=exercise.id,
        track=exercise.track,
        seed=exercise.seed,
        assay=version,
        canary=canary,
    )
    tree[BRIEF] = f"{exercise.brief}{_PLEA.format(canary=canary)}".encode()
    tree[MANIFEST] = kit.to_toml().encode()
    tree[GITIGNORE] = _GITIGNORE.encode()
    for name in CONTRACT_FILES:
        tree[name] = (places.CONTRACT / name).read_bytes()
    if exercise.request:
        tree[REQUEST] = exercise.request.encode()
    return tree


def write_kit(exercise: Exercise, folder: Path, version: str, canary: str) -> None:
    """Writes the kit into a new or empty folder, as a git repository.

    It has one commit; a review's has another, on the branch to be judged, which is checked out.
    ``canary`` tells which kit it is (``exercises.canary``).

    Raises ``KitError`` where the folder is taken or git is missing.
    """
    git = shutil.which("git")
    if git is None:
        raise KitError("git is not installed, and a kit is a git repository: install git.")
    if folder.exists() and not folder.is_dir():
        raise KitError(f"{folder} is a file: name a new or an empty folder.")
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise KitError(f"{folder} is not empty: name a new or an empty folder.")
        _git(git, folder, "init", "--quiet", f"--initial-branch={TRUNK}", "--template=")
        if exercise.kind == "review":
            beside = _beside(exercise, version, canary)
            _commit(git, folder, {**exercise.base(), **beside}, "The payment service")
            _git(git, folder, "checkout", "--quiet", "-b", BRANCH)
        title = exercise.request.partition("\n")[0].removeprefix("# ") or exercise.title
        _commit(git, folder, kit_tree(exercise, version, canary), title)
    except OSError as failure:
        raise KitError(f"{folder} cannot be written: {failure.strerror}.") from failure


def read_kit(tree: Tree) -> Kit | None:
    """The kit's manifest, or ``None`` where there is none or it says nothing that can be read."""
    data = tree.get(MANIFEST)
    if data is None:
        return None
    try:
        return Kit.model_validate(tomllib.loads(data.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError):
        return None


def _commit(git: str, folder: Path, tree: Tree, title: str) -> None:
    """Makes the folder hold a tree, and nothing else, as one commit more."""
    for path in read_tree(folder).keys() - tree.keys():
        (folder / path).unlink()
    write_tree(tree, folder)
    _git(git, folder, "add", "--all", "--force")
    _git(git, folder, "commit", "--quiet", "--no-gpg-sign", "--message", title)


def _git(git: str, folder: Path, *command: str) -> None:
    environment = {**os.environ, **_AUTHOR}
    for name in [name for name in environment if name.startswith("GIT_") and name not in _AUTHOR]:
        del environment[name]  # a caller's GIT_DIR would send the commit elsewhere
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [git, "-c", "core.autocrlf=false", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise KitError(f"git {command[0]} failed in {folder}: {done.stderr.strip()}")
