"""Asking the FX provider for a rate (section 11 of the contract)."""

from http import HTTPStatus

from payments.fx.rates import Rate
from payments.kit.logging import logger
from payments.kit.outbound import UnansweredError, Watch, ask, open_client, unwatched
from payments.kit.problems import RETRY_SECONDS, Problem
from payments.kit.settings import Settings

DEADLINE_SECONDS = 2.0


class FxClient:
    """The FX provider, as this process reaches it. Without an address there are no rates."""

    def __init__(self, settings: Settings, watch: Watch = unwatched) -> None:
        url, key = settings.fx_url, settings.fx_api_key
        self._http = open_client(url, key, watch) if url else None

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
        pair = {"base": base, "quote": quote}
        try:
            reply = await ask(
                self._http, "GET", "/v1/rates", seconds=DEADLINE_SECONDS, parameters=pair
            )
            if reply.status != HTTPStatus.OK:
                raise unavailable(f"status {reply.status}")
            return Rate.told(reply.body)
        except ValueError:
            raise unavailable("unreadable rate") from None
        except UnansweredError as error:
            raise unavailable(str(error)) from None


def unavailable(why: str) -> Problem:
    """No rate that could be believed is to be had now; ``why`` is for the log."""
    logger().warning("rate_unavailable", why=why)
    return Problem(
        503,
        "rate_unavailable",
        "There is no rate for this pair just now.",
        retry_after=RETRY_SECONDS,
    )
