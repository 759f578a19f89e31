"""Where a session stands is told from the frames of both directions alone."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.testbed.sql.conversation import Conversation
from checks.testbed.sql.frames import Got, Sent
from checks.testbed.sql.tally import Tally


def conversation() -> Conversation:
    made = Conversation(Tally(0.0), 1)
    made.received(Got.KEY, struct.pack("!II", 4711, 1))
    made.received(Got.READY, b"I")
    return made


@pytest.mark.asyncio
async def test_a_session_is_idle_when_all_is_answered_outside_a_transaction() -> None:
    session = conversation()
    assert session.pid == 4711
    assert session.idle
    session.sent(Sent.QUERY, b"BEGIN\0")
    assert not session.answered
    session.received(Got.COMPLETE, b"BEGIN\0")
    session.received(Got.READY, b"T")
    assert session.answered
    assert not session.idle


@pytest.mark.asyncio
async def test_an_error_skips_to_the_next_sync_and_no_further() -> None:
    session = conversation()
    for name in (b"a", b"b"):
        session.sent(Sent.PARSE, name + b"\0SELECT 1\0\0\0")
        session.sent(Sent.BIND, b"\0" + name + b"\0\0\0\0\0\0\0")
        session.sent(Sent.EXECUTE, b"\0\0\0\0\0")
        session.sent(Sent.SYNC, b"")
    session.received(Got.ERROR, b"")
    assert not session.skipping, "its Sync has been sent"
    session.received(Got.READY, b"I")
    assert not session.answered, "the second is still to be answered"
    session.received(Got.COMPLETE, b"SELECT 1\0")
    session.received(Got.READY, b"I")
    assert session.idle


@pytest.mark.asyncio
async def test_an_error_before_a_sync_makes_the_server_ignore_what_follows() -> None:
    session = conversation()
    session.sent(Sent.PARSE, b"\0SELECT 1\0\0\0")
    session.sent(Sent.EXECUTE, b"\0\0\0\0\0")
    session.received(Got.ERROR, b"")
    assert session.skipping
    session.sent(Sent.EXECUTE, b"\0\0\0\0\0")
    session.sent(Sent.SYNC, b"")
    assert not session.skipping
    session.received(Got.READY, b"I")
    assert session.idle


@pytest.mark.asyncio
async def test_names_are_remembered_within_bounds() -> None:
    session = conversation()
    for number in range(6_000):
        session.sent(Sent.PARSE, b"s%d\0SELECT %d\0\0\0" % (number, number))
        session.sent(Sent.BIND, b"p%d\0s%d\0\0\0\0\0\0\0" % (number, number))
    assert len(session._prepared) == len(session._portals) == 5_000
    assert session.portal(b"p5999").prepared.text == "SELECT 5999"
    assert session.portal(b"p1").prepared.text == ""


FRAME = st.tuples(
    st.booleans(), st.sampled_from([*Sent]), st.sampled_from([*Got]), st.binary(max_size=40)
)


@given(st.lists(FRAME, max_size=60))
@pytest.mark.asyncio
async def test_any_frames_in_any_order_are_borne(
    frames: list[tuple[bool, Sent, Got, bytes]],
) -> None:
    session = conversation()
    for ours, sent, got, payload in frames:
        if ours:
            session.sent(sent, payload)
        else:
            session.received(got, payload)


@pytest.mark.asyncio
async def test_a_transaction_lasts_from_its_first_statement_to_its_end() -> None:
    session = conversation()
    assert session.since is None
    session.sent(Sent.QUERY, b"BEGIN\0")
    began = session.since
    assert began is not None
    session.received(Got.COMPLETE, b"BEGIN\0")
    session.received(Got.READY, b"T")
    session.sent(Sent.QUERY, b"SELECT 1\0")
    session.received(Got.COMPLETE, b"SELECT 1\0")
    session.received(Got.READY, b"T")
    assert session.since == began
    session.sent(Sent.QUERY, b"COMMIT\0")
    session.received(Got.COMPLETE, b"COMMIT\0")
    session.received(Got.READY, b"I")
    assert session.since is None
    assert session.tally.count.transactions == 1
    assert 0 < session.tally.count.seconds < 10


@pytest.mark.asyncio
async def test_what_was_sent_ahead_is_a_transaction_of_its_own() -> None:
    session = conversation()
    for _ in range(2):
        session.sent(Sent.QUERY, b"SELECT 1\0")
    first = session.since
    session.received(Got.COMPLETE, b"SELECT 1\0")
    session.received(Got.READY, b"I")
    assert first is not None
    assert session.since is not None
    assert session.since >= first
    session.received(Got.COMPLETE, b"SELECT 1\0")
    session.received(Got.READY, b"I")
    assert session.since is None
    assert session.tally.count.transactions == 2
