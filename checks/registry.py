"""How a check is declared: the ``@check`` decorator and what it notes of a function.

    @check("payment-idor", needs=contract.payments)
    async def another_merchant_cannot_read_a_payment(alice: Merchant, bob: Merchant) -> None:
        \"\"\"A payment is visible only to the merchant that took it.\"\"\"

The declaration hangs on the function itself; there is no list of checks but the files.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checks.testbed.lease import REPLICAS

_ATTRIBUTE = "__assay_check__"

#: Seconds that a check may take once its testbed stands, unless it says otherwise. Checks take a
#: second or two; this is for a machine that is busy with something else as well.
LIMIT = 240.0

CheckFunction = Callable[..., Coroutine[Any, Any, None]]


class DeclarationError(Exception):
    """A check is not declared as it must be; the sentence names it and says how to mend it."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known of a check without running it.

    ``id`` is ``family/function``. ``flaw`` is ``None`` for a check of the contract. ``needs`` are
    the ids of contract checks that must have been secure. ``settings`` override the service's
    environment, ``worker`` starts its worker, and ``replicas`` says how many there are: all in an
    ``exclusive`` testbed only. ``long`` is one that takes many times as long as others: it goes
    before them, so that nothing has to wait for it in the end. ``limit`` is in seconds.
    """

    id: str
    family: str
    flaw: str | None
    summary: str
    needs: tuple[str, ...] = ()
    exclusive: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    worker: bool = False
    replicas: int = REPLICAS
    long: bool = False
    limit: float = LIMIT
    competencies: tuple[str, ...] = ()


def check(
    flaw: str | None = None,
    *,
    needs: tuple[str, ...] = (),
    exclusive: bool = False,
    settings: Mapping[str, str] | None = None,
    worker: bool = False,
    replicas: int = REPLICAS,
    long: bool = False,
    limit: float = LIMIT,
    competencies: tuple[str, ...] = (),
) -> Callable[[CheckFunction], CheckFunction]:
    """Declare an asynchronous function a check.

    Raises ``DeclarationError`` for one without a docstring, one that is not asynchronous, or a
    shared one with settings, a worker or replicas of its own.
    """

    def declare(function: CheckFunction) -> CheckFunction:
        family = Path(inspect.getfile(function)).parent.name
        name = f"{family}/{function.__name__}"
        summary = (inspect.getdoc(function) or "").partition("\n")[0].strip()
        if not summary:
            raise DeclarationError(f"Check {name} has no docstring: its first line is reported.")
        if not inspect.iscoroutinefunction(function):
            raise DeclarationError(f"Check {name} must be an async function.")
        if not exclusive and (settings or worker or replicas != REPLICAS):
            raise DeclarationError(
                f"Check {name} asks for settings, a worker or replicas: make it exclusive."
            )
        declaration = Declaration(
            id=name,
            family=family,
            flaw=flaw,
            summary=summary,
            needs=tuple(needs),
            exclusive=exclusive,
            settings=dict(settings or {}),
            worker=worker,
            replicas=replicas,
            long=long,
            limit=limit,
            competencies=tuple(competencies),
        )
        setattr(function, _ATTRIBUTE, declaration)
        return function

    return declare


def declaration_of(function: object) -> Declaration | None:
    """The declaration of a check, or ``None`` for anything that is not one."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Declaration) else None
