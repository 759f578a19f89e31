"""Which checks a person means: by flaw, by check, or all of an exercise."""

from __future__ import annotations

from collections.abc import Sequence

from checks.catalogue import catalogue, select
from harness.errors import UsageError
from harness.names import nearest, no_such


def chosen_checks(only: Sequence[str], flaws: Sequence[str] | None) -> tuple[str, ...]:
    """The ids of the checks to run, with those that they need.

    ``only`` holds ids of flaws and checks; where it is empty, all checks of the contract and of
    ``flaws`` are meant (of all flaws, if ``None``). Raises ``UsageError`` for an unknown id.
    """
    declared = catalogue()
    if not only:
        return select(flaws=flaws) if flaws is not None else select()
    known_checks = {one.id for one in declared}
    known_flaws = {one.flaw for one in declared if one.flaw is not None}
    for name in only:
        if name not in known_checks | known_flaws:
            meant = nearest(name, known_checks | known_flaws)
            listed = "'assay list flaws' shows the flaws."
            raise UsageError(no_such("flaw or check", name, meant, listed))
    return select(
        flaws=[name for name in only if name in known_flaws],
        checks=[name for name in only if name in known_checks],
        contract=False,
    )
