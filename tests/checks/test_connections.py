"""Whatever a service puts on the wire, there is an answer or there is none."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from checks import connections
from checks.connections import Connections, Received, Unanswered

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(play: Play) -> AsyncIterator[tuple[Connections, list[bytes]]]:
    """A server that plays this on each connection, once it has read a request's head."""
    heads: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                await play(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    opened = Connections([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"])
    try:
        yield opened, heads
    finally:
        await opened.close()
        server.close()


def saying(*parts: bytes, hang_up: bool = False) -> Play:
    async def play(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if hang_up:
            writer.close()

    return play


async def get(play: Play, path: str = "/a") -> Received:
    async with serving(play) as (opened, _), asyncio.timeout(10):
        return await opened.send("GET", opened.replicas[0] + path, [], None)


def answer(head: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def test_an_answer_as_it_was() -> None:
    received = await get(saying(answer("201 Created\r\nX-A: 1\r\nx-a: 2", b'{"a": 1}')))
    assert (received.status, received.content) == (201, b'{"a": 1}')
    assert received.headers.getall("X-A") == ["1", "2"]


async def test_only_what_was_given_is_sent() -> None:
    async with serving(saying(answer("200 OK"))) as (opened, heads):
        url = opened.replicas[0] + "/v1/a%2Fb/../c d?x='1;--&y=%27"
        await opened.send("POST", url, [("X-Own", "1"), ("X-Own", "2")], b"{}")
    first, *rest = heads[0].decode().strip().split("\r\n")
    assert first == "POST /v1/a%2Fb/../c%20d?x='1;--&y=%27 HTTP/1.1"
    names = [line.partition(":")[0] for line in rest]
    assert sorted(names) == ["Content-Length", "Host", "User-Agent", "X-Own", "X-Own"]


async def test_nobody_is_followed_and_nothing_kept() -> None:
    hop = "302 Found\r\nLocation: http://127.0.0.1:9/\r\nSet-Cookie: a=b"
    async with serving(saying(answer(hop))) as (opened, heads):
        for _ in range(2):
            assert (await opened.send("GET", opened.replicas[0] + "/", [], None)).status == 302
    assert len(heads) == 2
    assert not any(b"Cookie" in head for head in heads)


async def test_a_compressed_body_is_read() -> None:
    body = gzip.compress(b'{"a": 1}')
    assert (await get(saying(answer("200 OK\r\nContent-Encoding: gzip", body)))).content == (
        b'{"a": 1}'
    )


@pytest.mark.parametrize(
    "play",
    [
        saying(hang_up=True),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", hang_up=True),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", hang_up=True),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", hang_up=True),
        saying(b"HTTP/1.1 abc OK\r\n\r\n", hang_up=True),
        saying(b"\x00\xff\xfe nonsense\r\n\r\n", hang_up=True),
        saying(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", hang_up=True),
        saying(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip", hang_up=True),
    ],
)
async def test_what_is_no_answer_is_none(play: Play) -> None:
    with pytest.raises(Unanswered) as caught:
        await get(play)
    assert str(caught.value)


async def test_an_endless_body_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LONGEST", 1000)

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"a" * 100)
            await writer.drain()

    with pytest.raises(Unanswered, match="more than 1000 bytes"):
        await get(endless)


async def test_a_bomb_does_not_go_off() -> None:
    bomb = gzip.compress(b"\0" * (64 * 1024 * 1024))
    with pytest.raises(Unanswered):
        await get(saying(answer("200 OK\r\nContent-Encoding: gzip", bomb)))


async def test_headers_of_any_bytes_are_text() -> None:
    received = await get(saying(b"HTTP/1.1 200 OK\r\nX: \xff\xe9\r\nContent-Length: 0\r\n\r\n"))
    assert received.headers["X"]


async def test_what_came_instead_is_said_in_words() -> None:
    for play, words in (
        (saying(hang_up=True), "connection closed"),
        (
            saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", hang_up=True),
            "answer not whole",
        ),
    ):
        with pytest.raises(Unanswered, match=f"^{words}$"):
            await get(play)


async def test_nobody_there_is_no_answer() -> None:
    opened = Connections(["http://127.0.0.1:9"])
    with pytest.raises(Unanswered, match=r"^no connection$"):
        await opened.send("GET", "http://127.0.0.1:9/", [], None)
    await opened.close()
