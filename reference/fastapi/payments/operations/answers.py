"""How the end of an operation is answered to the client that asked for it."""

from payments.idempotency.service import Answer
from payments.kit.problems import Problem
from payments.operations.models import Operation, OperationStatus
from payments.payments.schemas import PaymentOut
from payments.psp.protocol import OperationType
from payments.refunds.schemas import RefundOut

_DECLINED = {
    OperationType.AUTHORISATION: "card_declined",
    OperationType.SALE: "card_declined",
    OperationType.CAPTURE: "capture_declined",
    OperationType.VOID: "void_declined",
    OperationType.REFUND: "refund_declined",
}


def answer_about(operation: Operation) -> Answer:
    """201 for what was made, 200 for what was changed, 202 for what nobody knows, 402 for a no."""
    if operation.status == OperationStatus.FAILED:
        return Answer(402, _refusal(operation).body())
    status = 202 if operation.is_open else _status_of_success(operation)
    shown = (
        RefundOut.of(operation.refund)
        if operation.refund is not None
        else PaymentOut.of(operation.payment)
    )
    return Answer(status, shown.model_dump_json())


def _status_of_success(operation: Operation) -> int:
    changes = (OperationType.CAPTURE, OperationType.VOID)
    return 200 if operation.type in changes else 201


def _refusal(operation: Operation) -> Problem:
    members: dict[str, object] = {"payment": operation.payment_id}
    if operation.refund_id is not None:
        members["refund"] = operation.refund_id
    code = _DECLINED[OperationType(operation.type)]
    return Problem(402, code, "The card processor declined.", members=members)
