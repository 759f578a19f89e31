"""Lists, read page by page (contract 1.13)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote, urlencode

from checks.client import Answer, Client
from checks.losers import seen
from checks.shapes import Page
from checks.verdicts import Broken

_PAGE = 100

#: Pages after which a list counts as endless.
_PAGES = 50


def of_list(path: str, **parameters: object) -> str:
    """A list's path with parameters, escaped: a cursor may hold any characters."""
    query = urlencode(parameters, quote_via=quote, safe="")
    return f"{path}{'&' if '?' in path else '?'}{query}"


async def walk(
    client: Client, path: str, *, limit: int = _PAGE, **params: str
) -> AsyncIterator[tuple[Answer, dict[str, object]]]:
    """All items of a list, each with the answer that it came in; raises ``Broken`` if endless."""
    asked = of_list(path, limit=limit, **params)
    for _ in range(_PAGES):
        answer = await seen(client, asked)
        page = answer.read(Page)
        for item in page.data:
            yield answer, item
        if page.next_cursor is None:
            return
        asked = of_list(path, limit=limit, **params, cursor=page.next_cursor)
    raise Broken(f"GET {path} still had a next page after {_PAGES} pages.")
