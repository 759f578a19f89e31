import re
from pathlib import Path

import pytest

from checks.static import semgrep
from checks.static.limits import Limits

SAMPLES = {
    path.name.split(".")[0]: path.read_text(encoding="utf-8")
    for path in sorted(Path(__file__).with_name("samples").glob("*.py.txt"))
}
ANNOTATION = re.compile(r"#\s*(ruleid|ok):\s*(.+)")


def annotated(text: str, kind: str) -> set[tuple[int, str]]:
    """Line and rule of each annotation, which speaks of the line below it."""
    found = set()
    for number, line in enumerate(text.splitlines(), start=1):
        match = ANNOTATION.search(line)
        if match and match[1] == kind:
            found |= {(number + 1, rule.strip()) for rule in match[2].split(",")}
    return found


@pytest.mark.parametrize("sample", SAMPLES)
async def test_rules_find_exactly_what_is_annotated(sample: str, tmp_path: Path) -> None:
    text = SAMPLES[sample]
    (tmp_path / "00000.py").write_text(text, encoding="utf-8")
    done = await semgrep.scan(tmp_path, ["00000.py"], Limits())
    assert done.unread == ()
    assert {(match.line, match.rule) for match in done.matches} == annotated(text, "ruleid")


def test_every_rule_is_shown_to_find_and_to_spare() -> None:
    for kind in ("ruleid", "ok"):
        shown = {rule for text in SAMPLES.values() for _, rule in annotated(text, kind)}
        assert shown == set(semgrep.rules()), kind


def test_every_rule_says_what_is_wrong_and_how_to_mend_it() -> None:
    for rule in semgrep.rules().values():
        assert rule.metadata.cwe, rule.id
        assert len(rule.message) > 40, rule.id
        assert rule.message.endswith((".", ")")), rule.id
        assert ";" in rule.message, f"{rule.id} does not say how to mend it"
