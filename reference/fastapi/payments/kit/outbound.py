"""What calls to outside parties have in common: time-outs, and replies of bounded size."""

import httpx
from pydantic import SecretStr

CONNECT_SECONDS = 1.0
READ_SECONDS = 2.0
MAX_REPLY_BYTES = 64 * 1024


class EndlessReplyError(httpx.StreamError):
    """The other side sent more than any reply of its protocol is long."""


def open_client(url: str, api_key: SecretStr) -> httpx.AsyncClient:
    """A client of one outside party, with its key and a bounded pool."""
    return httpx.AsyncClient(
        base_url=url.rstrip("/"),
        headers={
            "Authorization": f"Bearer {api_key.get_secret_value()}",
            "Accept-Encoding": "identity",
        },
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=20),
        trust_env=False,
    )


async def whole(response: httpx.Response) -> bytes:
    """The body of a streamed reply.

    Raises:
        EndlessReplyError: it is longer than 64 KiB.
    """
    content = b""
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > MAX_REPLY_BYTES:
            raise EndlessReplyError("endless reply")
    return content
