"""A requirements file is hostile input."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.testbed.errors import SubmissionError
from checks.testbed.requirements import read_requirements


@pytest.mark.parametrize(
    "line",
    [
        "-r ../../secrets.txt",
        "--requirement other.txt",
        "-c constraints.txt",
        "--index-url https://evil.example/simple",
        "--extra-index-url=https://evil.example",
        "--find-links .",
        "-e .",
        "--editable=git+https://evil.example/x.git",
        "--no-binary :all:",
        "./package",
        "/tmp/package.whl",
        "../package",
        "package.whl",
        "https://evil.example/package-1.0-py3-none-any.whl",
        "package @ https://evil.example/package.whl",
        "package @ file:///etc/passwd",
        "git+https://evil.example/x.git",
        "package --config-settings=x=y",
        "${HOME}/x",
        "package; python_version",
    ],
)
def test_what_could_make_the_installer_misbehave_is_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"fastapi==1.0\n{line}\n")
    with pytest.raises(SubmissionError) as raised:
        read_requirements(tmp_path, "requirements.txt")
    assert "\n" not in str(raised.value)
    assert raised.value.stage == "environment"


def test_what_a_lock_file_holds_is_taken(tmp_path: Path) -> None:
    digest = "0" * 64
    (tmp_path / "requirements.txt").write_text(
        f"""# a comment
uvicorn[standard]==0.30.0  # the server
fastapi >= 0.100, <1 ; python_version >= "3.8"

httpx==0.27.0 \\
    --hash=sha256:{digest} \\
    --hash=sha256:{"1" * 64}
"""
    )
    assert read_requirements(tmp_path, "requirements.txt") == (
        'fastapi<1,>=0.100; python_version >= "3.8"',
        f"httpx==0.27.0 --hash=sha256:{digest} --hash=sha256:{'1' * 64}",
        "uvicorn[standard]==0.30.0",
    )


@given(st.text(max_size=200))
def test_any_text_is_taken_whole_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("submission")
    (folder / "requirements.txt").write_text(text, encoding="utf-8", errors="replace")
    try:
        wanted = read_requirements(folder, "requirements.txt")
    except SubmissionError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert all(line[0].isalnum() and "\n" not in line for line in wanted)


def test_a_link_out_of_the_submission_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("secret")
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "requirements.txt").symlink_to("../outside.txt")
    with pytest.raises(SubmissionError, match="has no file"):
        read_requirements(folder, "requirements.txt")
