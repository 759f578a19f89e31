"""Environments hold what was asked for, are built once, and need nobody's home."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from checks.testbed import cache, environment, runtime
from checks.testbed.environment import environment as provide
from checks.testbed.errors import UsageError
from checks.testbed.manifest import read_manifest
from checks.testbed.users import other_users


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assay.toml").write_text(
        '[runtime]\nkind = "python"\n[service]\ncontract = "v1"\nweb = ["x", "{port}"]\n'
    )
    (tmp_path / "requirements.txt").write_text("idna\n")
    return tmp_path


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_it_holds_the_requirements_and_nothing_else(folder: Path) -> None:
    made = await provide(folder, read_manifest(folder))
    code = "import sys, idna; print(sorted(p for p in sys.path if 'site-packages' in p))"
    python = [str(made.bin / "python"), "-I", "-c"]
    done = await asyncio.to_thread(_run, [*python, code])
    assert str(made.folder) in done.stdout
    assert done.stdout.count("site-packages") == 1
    for absent in ("asyncpg", "pydantic", "checks"):
        failed = await asyncio.to_thread(_run, [*python, f"import {absent}"])
        assert failed.returncode == 1


async def test_it_is_built_once_however_many_ask(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    interpreter = runtime.python()
    monkeypatch.setattr(cache, "cache_root", lambda: tmp_path / "cache")
    monkeypatch.setattr(runtime, "python", lambda: interpreter)
    built: list[Path] = []
    build = environment._build

    def counted(target: Path, *rest: Any) -> None:
        built.append(target)
        build(target, *rest)

    monkeypatch.setattr(environment, "_build", counted)
    manifest = read_manifest(folder)
    made = await asyncio.gather(*(provide(folder, manifest) for _ in range(4)))
    assert len({one.folder for one in made}) == 1
    assert len(built) == 1


async def test_a_package_that_cannot_be_had_is_one_sentence(folder: Path) -> None:
    (folder / "requirements.txt").write_text("idna==0.0.0.0.1\n")
    with pytest.raises(UsageError, match="requirements cannot be installed") as raised:
        await provide(folder, read_manifest(folder))
    assert "\n" not in str(raised.value)


def test_its_python_can_be_reached_by_every_user() -> None:
    if not other_users():
        pytest.skip("only root gives submissions another user")
    python = runtime.python()
    assert cache.open_to_all(python)
    done = subprocess.run(
        [str(python), "-I", "-c", "import ssl, sqlite3, ctypes, asyncio; print('fine')"],
        capture_output=True,
        text=True,
        check=False,
        user=65_534,
        group=65_534,
        extra_groups=[],
        env={},
        cwd="/",
    )
    assert done.stdout == "fine\n", done.stderr


def test_what_pip_is_told_uv_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in environment._UV_INDEXES:
        monkeypatch.delenv(name, raising=False)
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://one.test/\nextra-index-url = https://two.test/\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    told = environment._pip_indexes()
    assert told["UV_DEFAULT_INDEX"] == "https://one.test/"
    assert told["UV_INDEX"] == "https://two.test/"
    monkeypatch.setenv("UV_INDEX_URL", "https://three.test/")
    assert environment._pip_indexes() == {}
