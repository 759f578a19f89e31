"""A specification that makes no sense is answered by one sentence, with the key and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.explore.reading import read_spec

GOOD = """
title = "t"
[service]
start = ["python", "app.py", "{port}"]
[[prepare]]
request = "POST /accounts"
json = { name = "{unique}" }
capture = { account = "id" }
[[concurrent]]
request = "POST /accounts/{account}/spend"
count = 2
[[invariant]]
sql = "SELECT balance >= 0 FROM accounts WHERE id = {account}"
"""

SPECS = sorted(Path(__file__).parent.glob("services/*/*.toml"))


#: One replica that runs already, in place of how to start it.
RUNNING = 'running = [{url = "http://127.0.0.1:1", proxy_port = 2}]\n#'


def read(folder: Path, text: str) -> str:
    """What is said of it."""
    path = folder / "it.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as told:
        read_spec(path)
    return str(told.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_example_is_read(path: Path) -> None:
    assert len(read_spec(path).requests) == 2


def test_the_documented_example_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "explore.md").read_text()
    for number, block in enumerate(page.split("```toml\n")[1:]):
        path = tmp_path / f"{number}.toml"
        path.write_text(block.partition("```")[0])
        assert read_spec(path).title


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "t"', "", "title is missing."),
        ('title = "t"', "title = 3", "title: input should be a valid string."),
        ('title = "t"', 'title = "t', "is not TOML"),
        ("count = 2", "count = 1", "make it 2 to 4, by another [[concurrent]] or by its count."),
        ("count = 2", "count = 9", "concurrent 1: count: input should be less than or equal to 4"),
        ("count = 2", "cuont = 2", "concurrent 1 has no key 'cuont': did you mean 'count'?"),
        ("count = 2", "zzz = 2", "concurrent 1 has no key 'zzz'; it takes request, json, body"),
        ("POST /accounts/{", "accounts/{", 'concurrent 1: request: must be method and path, as "P'),
        ("{account}/spend", "{acount}/spend", "concurrent 1: knows no {acount} here: capture it"),
        ("[[prepare]]", "[[prepared]]", "it has no key 'prepared': did you mean 'prepare'?"),
        ('"{port}"', '"8000"', "service: must have {port} where the service takes its port."),
        ('"{port}"', '"{prot}", "{port}"', "service: knows no {prot}: there are {port} and "),
        ("[[prepare]]", 'environment = { A = "b" }\n[[prepare]]', "service: must say where"),
        ("[[prepare]]", 'ready = "healthz"\n[[prepare]]', 'service: ready: must be a path, as "/h'),
        ("[[prepare]]", "replicas = 9\n[[prepare]]", "service: replicas: input should be less"),
        ("[[prepare]]", '[database]\nurl = "mysql://x"\n[[prepare]]', "database: url: must read"),
        ("start =", RUNNING, "service.running"),
        ("start =", RUNNING.replace("127.0.0.1", "far"), "service: running 1: u"),
        ("sql = ", "request = 'GET /'\nsql = ", "invariant 1: takes either a request"),
        ("sql = ", "status = 200\nsql = ", "invariant 1: takes a status only with a request."),
        ("[[invariant]]\nsql = ", '[[view]]\njson = 1\nsql = ', "view 1: needs a request for json"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    told = read(tmp_path, GOOD.replace(old, new))
    assert said in told
    assert told.endswith((".", "?"))
    assert "\n" not in told


def test_no_file_and_no_text_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        read_spec(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is not TOML"):
        read_spec(tmp_path / "bytes.toml")
