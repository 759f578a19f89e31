"""What can go wrong in a command, by whose doing it is, and the exit status that says so."""

from __future__ import annotations

DONE = 0
FOUND = 1
ASKED_WRONGLY = 2
FAILED = 3


class UsageError(Exception):
    """What was asked for makes no sense; the text is one sentence: what, and how to mend it.

    The command prints it on standard error and ends with status 2.
    """


def exit_status(failure: BaseException) -> int:
    """2 where the person who asked can mend it, 3 where the harness or its machine is at fault.

    The classes are imported only here: most commands never fail, and never need most of them.
    """
    from checks.testbed.errors import UsageError as TestbedUsageError
    from exercises.bank import UnknownFlawError
    from exercises.exercise import UnknownExerciseError
    from exercises.kit import KitError
    from scoring.role import RoleError

    asked_wrongly = (
        UsageError,
        TestbedUsageError,
        UnknownFlawError,
        UnknownExerciseError,
        KitError,
        RoleError,
    )
    return ASKED_WRONGLY if isinstance(failure, asked_wrongly) else FAILED


def is_plain(failure: BaseException) -> bool:
    """Whether the text of a failure of ours is a sentence fit to be read by anybody."""
    from checks.testbed.errors import TestbedError
    from exercises.bank import BankError
    from exercises.patches import PatchError

    return isinstance(failure, TestbedError | BankError | PatchError)
