"""Collects the Python source of a folder for the scanners, without trusting the folder.

The scanners never see the submission itself: every distinct text is copied under a number into a
private folder. So nothing in the submission can configure them (``.bandit``, ``setup.cfg``,
``pyproject.toml``, ``.semgrepignore``), no file name can be read as an option or a pattern, no link
leads out, and a text that stands in submission and starter alike is read once.

The service's own tests are left out: ``assert`` and made-up passwords are right there, and tests do
not run in production.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FILES = 3000
ENTRIES = 50_000
DEPTH = 40
FILE_BYTES = 1 << 20
TOTAL_BYTES = 24 << 20

_PATH_SHOWN = 200
_TEST_FOLDERS = frozenset({"tests", "testkit"})
_SKIPPED = frozenset({".git", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One Python file: its path relative to the folder, with ``/``, and its text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The Python files of a folder, and a sentence for everything that was left unread."""

    files: tuple[SourceFile, ...]
    unread: tuple[str, ...]


class _UnreadableError(Exception):
    """A file that is not scanned; the message completes ``PATH was not scanned: ...``."""


def gather(folder: Path) -> Sources:
    """Read every Python file under ``folder``, within the limits above; follows no link."""
    files: list[SourceFile] = []
    unread: list[str] = []
    size = 0
    for path, descriptor in _python_files(folder, unread):
        if is_test(path):
            continue
        if len(files) == FILES or size >= TOTAL_BYTES:
            unread.append(
                f"Only the first {FILES} Python files and {TOTAL_BYTES >> 20} MiB were scanned."
            )
            break
        try:
            text = _read(PurePosixPath(path).name, descriptor)
        except _UnreadableError as error:
            unread.append(f"{printable(path)} was not scanned: {error}.")
            continue
        size += len(text)
        files.append(SourceFile(path, text))
    return Sources(tuple(files), tuple(unread))


def is_test(path: str) -> bool:
    """Whether the file is a test, by pytest's names, or what tests are furnished with."""
    parts = PurePosixPath(path)
    name = parts.name
    return (
        not _TEST_FOLDERS.isdisjoint(parts.parts[:-1])
        or name == "conftest.py"
        or name.startswith("test_")
        or name.endswith("_test.py")
    )


def printable(path: str) -> str:
    """A path fit for a report: control characters and broken text escaped, and not too long."""
    shown = path.encode("utf-8", errors="backslashreplace").decode("utf-8")
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown)
    return shown if len(shown) <= _PATH_SHOWN else f"...{shown[3 - _PATH_SHOWN :]}"


def _python_files(folder: Path, unread: list[str]) -> Iterator[tuple[str, int]]:
    """Relative path and open folder descriptor of each Python file, in a stable order."""
    entries = 0
    for place, folders, names, descriptor in os.fwalk(folder, follow_symlinks=False):
        relative = PurePosixPath(os.path.relpath(place, folder))
        entries += len(folders) + len(names)
        if entries > ENTRIES:
            unread.append(
                f"The folder holds more than {ENTRIES} entries; the rest was not scanned."
            )
            return
        if "pyvenv.cfg" in names:
            unread.append(
                f"{printable(str(relative))} is a virtual environment; it was not scanned."
            )
            folders.clear()
            continue
        if len(relative.parts) >= DEPTH and folders:
            unread.append(f"Folders nested deeper than {DEPTH} were not scanned.")
            folders.clear()
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(names):
            if name.endswith((".py", ".pyw")):
                yield str(relative / name), descriptor


def _read(name: str, folder: int) -> str:
    """The text of a regular file, decoded as Python would; raises ``_UnreadableError``."""
    try:
        # Non-blocking, so that a named pipe cannot hold us.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else "it cannot be read"
        raise _UnreadableError(reason) from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _UnreadableError("it is not a regular file")
        content = file.read(FILE_BYTES + 1)
    if len(content) > FILE_BYTES:
        raise _UnreadableError(f"it is larger than {FILE_BYTES >> 10} KiB")
    return _decode(content)


def _decode(content: bytes) -> str:
    """Decode by the file's own coding line, which is blanked: the copy is UTF-8.

    Otherwise a file could say ``coding: utf-7`` and mean one thing to Python and another to a
    scanner.
    """
    if b"\0" in content:
        raise _UnreadableError("it holds null bytes, and Python would not run it")
    try:
        encoding, cookie = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise _UnreadableError("its text is not in the encoding it declares") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if encoding not in ("utf-8", "utf-8-sig"):
        lines = text.split("\n")
        lines[len(cookie) - 1] = "#"
        text = "\n".join(lines)
    return text
