"""Calls to outside parties, counted and traced where they leave the process."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

import httpx

UNANSWERED = "unanswered"

Ended = Callable[[str, float], None]
"""Told of each call: the class of its status, or ``unanswered``, and its seconds."""

Span = Callable[[httpx.Request], AbstractContextManager[Callable[[int], None]]]


class WatchedTransport(httpx.AsyncBaseTransport):
    """A transport that says how long each exchange took, to the end of its reply."""

    def __init__(self, inner: httpx.AsyncBaseTransport, ended: Ended, span: Span | None) -> None:
        self._inner = inner
        self._ended = ended
        self._span = span

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange one request."""
        if self._span is None:
            return await self._exchange(request)
        with self._span(request) as answered:
            response = await self._exchange(request)
            answered(response.status_code)
            return response

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        started = time.perf_counter()
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException:  # a time-out cancels
            self._ended(UNANSWERED, time.perf_counter() - started)
            raise
        outcome = f"{response.status_code // 100}xx"
        stream = response.stream
        if isinstance(stream, httpx.AsyncByteStream):
            response.stream = _WatchedStream(stream, outcome, started, self._ended)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _WatchedStream(httpx.AsyncByteStream):
    """A reply's body: one that breaks off is no answer."""

    def __init__(
        self, inner: httpx.AsyncByteStream, outcome: str, started: float, ended: Ended
    ) -> None:
        self._inner = inner
        self._outcome = outcome
        self._started = started
        self._ended = ended

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._inner:
                yield chunk
        except GeneratorExit:
            raise
        except BaseException:
            self._outcome = UNANSWERED
            raise

    async def aclose(self) -> None:
        self._ended(self._outcome, time.perf_counter() - self._started)
        await self._inner.aclose()
