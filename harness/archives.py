"""Archives taken in: ``.tar.gz`` and ``.zip``, unpacked in memory, entry by entry."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from harness.errors import UsageError
from harness.intake import Intake


def read_archive(intake: Intake) -> None:
    """Takes in the files of an archive; raises ``UsageError``, or what reading it raises."""
    size = intake.source.stat().st_size
    if size > intake.limits.archive:
        raise UsageError(
            f"{intake.source} is too large: {size >> 20} MiB, "
            f"of at most {intake.limits.archive >> 20}."
        )
    with intake.source.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        if magic[:2] == b"\x1f\x8b":
            _read_tar(intake, file, size)
        elif magic in (b"PK\x03\x04", b"PK\x05\x06"):
            _read_zip(intake, file, size)
        else:
            raise UsageError(
                f"{intake.source} is not a submission: "
                "hand in a folder, a git repository, a .tar.gz or a .zip."
            )


def _read_tar(intake: Intake, file: io.BufferedReader, size: int) -> None:
    # Headers and padding are unpacked as well, so the whole stream is held to a limit too.
    allowed = intake.limits.total + 2048 * intake.limits.entries
    try:
        with gzip.GzipFile(fileobj=file) as stream:
            metered = cast("IO[bytes]", _Metered(stream, allowed, intake.source))
            with tarfile.open(fileobj=metered, mode="r|") as archive:
                for member in archive:
                    _take_member(intake, archive, member)
                    intake.watch_ratio(size)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as failure:
        raise intake.damaged() from failure
    except ValueError as failure:  # tarfile: a header that holds no number where one must be
        raise intake.damaged() from failure


def _take_member(intake: Intake, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    if not intake.admit(member.name.removesuffix("/")) or member.isdir():
        return
    if member.issym() or member.islnk():
        raise intake.refused(member.name, "is a link: hand in the file itself")
    if not member.isreg() or member.issparse():
        raise intake.refused(member.name, "is neither a plain file nor a folder")
    content = archive.extractfile(member)
    if content is None:
        raise intake.damaged()
    intake.keep(member.name, content)


def _read_zip(intake: Intake, file: io.BufferedReader, size: int) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                _take_entry(intake, archive, member)
                intake.watch_ratio(size)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as failure:
        raise intake.damaged() from failure
    except (ValueError, RuntimeError) as failure:  # zipfile, for headers that contradict
        raise intake.damaged() from failure


def _take_entry(intake: Intake, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    name = member.orig_filename
    if not name.isascii() and not member.flag_bits & 0x800:
        raise intake.refused(name, "has a name in an unknown encoding: use UTF-8")
    if not intake.admit(name.removesuffix("/")) or member.is_dir():
        return
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise intake.refused(name, "is a link: hand in the file itself")
    if kind not in (0, stat.S_IFREG):
        raise intake.refused(name, "is neither a plain file nor a folder")
    if member.flag_bits & 0x1:
        raise intake.refused(name, "is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise intake.refused(name, "is packed by an unusual method: use deflate")
    with archive.open(member) as content:
        intake.keep(name, content)


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
