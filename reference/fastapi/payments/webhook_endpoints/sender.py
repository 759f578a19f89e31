"""Calling merchants' servers, wherever they say they are."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from payments.kit.outbound import Watch, retry_after, unwatched
from payments.kit.settings import Settings
from payments.kit.targets import ForbiddenTargetError, Resolver, Target

CALL_SECONDS = 5.0
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of a call: a status, or why there is none; ``retry_after`` is in seconds."""

    status: int | None
    failure: str | None = None
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """Whether the endpoint has it."""
        return self.status is not None and httpx.codes.is_success(self.status)


class Sender:
    """Checks addresses, and calls them: each time at the very address that was just checked."""

    def __init__(self, settings: Settings, watch: Watch = unwatched) -> None:
        self._watch = watch
        self._resolver = Resolver(settings.dns_server, settings.webhook_allowed_cidrs)
        self._trusted = settings.webhook_ca_file or None
        self._http: httpx.AsyncClient | None = None

    async def ensure_allowed(self, url: str) -> None:
        """See that an address may be called, as far as one can know now.

        Raises:
            ForbiddenTargetError: it may not.
        """
        await self._resolver.resolve(Target.of(url))

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """POST to an address, if it may be called now. Redirects are answers like others."""
        try:
            target = Target.of(url)
            address = await self._resolver.resolve(target)
        except ForbiddenTargetError as error:
            return Attempt(None, f"not allowed: {error}")
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                self._client().stream(
                    "POST",
                    target.pinned(address),
                    content=body,
                    headers={**headers, "Host": target.authority},
                    extensions={"sni_hostname": target.host},
                ) as reply,
            ):
                return Attempt(reply.status_code, None, retry_after(reply))
        except TimeoutError:
            return Attempt(None, "no answer in time")
        except (httpx.HTTPError, OSError) as error:
            return Attempt(None, type(error).__name__)

    def _client(self) -> httpx.AsyncClient:
        """A client that keeps no connection: it could be to another merchant's host, by name."""
        if self._http is None:
            transport = httpx.AsyncHTTPTransport(
                verify=ssl.create_default_context(cafile=self._trusted),
                limits=httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=0),
                trust_env=False,
            )
            self._http = httpx.AsyncClient(
                transport=self._watch(transport),
                timeout=CALL_SECONDS,
                follow_redirects=False,
                trust_env=False,
            )
        return self._http

    async def close(self) -> None:
        """Close what is open."""
        if self._http is not None:
            await self._http.aclose()
