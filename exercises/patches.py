"""Git-format patches, read strictly: a patch either fits its base exactly, or is refused by name.

There is no fuzz and no offset. A patch that no longer fits the reference has drifted, and a person
must look at it; guessing where it might belong would quietly change what a flaw or a fix means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
#: Lines that git writes between ``diff --git`` and the hunks, and that carry nothing we need.
IGNORED_HEADERS = (b"index ", b"similarity index ", b"new file mode 100", b"deleted file mode 100")
NO_NEWLINE = b"\\ No newline at end of file"


class PatchError(Exception):
    """A patch that cannot be read, or does not fit; one sentence that names it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Lines of the base, from ``start`` (0-based), replaced: an empty ``removed`` inserts."""

    start: int
    removed: tuple[bytes, ...]
    added: tuple[bytes, ...]

    @property
    def end(self) -> int:
        """The first line of the base after those replaced."""
        return self.start + len(self.removed)


@dataclass(frozen=True, slots=True)
class Hunk:
    """One ``@@`` section: where it starts in the base (0-based) and its tagged lines."""

    start: int
    lines: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a patch does to one file; a new one has no ``old`` path, a deleted one no ``new``."""

    old: str | None
    new: str | None
    hunks: tuple[Hunk, ...]

    @property
    def edits_in_place(self) -> bool:
        """Whether the file stays where it is and only its lines change."""
        return self.old is not None and self.old == self.new

    def edits(self, base: bytes, patch: str) -> tuple[Edit, ...]:
        """The edits on ``base``; raises ``PatchError`` where a context or removed line differs."""
        lines = split_lines(base)
        found: list[Edit] = []
        for hunk in self.hunks:
            found.extend(_hunk_edits(hunk, lines, self.old or self.new or "", patch))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Patch:
    """A named set of changes on one tree."""

    name: str
    changes: tuple[FileChange, ...]

    @property
    def paths(self) -> frozenset[str]:
        """Every path that the patch touches, before and after."""
        both = ((change.old, change.new) for change in self.changes)
        return frozenset(path for pair in both for path in pair if path is not None)


def read_patch(path: Path, name: str) -> Patch:
    """Reads a patch file; raises ``PatchError`` naming ``name``."""
    try:
        data = path.read_bytes()
    except OSError as failure:
        raise PatchError(f"patch {name} cannot be read: {failure.strerror}.") from failure
    return parse_patch(data, name)


def parse_patch(data: bytes, name: str) -> Patch:
    """Parses a git-format patch; raises ``PatchError`` for anything that is not wholly one."""
    sections = _sections(data.removesuffix(b"\n").split(b"\n"), name)
    changes = tuple(_file_change(section, name) for section in sections)
    touched = [path for change in changes for path in {change.old, change.new} - {None}]
    if len(touched) != len(set(touched)):
        raise PatchError(f"patch {name} touches one file twice.")
    return Patch(name, changes)


def split_lines(data: bytes) -> list[bytes]:
    """Lines with their ends, cut at ``\\n`` alone, as diff does."""
    lines = data.split(b"\n")
    last = lines.pop()
    return [line + b"\n" for line in lines] + ([last] if last else [])


def _sections(lines: list[bytes], name: str) -> list[list[bytes]]:
    """The lines of each file's part, beginning with its ``diff --git`` line."""
    sections: list[list[bytes]] = []
    for line in lines:
        if line.startswith(b"diff --git "):
            sections.append([line])
        elif sections:
            sections[-1].append(line)
    if not sections:
        raise PatchError(f"patch {name} holds no change: write it with 'git diff --relative'.")
    return sections


def _file_change(section: list[bytes], name: str) -> FileChange:
    cut = next((i for i, line in enumerate(section) if line.startswith(b"@@ ")), len(section))
    old, new = _paths(section[:cut], name)
    return FileChange(old, new, tuple(_hunks(section[cut:], name)))


def _paths(header: list[bytes], name: str) -> tuple[str | None, str | None]:
    match = re.fullmatch(rb"diff --git a/(.+) b/(.+)", header[0])
    if match is None:
        raise PatchError(f"patch {name} has a header that is not git's: {header[0].decode()!r}.")
    old, new = (_safe_path(part, name) for part in match.groups())
    exists_before = exists_after = True
    for line in header[1:]:
        if line.startswith(b"new file mode 100") or line == b"--- /dev/null":
            exists_before = False
        elif line.startswith(b"deleted file mode 100") or line == b"+++ /dev/null":
            exists_after = False
        elif line.startswith((b"rename from ", b"rename to ", b"--- a/", b"+++ b/")):
            continue
        elif not line.startswith(IGNORED_HEADERS):
            text = line.decode(errors="replace")
            raise PatchError(f"patch {name} has a line that it may not have: {text!r}.")
    return (old if exists_before else None), (new if exists_after else None)


def _safe_path(raw: bytes, name: str) -> str:
    path = raw.decode()
    if path.startswith("/") or ".." in path.split("/") or '"' in path:
        raise PatchError(f"patch {name} names a path outside the service: {path!r}.")
    return path


def _hunks(lines: list[bytes], name: str) -> list[Hunk]:
    hunks: list[Hunk] = []
    at = 0
    while at < len(lines):
        header = HUNK.match(lines[at])
        if header is None:
            text = lines[at].decode(errors="replace")
            raise PatchError(f"patch {name} has a line outside its hunks: {text!r}.")
        start = int(header[1])
        before, after = (1 if count is None else int(count) for count in (header[2], header[4]))
        body, at = _hunk_body(lines, at + 1, before, after, name)
        hunks.append(Hunk(start - 1 if before else start, body))
    return hunks


def _hunk_body(
    lines: list[bytes], at: int, before: int, after: int, name: str
) -> tuple[tuple[tuple[bytes, bytes], ...], int]:
    """The tagged lines of one hunk, and where the next begins; the header's counts must hold."""
    body: list[tuple[bytes, bytes]] = []
    while before or after:
        line = lines[at] if at < len(lines) else None
        # An editor that trims line ends leaves an empty context line without its space.
        tag, text = (line[:1] or b" ", line[1:]) if line is not None else (b"", b"")
        if tag not in (b" ", b"-", b"+"):
            raise PatchError(f"patch {name} ends in the middle of a hunk.")
        before -= tag in (b" ", b"-")
        after -= tag in (b" ", b"+")
        at += 1
        if at < len(lines) and lines[at].startswith(NO_NEWLINE):
            at += 1
        else:
            text += b"\n"
        body.append((tag, text))
        if before < 0 or after < 0:
            raise PatchError(f"patch {name} has a hunk whose line counts do not add up.")
    return tuple(body), at


def _hunk_edits(hunk: Hunk, base: list[bytes], path: str, patch: str) -> list[Edit]:
    edits: list[Edit] = []
    at = hunk.start
    removed: list[bytes] = []
    added: list[bytes] = []

    def close() -> None:
        if removed or added:
            edits.append(Edit(at - len(removed), tuple(removed), tuple(added)))
            removed.clear()
            added.clear()

    for tag, text in hunk.lines:
        if tag == b"+":
            added.append(text)
            continue
        if at >= len(base) or base[at] != text:
            wanted = text.decode(errors="replace").rstrip("\n")
            raise PatchError(
                f"patch {patch} no longer fits the reference: {path} line {at + 1} should read "
                f"{wanted!r}."
            )
        if tag == b" ":
            close()
        else:
            removed.append(text)
        at += 1
    close()
    return edits
