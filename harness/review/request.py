"""The pull request of a kit: what its author says of it, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from checks.reviewed import Comment
from exercises.kit import BRANCH, BRIEF, MANIFEST, REQUEST, TRUNK, Kit, read_kit
from harness.errors import UsageError
from harness.review.changes import FileChange, changes_between
from harness.review.objects import Objects, UnreadableError, branch

#: Where a review is kept, beside what it is about; never a part of that.
REVIEW = "review.json"


@dataclass(frozen=True, slots=True)
class Request:
    """A pull request as a candidate is given it.

    ``description`` is its author's and ``brief`` the exercise's, both Markdown.
    """

    kit: Kit
    title: str
    description: str
    brief: str
    changes: tuple[FileChange, ...]

    def stands(self, comment: Comment) -> bool:
        """Whether there are the lines that a comment is about."""
        return any(
            text is not None and text.path == comment.path and comment.last <= len(text.lines)
            for text in (change.side(comment.side) for change in self.changes)
        )


def read_request(folder: Path) -> Request:
    """Reads a kit of kind review; raises ``UsageError`` for a folder that is none."""
    try:
        return _read(folder)
    except UnreadableError as failure:
        raise UsageError(f"{folder} is no kit of a review: {failure}.") from failure
    except OSError as failure:
        raise UsageError(f"{folder} cannot be read: {failure.strerror}.") from failure


def _read(folder: Path) -> Request:
    with Objects.of(folder) as objects:
        trunk, head = branch(folder, TRUNK), branch(folder, BRANCH)
        base = objects.ask("merge-base", trunk, head).decode().strip()
        names = {file: f"{base}:{file}" for file in (MANIFEST, REQUEST, BRIEF)}
        contents = objects.contents(list(names.values()))
        files = {file: contents[name] for file, name in names.items() if name in contents}
        kit = read_kit(files)
        if kit is None or REQUEST not in files:
            lacking = REQUEST if kit else MANIFEST
            raise UnreadableError(f"there is no {lacking} on its branch {TRUNK}")
        changes = changes_between(objects, base, head)
    title, _, description = files[REQUEST].decode("utf-8", "replace").partition("\n")
    return Request(
        kit=kit,
        title=title.removeprefix("# ").strip() or "A pull request without a title",
        description=description.strip(),
        brief=files.get(BRIEF, b"").decode("utf-8", "replace"),
        changes=tuple(change for change in changes if change.path != REVIEW),
    )
