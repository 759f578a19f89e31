"""What may be believed of the PSP's replies."""

from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from payments.kit.money import minor_units
from payments.kit.outbound import Reply
from payments.psp.protocol import Ambiguous, Declined, Instruction, NotDone, Outcome, Succeeded

REFUSALS = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
)

DEFAULT_RETRY_SECONDS = 1.0

Word = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$", strict=True)
]


class PspOperation(BaseModel):
    """An operation as the PSP tells it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    id: Word
    type: Word
    authorisation: Word
    status: Literal["succeeded", "declined"]
    amount: Word
    currency: Word
    reference: Word
    reason: Word | None = None


class PspError(BaseModel):
    """A refusal as the PSP tells it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    error: Word


def of_post(instruction: Instruction, reply: Reply) -> Outcome:
    """What a reply to an instruction says."""
    if reply.status in (HTTPStatus.CREATED, HTTPStatus.OK):
        return _of_operation(instruction, reply.body)
    if reply.status in REFUSALS:
        return _of_refusal(reply)
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return NotDone(reply.retry_after or DEFAULT_RETRY_SECONDS)
    return Ambiguous(f"status {reply.status}", reply.retry_after)


def of_look_up(instruction: Instruction, reply: Reply) -> Outcome | None:
    """What a reply to a look-up says; None if the PSP does not know the operation (yet)."""
    if reply.status == HTTPStatus.OK:
        return _of_operation(instruction, reply.body)
    if reply.status == HTTPStatus.NOT_FOUND and isinstance(_of_refusal(reply), Declined):
        return None
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        return NotDone(reply.retry_after or DEFAULT_RETRY_SECONDS)
    return Ambiguous(f"status {reply.status}", reply.retry_after)


def _of_operation(instruction: Instruction, body: bytes) -> Outcome:
    """Believe an operation only if it is the one that was asked for, to the penny."""
    try:
        told = PspOperation.model_validate_json(body)
    except ValidationError:
        return Ambiguous("unreadable operation")
    if not _matches(instruction, told):
        return Ambiguous("another operation than was asked for")
    if told.status == "declined":
        return Declined(told.reason or "declined")
    return Succeeded(told.authorisation)


def _matches(instruction: Instruction, told: PspOperation) -> bool:
    try:
        amount = minor_units(told.amount, instruction.currency)
    except ValueError:
        return False
    return (
        told.reference == instruction.key
        and told.type == instruction.type.value
        and told.currency == instruction.currency
        and amount == instruction.amount
        and instruction.authorisation in (None, told.authorisation)
    )


def _of_refusal(reply: Reply) -> Outcome:
    """A definite refusal says why; one that does not may come from somebody in between."""
    try:
        return Declined(PspError.model_validate_json(reply.body).error)
    except ValidationError:
        return Ambiguous(f"unreadable refusal, status {reply.status}")
