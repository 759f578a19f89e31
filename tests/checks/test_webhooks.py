"""Signatures are read as Standard Webhooks has them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

import pytest

from checks.evidence import JournalEntry
from checks.verdicts import Broken
from checks.webhooks import Call, key_of

#: The example that the specification's libraries share.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def entry(headers: Mapping[str, str], body: str = BODY, method: str = "POST") -> JournalEntry:
    return JournalEntry(
        at=time.monotonic(),
        simulator="receiver",
        method=method,
        path="/hooks",
        key=None,
        body=body,
        fault=None,
        effect=True,
        status=204,
        answer="",
        headers=tuple(headers.items()),
    )


def signed(*secrets: str, at: int | None = None, body: str = BODY) -> dict[str, str]:
    moment = int(time.time()) if at is None else at
    text = f"{ID}.{moment}.{body}".encode()
    macs = [
        hmac.digest(base64.b64decode(one.removeprefix("whsec_")), text, hashlib.sha256)
        for one in secrets
    ]
    signature = " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)
    return {"webhook-id": ID, "webhook-timestamp": str(moment), "webhook-signature": signature}


def test_the_specifications_example_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: AT + 1.0)
    headers = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": SIGNATURE}
    call = Call.of(entry(headers))
    call.expect_signed([SECRET])
    assert (call.id, call.timestamp, call.told) == (ID, AT, {"test": 2432232314})
    assert call.taken


def test_each_secret_signs_in_any_order() -> None:
    Call.of(entry(signed(SECRET, OTHER))).expect_signed([OTHER, SECRET])


def test_a_secret_may_sign_besides() -> None:
    Call.of(entry(signed(SECRET))).expect_signed([SECRET], perhaps=[OTHER])
    Call.of(entry(signed(SECRET, OTHER))).expect_signed([SECRET], perhaps=[OTHER])
    with pytest.raises(Broken):
        Call.of(entry(signed(OTHER))).expect_signed([SECRET], perhaps=[OTHER])


@pytest.mark.parametrize(
    ("headers", "body", "secrets"),
    [
        (signed(SECRET), BODY, [OTHER]),
        (signed(SECRET), BODY, [SECRET, OTHER]),
        (signed(SECRET, OTHER), BODY, [SECRET]),
        (signed(SECRET, SECRET), BODY, [SECRET]),
        (signed(SECRET), BODY.replace(" ", ""), [SECRET]),
        (signed(SECRET) | {"webhook-id": "msg_2"}, BODY, [SECRET]),
        (signed(SECRET) | {"webhook-signature": SIGNATURE.removeprefix("v1,")}, BODY, [SECRET]),
    ],
)
def test_a_signature_that_is_wrong(headers: dict[str, str], body: str, secrets: list[str]) -> None:
    with pytest.raises(Broken, match="carries the signatures"):
        Call.of(entry(headers, body)).expect_signed(secrets)


@pytest.mark.parametrize("late", [-3600, 3600])
def test_a_time_that_is_not_the_attempts(late: int) -> None:
    headers = signed(SECRET, at=int(time.time()) + late)
    with pytest.raises(Broken, match="arrived at"):
        Call.of(entry(headers)).expect_signed([SECRET])


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_missing(name: str) -> None:
    headers = signed(SECRET)
    del headers[name]
    with pytest.raises(Broken, match=name):
        Call.of(entry(headers))


def test_what_is_no_call() -> None:
    with pytest.raises(Broken, match="GET"):
        Call.of(entry(signed(SECRET), method="GET"))
    with pytest.raises(Broken, match="soon"):
        Call.of(entry(signed(SECRET) | {"webhook-timestamp": "soon"}))
    for body in ("", "[1]", "{"):
        with pytest.raises(Broken, match="no JSON object"):
            _ = Call.of(entry(signed(SECRET, body=body), body)).told


@pytest.mark.parametrize(
    "secret",
    [
        SECRET.removeprefix("whsec_"),
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_not base64",
    ],
)
def test_what_is_no_secret(secret: str) -> None:
    with pytest.raises(Broken):
        key_of(secret)
