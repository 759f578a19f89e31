"""What the PSP tells unasked (contract 9.11)."""

import json
from http import HTTPStatus
from typing import Literal

from pydantic import BaseModel, ConfigDict

from payments.kit.outbound import Reply
from payments.psp import replies
from payments.psp.protocol import Declined, Instruction, Succeeded
from payments.psp.replies import Word

EXPIRY = "expiry"


class PspNews(BaseModel):
    """An operation, or an authorisation that has run out, as a notice tells it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    id: Word
    type: Literal["authorisation", "sale", "capture", "void", "refund", "expiry"]
    authorisation: Word
    status: Literal["succeeded", "declined"]
    amount: Word
    currency: Word
    reference: Word
    reason: Word | None = None

    def about(self, instruction: Instruction) -> Succeeded | Declined | None:
        """What it says about an instruction; None if it is about anything else."""
        told = Reply(HTTPStatus.OK, json.dumps(self.model_dump()).encode())
        outcome = replies.of_look_up(instruction, told)
        return outcome if isinstance(outcome, Succeeded | Declined) else None

    def ends(self, instruction: Instruction) -> bool:
        """Whether it says that the authorisation which was asked for has run out."""
        first = self.model_copy(update={"type": instruction.type.value})
        return isinstance(first.about(instruction), Succeeded)


class PspNotice(BaseModel):
    """A notice of the PSP's."""

    model_config = ConfigDict(hide_input_in_errors=True)

    id: Word
    operation: PspNews
