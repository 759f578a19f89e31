"""``assay.toml``: every mistake is one sentence that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.testbed.errors import SubmissionError
from checks.testbed.manifest import read_manifest, with_port
from exercises.places import REFERENCE

_GOOD = """
[runtime]
kind = "python"
[service]
contract = "v1"
web = ["serve", "--port", "{port}"]
"""


def test_the_reference_s_is_read() -> None:
    manifest = read_manifest(REFERENCE / "fastapi")
    assert manifest.service.ready == "/readyz"
    assert with_port(manifest.service.web, 81).count("81") == 1


def test_what_is_left_out_has_a_meaning(tmp_path: Path) -> None:
    (tmp_path / "assay.toml").write_text(_GOOD + 'build = ["make", "all"]\n')
    manifest = read_manifest(tmp_path)
    assert manifest.service.build == (("make", "all"),)
    assert manifest.service.migrate == ()
    assert manifest.service.worker == ()
    assert manifest.runtime.requirements == "requirements.txt"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "runtime"),
        ("not toml", "is not TOML"),
        (_GOOD.replace("python", "cobol"), "runtime.kind"),
        (_GOOD.replace("v1", "v2"), "service.contract"),
        (_GOOD.replace("{port}", "8000"), "{port}"),
        (_GOOD + 'ready = "readyz"', "service.ready"),
        (_GOOD + 'ready = "/x\\r\\nHost: y"', "service.ready"),
        (_GOOD + "surprise = 1", "service.surprise"),
        (_GOOD.replace('"python"', '"python"\nrequirements = "../x"'), "inside the submission"),
        (_GOOD + 'worker = ["a\\u0000b"]', "NUL"),
    ],
)
def test_a_mistake_is_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "assay.toml").write_text(text)
    with pytest.raises(SubmissionError) as raised:
        read_manifest(tmp_path)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_without_one(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"has no assay\.toml"):
        read_manifest(tmp_path)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("submission")
    (folder / "assay.toml").write_bytes(raw)
    with pytest.raises(SubmissionError):
        read_manifest(folder)
