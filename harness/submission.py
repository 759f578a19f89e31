"""A submission taken in: a folder, a git repository, a ``.tar.gz`` or a ``.zip``.

Everything in it is hostile until shown otherwise. Only plain files are taken, by their content;
links, devices, names that lead outside, and anything beyond the limits are refused with one
sentence. Of a git repository the work tree counts, committed or not; git itself is never run on
it, since a repository's own configuration can name programs to run.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from exercises.kit import Kit, read_kit
from exercises.tree import is_leaving, write_tree
from harness.errors import UsageError

MANIFEST = "assay.toml"
CHUNK = 1 << 16
#: How much of an offending name an error message shows.
SHOWN = 120


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a submission may hold: sizes in bytes, ``ratio`` unpacked over packed."""

    archive: int = 64 << 20
    total: int = 64 << 20
    file: int = 16 << 20
    files: int = 5_000
    entries: int = 50_000
    path: int = 400
    depth: int = 30
    ratio: int = 200
    #: Below this size a high ratio is no bomb: a file of blank lines packs a thousandfold.
    ratio_from: int = 4 << 20


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission's files as taken in; ``digest`` is the SHA-256 of paths and contents."""

    name: str
    tree: dict[str, bytes]
    digest: str

    @property
    def kit(self) -> Kit | None:
        """The kit that it was made from, if it still says so."""
        return read_kit(self.tree)

    def write(self, folder: Path) -> None:
        """Writes the files into a folder."""
        write_tree(self.tree, folder)


def take_in(path: Path, limits: Limits | None = None) -> Submission:
    """Reads a submission; raises ``UsageError`` for anything that is not one."""
    intake = _Intake(path, limits or Limits())
    tree = intake.read()
    tree = _unwrapped(tree)
    if MANIFEST not in tree:
        raise UsageError(
            f"{path} is not a submission: it has no {MANIFEST} at its root, "
            "which says how the service is built and run."
        )
    return Submission(path.resolve().name, tree, digest(tree))


def digest(tree: dict[str, bytes]) -> str:
    """The SHA-256 over a tree's paths and contents, each preceded by its length."""
    total = hashlib.sha256()
    for path in sorted(tree):
        name, data = path.encode(), tree[path]
        total.update(b"%d %d\n" % (len(name), len(data)) + name + data)
    return total.hexdigest()


def _unwrapped(tree: dict[str, bytes]) -> dict[str, bytes]:
    """An archive often holds one folder that holds all: that folder's content is meant."""
    tops = {path.split("/", 1)[0] for path in tree}
    if MANIFEST in tree or len(tops) != 1:
        return tree
    top = tops.pop() + "/"
    if top + MANIFEST not in tree:
        return tree
    return {path.removeprefix(top): data for path, data in tree.items()}


@dataclass(slots=True)
class _Intake:
    """One reading of a submission, with the running totals that its limits are held against."""

    source: Path
    limits: Limits
    tree: dict[str, bytes] = field(default_factory=dict)
    total: int = 0
    entries: int = 0

    def read(self) -> dict[str, bytes]:
        try:
            mode = self.source.stat().st_mode
        except OSError as failure:
            raise UsageError(f"{self.source} cannot be read: {failure.strerror}.") from failure
        try:
            if stat.S_ISDIR(mode):
                self._read_folder()
            elif stat.S_ISREG(mode):
                self._read_archive()
            else:
                raise UsageError(f"{self.source} is neither a folder nor an archive.")
        except OSError as failure:
            what = failure.filename or self.source
            raise UsageError(f"{what} cannot be read: {failure.strerror or failure}.") from failure
        return self.tree

    # -- folders

    def _read_folder(self) -> None:
        names = {entry.name for entry in os.scandir(self.source)}
        if {"HEAD", "objects", "refs"} <= names and MANIFEST not in names:
            raise UsageError(f"{self.source} is a bare git repository: clone it first.")
        for entry, path in self._walk(self.source, ""):
            if not self._admit(path):
                continue
            if entry.is_symlink():
                raise self._refused(path, "is a link: hand in the file itself")
            if not entry.is_file(follow_symlinks=False):
                raise self._refused(path, "is neither a file nor a folder")
            descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise self._refused(path, "is neither a file nor a folder")
                self._keep(path, file)

    def _walk(self, folder: Path, under: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        with os.scandir(folder) as found:
            ordered = sorted(found, key=lambda entry: entry.name)
        for entry in ordered:
            path = under + entry.name
            if is_leaving(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if path.count("/") >= self.limits.depth:
                    raise self._refused(path, "lies too deep")
                yield from self._walk(Path(entry.path), path + "/")
            else:
                yield entry, path

    # -- archives

    def _read_archive(self) -> None:
        size = self.source.stat().st_size
        if size > self.limits.archive:
            raise UsageError(
                f"{self.source} is too large: {size >> 20} MiB, "
                f"of at most {self.limits.archive >> 20}."
            )
        with self.source.open("rb") as file:
            magic = file.read(4)
            file.seek(0)
            if magic[:2] == b"\x1f\x8b":
                self._read_tar(file, size)
            elif magic in (b"PK\x03\x04", b"PK\x05\x06"):
                self._read_zip(file, size)
            else:
                raise UsageError(
                    f"{self.source} is not a submission: "
                    "hand in a folder, a git repository, a .tar.gz or a .zip."
                )

    def _read_tar(self, file: io.BufferedReader, size: int) -> None:
        # Headers and padding are unpacked as well, so the whole stream is held to a limit too.
        allowed = self.limits.total + 2048 * self.limits.entries
        try:
            with gzip.GzipFile(fileobj=file) as stream:
                metered = cast("IO[bytes]", _Metered(stream, allowed, self.source))
                with tarfile.open(fileobj=metered, mode="r|") as archive:
                    for member in archive:
                        self._take_member(archive, member)
                        self._watch_ratio(size)
        except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as failure:
            raise self._damaged() from failure
        except ValueError as failure:  # tarfile: a header that holds no number where one must be
            raise self._damaged() from failure

    def _take_member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if not self._admit(member.name.removesuffix("/")) or member.isdir():
            return
        if member.issym() or member.islnk():
            raise self._refused(member.name, "is a link: hand in the file itself")
        if not member.isreg() or member.issparse():
            raise self._refused(member.name, "is neither a plain file nor a folder")
        content = archive.extractfile(member)
        if content is None:
            raise self._damaged()
        self._keep(member.name, content)

    def _read_zip(self, file: io.BufferedReader, size: int) -> None:
        try:
            with zipfile.ZipFile(file) as archive:
                for member in archive.infolist():
                    self._take_entry(archive, member)
                    self._watch_ratio(size)
        except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as failure:
            raise self._damaged() from failure
        except (ValueError, RuntimeError) as failure:  # zipfile, for headers that contradict
            raise self._damaged() from failure

    def _take_entry(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        name = member.orig_filename
        if not name.isascii() and not member.flag_bits & 0x800:
            raise self._refused(name, "has a name in an unknown encoding: use UTF-8")
        if not self._admit(name.removesuffix("/")) or member.is_dir():
            return
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind == stat.S_IFLNK:
            raise self._refused(name, "is a link: hand in the file itself")
        if kind not in (0, stat.S_IFREG):
            raise self._refused(name, "is neither a plain file nor a folder")
        if member.flag_bits & 0x1:
            raise self._refused(name, "is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._refused(name, "is packed by an unusual method: use deflate")
        with archive.open(member) as content:
            self._keep(name, content)

    # -- both

    def _admit(self, path: str) -> bool:
        """Whether a path is to be taken; refuses one that no honest submission has."""
        self.entries += 1
        if self.entries > self.limits.entries:
            raise UsageError(f"{self.source} holds more than {self.limits.entries} entries.")
        try:
            path.encode()
        except UnicodeEncodeError:
            raise self._refused(path, "has a name in an unknown encoding: use UTF-8") from None
        parts = path.removeprefix("./").split("/")
        if path.startswith("/") or ".." in parts or (len(path) > 1 and path[1] == ":"):
            raise self._refused(path, "has a name that leads outside")
        if "\\" in path or not path.isprintable():
            raise self._refused(path, "has a character in its name that none may have")
        if len(path) > self.limits.path or len(parts) > self.limits.depth:
            raise self._refused(path, "has too long a name")
        return path not in ("", ".") and not any(is_leaving(part) for part in parts)

    def _keep(self, path: str, content: IO[bytes]) -> None:
        path = "/".join(part for part in path.split("/") if part not in ("", "."))
        if path in self.tree:
            raise self._refused(path, "is there twice")
        if len(self.tree) >= self.limits.files:
            raise UsageError(f"{self.source} holds more than {self.limits.files} files.")
        data = bytearray()
        while chunk := content.read(CHUNK):
            data += chunk
            self.total += len(chunk)
            if len(data) > self.limits.file:
                raise self._refused(path, f"is larger than {self.limits.file >> 20} MiB")
            if self.total > self.limits.total:
                raise UsageError(
                    f"{self.source} unpacks to more than {self.limits.total >> 20} MiB."
                )
        parent = path
        while "/" in parent:
            parent = parent.rpartition("/")[0]
            if parent in self.tree:
                raise self._refused(parent, "is both a file and a folder")
        self.tree[path] = bytes(data)

    def _watch_ratio(self, packed: int) -> None:
        if self.total > max(self.limits.ratio_from, packed * self.limits.ratio):
            raise UsageError(
                f"{self.source} unpacks to more than {self.limits.ratio} times its size."
            )

    def _refused(self, path: str, why: str) -> UsageError:
        shown = path.encode(errors="replace").decode()
        shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 3] + "..."
        return UsageError(f"{self.source}: {shown!r} {why}.")

    def _damaged(self) -> UsageError:
        return UsageError(f"{self.source} is damaged: it cannot be unpacked.")


@dataclass(slots=True)
class _Metered:
    """A stream that refuses to give more than it may: what tarfile reads ahead counts too."""

    stream: gzip.GzipFile
    left: int
    source: Path

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(self.left + 1 if size < 0 else min(size, self.left + 1))
        self.left -= len(data)
        if self.left < 0:
            raise UsageError(f"{self.source} unpacks to too much.")
        return data
