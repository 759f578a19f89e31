"""What a trial's outcome depends on."""

from __future__ import annotations

import pytest

from checks.catalogue import catalogue
from harness import fingerprint as module
from harness.fingerprint import fingerprint

TREE = {"app.py": b"pass\n"}
ROLES = "security/a_viewer_changes_nothing"
TRANSFERS = "concurrency/transfers_never_overdraw"


def test_the_same_is_the_same_in_any_order() -> None:
    assert fingerprint(TREE, [ROLES, TRANSFERS]) == fingerprint(dict(TREE), [TRANSFERS, ROLES])


def test_another_file_or_check_is_another() -> None:
    found = {
        fingerprint(TREE, [ROLES]),
        fingerprint(TREE, [TRANSFERS]),
        fingerprint({"app.py": b"pass"}, [ROLES]),
        fingerprint({"other.py": b"pass\n"}, [ROLES]),
    }
    assert len(found) == 4


def test_a_changed_module_concerns_the_checks_that_import_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {check: fingerprint(TREE, [check]) for check in (ROLES, TRANSFERS)}
    content = module._content

    def changed(name: str) -> str:
        return content(name) + "!" * (name in touched)

    monkeypatch.setattr(module, "_content", changed)
    touched = {"checks.security.premises"}
    assert fingerprint(TREE, [ROLES]) != before[ROLES]
    assert fingerprint(TREE, [TRANSFERS]) == before[TRANSFERS]
    touched = {"checks.lists"}  # which tenants import, and theirs in turn
    assert fingerprint(TREE, [ROLES]) != before[ROLES]
    touched = {"checks.testbed.sql.proxy"}
    assert all(fingerprint(TREE, [check]) != before[check] for check in before)


def test_every_check_has_a_module() -> None:
    assert all(fingerprint(TREE, [one.id]) for one in catalogue())
    with pytest.raises(KeyError):
        fingerprint(TREE, ["security/no_such_check"])
