"""Errors that a person can mend."""

from __future__ import annotations


class UsageError(Exception):
    """What was asked for makes no sense; the text is one sentence: what, and how to mend it.

    The command prints it on standard error and ends with status 2.
    """
