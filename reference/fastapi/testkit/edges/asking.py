"""Using an operation in a scene, well or not, and how a refusal has to look."""

import hashlib
import hmac
import time

import httpx

from testkit.api import Caller, new_key
from testkit.edges import wrong
from testkit.edges.document import JSON, Operation
from testkit.edges.scene import Scene
from testkit.notices import SECRETS


async def send(
    scene: Scene,
    operation: Operation,
    *,
    by: Caller | None = None,
    path: str | None = None,
    content: bytes | None = None,
    headers: dict[str, str | bytes] | None = None,
    query: dict[str, str] | None = None,
) -> httpx.Response:
    """Use an operation, well unless something is given; a header that is empty is left out."""
    use = operation.use
    if content is None and operation.schema is not None:
        content = wrong.encoded(use.filled(scene.mine))
    sent: dict[str, str | bytes] = {"Content-Type": JSON} if content is not None else {}
    if use.party:
        sent["Webhook-Signature"] = signature(SECRETS[use.party], content or b"")
    sent |= {"Idempotency-Key": new_key()} if "Idempotency-Key" in operation.parameters else {}
    sent |= {"If-Match": '"1"'} if "If-Match" in operation.parameters else {}
    answer = await (by or scene.callers[use.by]).send(
        operation.method,
        path or use.path(operation.template, scene.mine),
        content=content,
        headers={name: value for name, value in (sent | (headers or {})).items() if value},
        params=query,
    )
    assert answer.status_code < 500, (operation.id, answer.text)
    return answer


def signature(secret: str, body: bytes, at: float | None = None) -> str:
    """What a party signs a notice with; ``at`` is in seconds since 1970."""
    moment = str(int(time.time() if at is None else at))
    mac = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={mac}"


def refused(answer: httpx.Response, statuses: set[int], what: object) -> None:
    """See that it was refused with one of those, as a problem, and that no card is repeated."""
    assert answer.status_code in statuses, (what, answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json", what
    assert answer.json()["status"] == answer.status_code, what
    assert wrong.CARD not in answer.text, what
