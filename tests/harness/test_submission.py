"""Submissions are taken in whole, or refused in one sentence; nothing is written outside."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.intake import Limits
from harness.submission import take_in

FILES = {"assay.toml": b"[service]\n", "payments/app.py": b"print()\n"}


def folder_of(where: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(data)
    return where


def tar_of(path: Path, files: dict[str, bytes], *extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in extra:
            archive.addfile(member, io.BytesIO(b"\0" * member.size))
    return path


def zip_of(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, **values: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in values.items():
        setattr(info, key, value)
    return info


def test_every_form_of_a_submission_has_one_digest(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "mine", FILES)
    folder_of(folder, {".git/config": b"x", ".venv/lib/a.py": b"x", "payments/__pycache__/a": b""})
    (folder / ".venv" / "python").symlink_to("/usr/bin/python3")
    wrapped = {f"mine/{name}": data for name, data in FILES.items()}
    taken = [
        take_in(folder),
        take_in(tar_of(tmp_path / "a.tar.gz", FILES)),
        take_in(tar_of(tmp_path / "b.tar.gz", wrapped)),
        take_in(tar_of(tmp_path / "c.tgz", {f"./{name}": data for name, data in FILES.items()})),
        take_in(zip_of(tmp_path / "a.zip", FILES)),
        take_in(zip_of(tmp_path / "b.zip", {**wrapped, "__MACOSX/x": b"", "mine/a/": b""})),
    ]
    assert all(one.tree == FILES for one in taken)
    assert len({one.digest for one in taken}) == 1
    taken[0].write(tmp_path / "copy")
    assert take_in(tmp_path / "copy").digest == taken[0].digest


def refuse(path: Path, reason: str, limits: Limits | None = None) -> None:
    with pytest.raises(UsageError, match=reason) as raised:
        take_in(path, limits)
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (member("../evil"), "'../evil' has a name that leads outside"),
        (member("payments/../../evil"), "leads outside"),
        (member("/etc/evil"), "leads outside"),
        (member("C:/evil"), "leads outside"),
        (member("a\\..\\evil"), "a character in its name"),
        (member("a\nb"), "a character in its name"),
        (member("link", tarfile.SYMTYPE, linkname="/etc/passwd"), "'link' is a link"),
        (member("link", tarfile.LNKTYPE, linkname="assay.toml"), "'link' is a link"),
        (member("pipe", tarfile.FIFOTYPE), "neither a plain file nor a folder"),
        (member("disk", tarfile.BLKTYPE, devmajor=8), "neither a plain file nor a folder"),
        (member("tty", tarfile.CHRTYPE, devmajor=4), "neither a plain file nor a folder"),
        (member("assay.toml"), "'assay.toml' is there twice"),
        (member("assay.toml/x"), "'assay.toml' is both a file and a folder"),
        (member("big", size=17 << 20), "'big' is larger than 16 MiB"),
        (member("x" * 500), "too long a name"),
        (member("a/" * 40 + "b"), "too long a name"),
    ],
)
def test_a_tar_that_no_honest_candidate_makes(
    tmp_path: Path, bad: tarfile.TarInfo, reason: str
) -> None:
    refuse(tar_of(tmp_path / "bad.tar.gz", FILES, bad), reason)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tar.gz"]


def test_a_tar_with_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT, encoding="latin-1") as archive:
        archive.addfile(member("caf\xe9"))
    refuse(path, "unknown encoding")


def zipped(name: str, mode: int = 0, data: bytes = b"x") -> Callable[[zipfile.ZipFile], None]:
    def add(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, data)

    return add


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (zipped("../evil"), "leads outside"),
        (zipped("/evil"), "leads outside"),
        (zipped("a\\..\\b"), "a character in its name"),
        (zipped("link", stat.S_IFLNK | 0o777, b"/etc/passwd"), "'link' is a link"),
        (zipped("pipe", stat.S_IFIFO | 0o644), "neither a plain file nor a folder"),
        (zipped("assay.toml"), "'assay.toml' is there twice"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_no_honest_candidate_makes(
    tmp_path: Path, add: Callable[[zipfile.ZipFile], None], reason: str
) -> None:
    path = zip_of(tmp_path / "bad.zip", FILES)
    with zipfile.ZipFile(path, "a") as archive:
        add(archive)
    refuse(path, reason)


def test_an_encrypted_zip(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "bad.zip", {"assay.toml": b"x"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refuse(path, "encrypted")


def test_bombs(tmp_path: Path) -> None:
    limits = Limits(total=1 << 20, ratio=20, ratio_from=1 << 16)
    zeros = {f"f{number}": b"\0" * (1 << 18) for number in range(3)}
    refuse(zip_of(tmp_path / "a.zip", zeros), "more than 20 times its size", limits)
    refuse(tar_of(tmp_path / "a.tar.gz", zeros), "more than 20 times its size", limits)
    noise = {f"f{number}": os.urandom(1 << 18) for number in range(5)}
    refuse(zip_of(tmp_path / "b.zip", noise), "unpacks to more than 1 MiB", limits)
    refuse(tar_of(tmp_path / "b.tar.gz", noise), "unpacks to more than 1 MiB", limits)
    refuse(folder_of(tmp_path / "b", noise), "unpacks to more than 1 MiB", limits)
    many = {f"f{number}": b"" for number in range(11)}
    for path in (zip_of(tmp_path / "c.zip", many), folder_of(tmp_path / "c", many)):
        refuse(path, "more than 10 files", Limits(files=10))
        refuse(path, "more than 5 entries", Limits(entries=5))
    refuse(tmp_path / "b.zip", "too large", Limits(archive=1 << 19))


def test_a_bomb_in_what_would_be_left_out(tmp_path: Path) -> None:
    hidden = member(".venv/big", size=80 << 20)
    limits = Limits(total=1 << 20, entries=100)
    refuse(tar_of(tmp_path / "a.tar.gz", FILES, hidden), "unpacks to too much", limits)


def test_folders_with_links_and_pipes(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", FILES)
    (folder / "secrets").symlink_to("/etc")
    refuse(folder, "'secrets' is a link")
    folder = folder_of(tmp_path / "b", FILES)
    os.mkfifo(folder / "pipe")
    refuse(folder, "'pipe' is neither a file nor a folder")


def test_what_is_no_submission(tmp_path: Path) -> None:
    refuse(tmp_path / "nothing", "cannot be read: No such file")
    refuse(folder_of(tmp_path / "bare", {"app.py": b""}), "it has no assay.toml at its root")
    refuse(Path(os.devnull), "neither a folder nor an archive")
    (tmp_path / "text.txt").write_text("hello")
    refuse(tmp_path / "text.txt", "hand in a folder, a git repository, a .tar.gz or a .zip")
    repository = folder_of(tmp_path / "x.git", {"HEAD": b"", "objects/a": b"", "refs/a": b""})
    refuse(repository, "bare git repository: clone it first")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_archive_is_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    make = data.draw(st.sampled_from([tar_of, zip_of]))
    path = make(folder / "x", FILES)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(0, 6))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert set(take_in(path).tree) >= {"assay.toml"}
    except UsageError as refusal:
        assert "\n" not in str(refusal)
