"""Answers of a service that is not there."""

from __future__ import annotations

import json

from multidict import CIMultiDict

from checks.client import Answer


def answer(status: int | None, body: object = None) -> Answer:
    """An answer with a JSON body."""
    failure = None if status else "closed"
    return Answer("POST /x", status, CIMultiDict(), json.dumps(body).encode(), failure, 0)
