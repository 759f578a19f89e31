"""A run's folder goes, whatever was done to what is in it, and nothing beside it is touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from checks.testbed.folders import clean, sizes


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder, in a place that others use, too."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "run"
    (folder / "kept" / "deep").mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "kept" / "deep" / "file").write_bytes(b"x" * 10_000)
    return folder


def test_what_lost_its_rights_goes_too(run: Path) -> None:
    (run / "kept" / "deep").chmod(0)
    (run / "kept").chmod(0o500)
    clean(str(run))
    assert not run.exists()


def test_a_link_goes_and_what_it_names_stays(run: Path, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    beside.mkdir(mode=0o755)
    (beside / "file").touch()
    (run / "kept" / "link").symlink_to(beside)
    clean(str(run))
    assert not run.exists()
    assert (beside / "file").exists()
    assert beside.stat().st_mode & 0o777 == 0o755


def test_the_place_of_the_folder_keeps_its_rights(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rmdir = os.rmdir

    def in_use(path: Any, *more: Any, **options: Any) -> None:
        if Path(path).name == run.name:
            raise OSError(16, "busy")
        rmdir(path, *more, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", in_use)
        clean(str(run))
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_what_is_gone_already_is_no_error(tmp_path: Path) -> None:
    clean(str(tmp_path / "gone"))
    assert list(sizes(str(tmp_path / "gone"))) == []


def test_sizes_are_those_on_disk(run: Path) -> None:
    assert sum(sizes(str(run))) >= 10_000
