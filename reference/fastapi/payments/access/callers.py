"""Who is calling, and whether the role suffices."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from payments.access.models import Role
from payments.access.tokens import Caller, InvalidTokenError
from payments.dependencies import ContextOf
from payments.kit.problems import Problem

_bearer = HTTPBearer(auto_error=False)
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True, slots=True)
class Administrator:
    """The platform's administrator."""


async def _authenticate(context: ContextOf, credentials: _Credentials) -> Caller | Administrator:
    if credentials is None:
        raise _unauthenticated()
    token = credentials.credentials
    if hmac.compare_digest(
        token.encode(), context.settings.admin_token.get_secret_value().encode()
    ):
        return Administrator()
    try:
        return context.tokens.verify(token)
    except InvalidTokenError:
        raise _unauthenticated() from None


_Authenticated = Annotated[Caller | Administrator, Depends(_authenticate)]


def _role(*sufficient: Role) -> Callable[..., Awaitable[Caller]]:
    async def require(caller: _Authenticated, context: ContextOf) -> Caller:
        if not isinstance(caller, Caller) or caller.role not in sufficient:
            raise _forbidden()
        structlog.contextvars.bind_contextvars(merchant=caller.merchant_id, client=caller.client_id)
        context.limits.ensure(caller.client_id)
        return caller

    return require


async def _administrator(caller: _Authenticated) -> Administrator:
    if not isinstance(caller, Administrator):
        raise _forbidden()
    return caller


Viewer = Annotated[Caller, Depends(_role(Role.VIEWER, Role.OPERATOR, Role.OWNER))]
Operator = Annotated[Caller, Depends(_role(Role.OPERATOR, Role.OWNER))]
Owner = Annotated[Caller, Depends(_role(Role.OWNER))]
Admin = Annotated[Administrator, Depends(_administrator)]


def _unauthenticated() -> Problem:
    return Problem(
        401,
        "unauthenticated",
        "Send a valid bearer token.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _forbidden() -> Problem:
    return Problem(403, "forbidden", "The caller's role does not allow this.")
