from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict

from checks import losers
from checks.client import Answer, Client
from checks.connections import Connections
from checks.losers import PatientClient, busy, follow_up, lost, sent_again, unfailed, unfair
from checks.probes import Recorder, recording
from checks.verdicts import Broken


def answer(status: int | None, code: str = "", retry_after: str | None = None) -> Answer:
    headers = CIMultiDict({} if retry_after is None else {"Retry-After": retry_after})
    failure = "dropped" if status is None else None
    return Answer("POST /x", status, headers, f'{{"code": "{code}"}}'.encode(), failure, 0)


def script(*answers: Answer) -> Callable[[], Awaitable[Answer]]:
    left = list(answers)

    async def again() -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return again


@pytest.mark.parametrize(
    ("given", "asks_again"),
    [
        (answer(409, "idempotency_key_in_flight", "1"), True),
        (answer(409, "conflict"), True),
        (answer(409, "not_refundable"), False),
        (answer(423), True),
        (answer(429, retry_after="1"), True),
        (answer(503, retry_after="1"), True),
        (answer(500), False),
        (answer(422, "insufficient_funds"), False),
        (answer(201), False),
    ],
)
def test_lost(given: Answer, asks_again: bool) -> None:
    assert lost(given) is asks_again


async def test_losers_come_again_until_they_have_their_answer() -> None:
    first = [answer(201), answer(409, "conflict", "0"), answer(503, retry_after="0")]
    again = [
        script(answer(500)),
        script(answer(409, "conflict", "0"), answer(422, "insufficient_funds")),
        script(answer(201)),
    ]
    settled = await follow_up(first, again)
    assert [one.status for one in settled] == [201, 422, 201]


async def test_a_failure_is_resolved_with_the_same_key() -> None:
    settled = await follow_up([answer(None)], [script(answer(201))])
    assert [one.status for one in settled] == [201]


async def test_who_is_put_off_for_too_long_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losers, "SETTLED", 0.3)
    with pytest.raises(Broken, match="after the race"):
        await follow_up([answer(409, "conflict")], [script(answer(409, "conflict"))])


async def test_the_last_answers_stand_when_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losers, "SETTLED", 0.3)
    first = [answer(503, retry_after="1"), answer(500), answer(409, "conflict")]
    again = [script(answer(409, "conflict")), script(answer(500)), script(answer(201))]
    assert [one.status for one in await sent_again(first, again)] == [409, 500, 201]


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (answer(201), ""),
        (answer(422, "insufficient_funds"), ""),
        (answer(503, retry_after="2"), ""),
        (answer(503, retry_after="Sun, 22 Nov 2026 02:00:00 GMT"), ""),
        (answer(409, "conflict"), ""),
        (answer(409, "already_reversed", "3"), ""),
        (answer(409, "conflict", "3"), "Retry-After 3; it is 2 at most"),
        (answer(503, retry_after="3"), "Retry-After 3; it is 2 at most"),
        (answer(503), "without Retry-After"),
        (answer(500, retry_after="1"), "gets its business answer"),
        (answer(504), "gets its business answer"),
        (answer(None), "gets its business answer"),
    ],
)
def test_how_a_loser_may_be_answered(given: Answer, wrong: str) -> None:
    said = unfair(given)
    assert wrong in said
    assert bool(said) is bool(wrong)


def test_a_failure_may_be_charged_to_others() -> None:
    with pytest.raises(Broken) as raised:
        unfailed([answer(500)], ["concurrency/x"])
    assert raised.value.unless == ("concurrency/x",)


def test_a_lost_race_is_no_failure() -> None:
    unfailed([answer(201), answer(409), answer(503, retry_after="1")])
    for failed in (answer(500), answer(502), answer(None)):
        with pytest.raises(Broken, match="loser of a race"):
            unfailed([answer(201), failed])


@pytest.mark.parametrize(
    ("given", "too_busy"),
    [
        (answer(503, "busy", "1"), True),
        (answer(503, "", "1"), True),
        (answer(503, "rate_unavailable", "1"), False),
        (answer(409, "conflict", "1"), False),
        (answer(429, "rate_limited", "1"), False),
        (answer(200), False),
    ],
)
def test_busy(given: Answer, too_busy: bool) -> None:
    assert busy(given) is too_busy


class _Busy:
    """A service that has no time for the first requests; how often it was asked of each path."""

    def __init__(self, times: int, headers: dict[str, str]) -> None:
        self.times = times
        self.headers = headers
        self.asked: Counter[str] = Counter()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked[request.path] += 1
        if self.asked[request.path] <= self.times:
            return web.Response(status=503, headers=self.headers)
        return web.json_response({"carried": request.headers.get("Authorization")})


@asynccontextmanager
async def _serving(service: _Busy) -> AsyncIterator[Connections]:
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", service.answer)
    async with TestServer(application) as server:
        connections = Connections([str(server.make_url("")).rstrip("/")])
        try:
            with recording(Recorder("x/y")):
                yield connections
        finally:
            await connections.close()


async def test_a_patient_caller_comes_again_as_it_is_told() -> None:
    service = _Busy(2, {"Retry-After": "0"})
    async with _serving(service) as connections:
        caller = PatientClient("alice", connections).carrying("tok").on(0)
        answers = [await caller.get("/a"), await caller.post("/b", {})]
    assert [answer.members for answer in answers] == [{"carried": "Bearer tok"}] * 2
    assert service.asked == {"/a": 3, "/b": 3}


async def test_nobody_comes_again_untold_and_others_not_at_all() -> None:
    service = _Busy(1, {})
    async with _serving(service) as connections:
        assert (await PatientClient("alice", connections).get("/a")).status == 503
    service = _Busy(1, {"Retry-After": "0"})
    async with _serving(service) as connections:
        assert (await Client("alice", connections).get("/a")).status == 503
    assert service.asked == {"/a": 1}
