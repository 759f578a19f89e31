"""Asking the FX provider for a rate (section 11 of the contract)."""

import asyncio
from http import HTTPStatus

import httpx

from payments.fx.rates import Rate
from payments.kit.logging import logger
from payments.kit.outbound import open_client, whole
from payments.kit.problems import RETRY_SECONDS, Problem
from payments.kit.settings import Settings

DEADLINE_SECONDS = 2.0


class FxClient:
    """The FX provider, as this process reaches it. Without an address there are no rates."""

    def __init__(self, settings: Settings) -> None:
        self._http = open_client(settings.fx_url, settings.fx_api_key) if settings.fx_url else None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def rate(self, base: str, quote: str) -> Rate:
        """The provider's rate; whether to believe it is another matter.

        Raises:
            Problem: 503 ``rate_unavailable``.
        """
        if self._http is None:
            raise unavailable("no provider is configured")
        parameters = {"base": base, "quote": quote}
        try:
            async with (
                asyncio.timeout(DEADLINE_SECONDS),
                self._http.stream("GET", "/v1/rates", params=parameters) as response,
            ):
                reply = await whole(response)
                if response.status_code != HTTPStatus.OK:
                    raise unavailable(f"status {response.status_code}")
                return Rate.told(reply)
        except ValueError:
            raise unavailable("unreadable rate") from None
        except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError) as error:
            raise unavailable(type(error).__name__) from None


def unavailable(why: str) -> Problem:
    """No rate that could be believed is to be had now; ``why`` is for the log."""
    logger().warning("rate_unavailable", why=why)
    return Problem(
        503,
        "rate_unavailable",
        "There is no rate for this pair just now.",
        retry_after=RETRY_SECONDS,
    )
