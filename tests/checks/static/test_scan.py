import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from checks.evidence import Finding
from checks.static import scan as scanning
from checks.static.limits import Limits, ScannerError
from checks.static.match import Scan
from checks.static.scan import scan

INJECTION = 'async def look(db, name):\n    return await db.fetch(f"SELECT {name}")\n'


def folder(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def rules(findings: Sequence[Finding]) -> set[tuple[str, str, int]]:
    return {(finding.rule, finding.path, finding.line) for finding in findings}


async def test_a_finding_says_where_and_what(tmp_path: Path) -> None:
    submission = folder(tmp_path, {"payments/look.py": INJECTION, "payments/sound.py": "x = 1\n"})
    report = await scan(submission, None)
    (finding,) = report.findings
    assert report.failures == ()
    assert finding.tool == "semgrep"
    assert (finding.rule, finding.severity, finding.cwe) == ("sql-from-text", "high", (89,))
    assert (finding.path, finding.line) == ("payments/look.py", 2)
    assert "SELECT {name}" in finding.excerpt
    assert not finding.in_starter


async def test_both_scanners_speak(tmp_path: Path) -> None:
    text = 'eval(input())\nbind("0.0.0.0")\napi_password = "hunter2-hunter2"\n'
    report = await scan(folder(tmp_path, {"app.py": text}), None)
    assert {finding.tool for finding in report.findings} == {"bandit", "semgrep"}
    assert [finding.rule for finding in report.findings].count("code-from-text") == 1


async def test_a_finding_of_the_starter_is_marked_wherever_its_line_has_moved(
    tmp_path: Path,
) -> None:
    starter = folder(tmp_path / "starter", {"a.py": INJECTION})
    moved = "import os\n\n\n" + INJECTION.replace("    return", "        return", 1)
    moved = moved.replace("async def", "if os.name:\n    async def")
    again = "\n\nasync def more(db, name):\n    return await db.fetch(f'DELETE {name}')\n"
    submission = folder(tmp_path / "submission", {"a.py": moved + again, "b.py": INJECTION})
    report = await scan(submission, starter)
    marked = {(f.path, f.line): f.in_starter for f in report.findings}
    assert marked == {("a.py", 6): True, ("a.py", 10): False, ("b.py", 2): False}


async def test_a_copied_fault_is_not_excused_by_the_first(tmp_path: Path) -> None:
    starter = folder(tmp_path / "starter", {"a.py": INJECTION})
    twice = INJECTION + INJECTION.replace("look", "again")
    report = await scan(folder(tmp_path / "submission", {"a.py": twice}), starter)
    assert sorted(finding.in_starter for finding in report.findings) == [False, True]


async def test_a_submission_cannot_silence_the_scanners(tmp_path: Path) -> None:
    silenced = INJECTION.replace('")\n', '")  # nosemgrep  # nosec\n')
    quiet = {
        ".bandit": "[bandit]\nskips: B105\nexclude: /\n",
        "setup.cfg": "[bandit]\nskips: B105\n",
        "pyproject.toml": '[tool.bandit]\nskips = ["B105"]\n',
        ".semgrepignore": "*\n",
        "bandit.py": "raise SystemExit(0)\n",
        "app.py": silenced + 'password = "hunter2-hunter2"  # nosec\n',
    }
    report = await scan(folder(tmp_path, quiet), None)
    assert {("sql-from-text", "app.py", 2), ("B105", "app.py", 3)} <= rules(report.findings)
    assert report.failures == ()


async def test_links_giants_pipes_and_strange_text_are_named_and_do_no_harm(
    tmp_path: Path,
) -> None:
    outside = tmp_path / "outside"
    folder(outside, {"secret.py": INJECTION})
    root = folder(tmp_path / "submission", {"ok.py": INJECTION, "-rf.py": INJECTION})
    (root / "linked").symlink_to(outside)
    (root / "link.py").symlink_to(outside / "secret.py")
    os.mkfifo(root / "pipe.py")
    (root / "giant.py").write_bytes(b"x = 1\n" * 400_000)
    (root / "bytes.py").write_bytes(b"x = '\xff\xfe'\n")
    (root / "null.py").write_bytes(b"x = 1\0\n")
    (root / "new\nline.py").write_text(INJECTION)
    (root / "broken.py").write_text("def (:\n")
    (root / "deep.py").write_text("x = " + "(" * 5000 + ")" * 5000 + "\n")
    report = await scan(root, None)
    assert {f.path for f in report.findings} == {"ok.py", "-rf.py", "new\\nline.py"}
    told = "\n".join(report.failures)
    for name in ("link.py", "pipe.py", "giant.py", "bytes.py", "null.py", "broken.py", "deep.py"):
        assert name in told, name


async def test_code_is_read_in_the_encoding_that_python_would_use(tmp_path: Path) -> None:
    hidden = INJECTION.encode("utf-7").replace(b"\n", b"\n")
    (tmp_path / "hidden.py").write_bytes(b"# coding: utf-7\n" + hidden)
    report = await scan(tmp_path, None)
    assert rules(report.findings) == {("sql-from-text", "hidden.py", 3)}


async def test_thousands_of_files_and_deep_folders(tmp_path: Path) -> None:
    files = {f"part{n % 50}/file{n}.py": f"x{n} = {n}\n" for n in range(3100)}
    files["/".join(["d"] * 60).lstrip("/") + "/far.py"] = INJECTION
    report = await scan(folder(tmp_path, files), None)
    told = "\n".join(report.failures)
    assert "nested deeper" in told
    assert "Only the first 3000" in told


async def test_nothing_to_scan_is_said(tmp_path: Path) -> None:
    report = await scan(folder(tmp_path, {"main.go": "package main\n"}), None)
    assert report.findings == ()
    assert "no Python source" in report.failures[0]


async def test_one_file_that_fells_a_scanner_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scanning.SCANNERS["semgrep"]

    async def falls(private: Path, names: Sequence[str], limits: Limits) -> Scan:
        if any("poison" in (private / name).read_text() for name in names):
            raise ScannerError("semgrep was ended by SIGSEGV.")
        return await real(private, names, limits)

    monkeypatch.setitem(scanning.SCANNERS, "semgrep", falls)
    files = {f"f{n}.py": INJECTION + f"x = {n}\n" for n in range(4)} | {"g.py": "poison = 1\n"}
    report = await scan(folder(tmp_path, files), None)
    assert {f.path for f in report.findings if f.rule == "sql-from-text"} == {
        f"f{n}.py" for n in range(4)
    }
    assert any("g.py" in failure and "SIGSEGV" in failure for failure in report.failures)


async def test_the_bound_on_findings_keeps_the_gravest_and_says_so(tmp_path: Path) -> None:
    text = "".join(f"import asyncio\nlock{n} = asyncio.Lock()\n" for n in range(600))
    report = await scan(folder(tmp_path, {"a.py": text, "z.py": INJECTION}), None)
    assert len(report.findings) == scanning.FINDINGS
    assert report.findings[0].rule == "sql-from-text"
    assert "601 findings" in "\n".join(report.failures)
