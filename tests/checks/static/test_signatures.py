"""What the source says of how signatures are compared: never a wrong answer, and always one."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.static import signatures
from checks.static.flow import machine
from checks.static.flow.reading import Reading, read
from checks.static.limits import Limits
from checks.static.signatures import read_signatures
from checks.static.source import SourceFile
from exercises.places import REFERENCE
from tests.checks.static.notices import right, shapes, untold, wrong
from tests.checks.static.notices.service import APP, service

Files = dict[str, str]


def services(of: object) -> dict[str, Files]:
    """All services of a module of samples, by name."""
    found = {name: service(text) for name, text in vars(of)["SIGNATURES"].items()}
    return {**found, **{f"service: {name}": it for name, it in vars(of)["SERVICES"].items()}}


RIGHT, WRONG, UNTOLD = services(right), services(wrong), services(untold)


def reading(files: Files) -> Reading:
    return read(tuple(SourceFile(path, text) for path, text in files.items()))


def written(folder: Path, files: Files) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", RIGHT)
def test_what_takes_constant_time_is_acquitted(name: str) -> None:
    said = reading(RIGHT[name])
    assert (said.answer, said.because) == ("constant", "")
    assert said.places


@pytest.mark.parametrize("name", WRONG)
def test_what_takes_variable_time_is_found_where_it_stands(name: str) -> None:
    said = reading(WRONG[name])
    here = {
        (path, number)
        for path, text in WRONG[name].items()
        for number, line in enumerate(text.split("\n"), start=1)
        if line.endswith("# here")
    }
    assert said.answer == "variable"
    assert {(place.path, place.line) for place in said.places} == here


@pytest.mark.parametrize("name", UNTOLD)
def test_of_what_cannot_be_told_nothing_is_said(name: str) -> None:
    said = reading(UNTOLD[name])
    assert said.answer == "unknown"
    assert re.fullmatch(r"[A-Z][^\n]*\.", said.because), said.because


@pytest.mark.parametrize("comparison", shapes.COMPARISONS)
@pytest.mark.parametrize("shape", shapes.DEPENDENCIES)
def test_every_shape_is_followed_to_its_comparison(shape: str, comparison: str) -> None:
    text = shapes.DEPENDENCIES[shape]
    of = re.search(r"SAME\((.+), ([\w.\"()]+)\)", text)
    assert of is not None
    compared = text.replace(of[0], comparison.format(of[1], of[2]))
    said = reading({"app.py": shapes.ENDPOINTS, "signed.py": compared})
    assert (said.answer, said.because) == (shapes.COMPARISONS[comparison], "")


def test_there_are_many_ways() -> None:
    assert min(len(RIGHT), len(WRONG), len(UNTOLD)) >= 25


def test_a_comparison_off_the_way_is_none() -> None:
    """What only other endpoints, or nobody, goes through says nothing of the notices."""
    beside = """
import hmac
from fastapi import APIRouter, Request
router = APIRouter(prefix="/v1/reports")
@router.post("/psp")
@router.get("/v1/webhooks/psp")
async def take(request: Request):
    given = request.headers["x"]
    return hmac.new(b"x", await request.body(), "sha256").hexdigest() == given
"""
    files = {**RIGHT["the module's function"], "reports.py": beside}
    assert reading(files).answer == "constant"
    assert reading({"reports.py": beside}).answer == "unknown"


def test_a_module_of_ours_is_taken_for_pythons_own() -> None:
    """Python finds a ``hmac.py`` in the folder that the service is started in before its own."""
    theirs = "def new(key, message, digest):\n    return Mac()\ncompare_digest = str.__eq__\n"
    files = {**RIGHT["the module's function"], "hmac.py": theirs + "class Mac: ...\n"}
    assert reading(files).answer == "unknown"
    nested = {**RIGHT["the module's function"], "vendor/hmac.py": theirs}
    assert reading(nested).answer == "constant"


def test_another_packages_module_is_not_taken_for_one_of_ours() -> None:
    """A file of the same name in a package of ours is found by the package's name alone."""
    files = RIGHT["service: a library that verifies"]
    assert reading({**files, "pay/__init__.py": "", "pay/stripe.py": ""}).answer == "constant"
    assert reading({**files, "stripe.py": ""}).answer == "unknown"


async def test_the_reference_is_read_in_a_process_of_its_own() -> None:
    said = await read_signatures(REFERENCE / "fastapi")
    assert (said.answer, said.because) == ("constant", "")
    assert [place.path for place in said.places] == ["payments/webhooks/signatures.py"]


async def test_hostile_files_do_no_harm(tmp_path: Path) -> None:
    root = written(tmp_path / "submission", RIGHT["the module's function"])
    (root / "link.py").symlink_to("/etc/passwd")
    os.mkfifo(root / "pipe.py")
    (root / "giant.py").write_bytes(b"x = 1\n" * 400_000)
    (root / "bytes.py").write_bytes(b"x = '\xff\xfe'\n")
    (root / "null.py").write_bytes(b"x = 1\0\n")
    (root / "new\nline.py").write_text("x = 1\n")
    (root / "broken.py").write_text("def (:\n")
    for name, text in (
        ("brackets", "x = " + "(" * 5000 + ")" * 5000),
        ("minus", "x = " + "-" * 60_000 + "1"),
        ("sum", "x = " + "+".join(["1"] * 60_000)),
        ("dots", "x = a" + ".b" * 60_000),
        ("calls", "x = f" + "()" * 30_000),
        ("blocks", "".join(" " * n + "if x:\n" for n in range(90)) + " " * 90 + "pass"),
        ("lambdas", "x = " + "lambda: " * 2000 + "0"),
    ):
        (root / f"{name}.py").write_text(text + "\n")
    said = await read_signatures(root)
    assert said.answer in ("constant", "unknown")
    assert "could not be read" not in said.because


async def test_a_reader_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "_LIMITS", Limits(seconds=0.05))
    said = await read_signatures(written(tmp_path, RIGHT["the module's function"]))
    assert said.answer == "unknown"
    assert "could not be read" in said.because


async def test_an_empty_folder_says_nothing(tmp_path: Path) -> None:
    said = await read_signatures(tmp_path)
    assert (said.answer, said.because) == (
        "unknown",
        "There is no Python source that could be read.",
    )


def test_what_would_take_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "STEPS", 20_000)
    doubling = "\n".join(
        f"def f{n}(x):\n    f{n + 1}(x)\n    return f{n + 1}(x)" for n in range(30)
    )
    files = service(f"{doubling}\ndef f30(x): return x\ndef verify(*all): return f0(all)\n")
    said = reading(files)
    assert (said.answer, said.because) == (
        "unknown",
        "The source is too large to be followed to its end.",
    )


TEXTS = sorted(
    {text for it in (*RIGHT.values(), *WRONG.values(), *UNTOLD.values()) for text in it.values()}
)
WORDS = sorted({word for text in TEXTS for word in re.findall(r"\w+|[^\w\s]+", text)})


@st.composite
def garbled(draw: st.DrawFn) -> str:
    """A sample in which some words are others, and some lines are gone or come twice."""
    lines = draw(st.sampled_from(TEXTS)).split("\n")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        lines[at : at + 1] = [lines[at]] * draw(st.integers(0, 2)) or [""]
    parts = re.findall(r"\w+|[^\w\s]+|\s+", "\n".join(lines)) or [""]
    for at in draw(st.lists(st.integers(0, len(parts) - 1), max_size=4)):
        parts[at] = draw(st.sampled_from(WORDS))
    return "".join(parts)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(garbled())
def test_no_text_makes_it_fail(text: str) -> None:
    assert read((SourceFile("app.py", APP), SourceFile("signatures.py", text))).answer
    assert read((SourceFile("app.py", text),)).answer


@settings(max_examples=100, deadline=None)
@given(st.text(), st.text(alphabet="/.\\_psycopg\x00é \n", max_size=12))
def test_nor_does_any_name(text: str, path: str) -> None:
    assert read((SourceFile(path, text), SourceFile(f"{path}.py", APP))).answer


def test_the_answer_does_not_hang_on_the_order_of_files() -> None:
    files = RIGHT["service: an injected verifier"] | {"a.py": "from app import *\n"}
    said = {
        reading(dict(order)).model_dump_json() for order in itertools.permutations(files.items())
    }
    assert len(said) == 1
