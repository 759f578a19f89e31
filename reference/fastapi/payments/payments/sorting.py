"""How lists of payments can be sorted: these ways, and no other."""

from enum import StrEnum

from payments.kit.pagination import Order
from payments.payments.models import Payment


class PaymentSort(StrEnum):
    """The values of ``sort``; a leading hyphen means descending."""

    OLDEST = "created_at"
    NEWEST = "-created_at"
    SMALLEST = "amount"
    LARGEST = "-amount"


_ORDERS = {
    PaymentSort.OLDEST: Order((Payment.created_at, Payment.id), descending=False),
    PaymentSort.NEWEST: Order((Payment.created_at, Payment.id), descending=True),
    PaymentSort.SMALLEST: Order((Payment.amount, Payment.id), descending=False),
    PaymentSort.LARGEST: Order((Payment.amount, Payment.id), descending=True),
}


def order_of(sort: PaymentSort) -> Order:
    """The columns that a sort stands for; nothing that a client sends becomes SQL."""
    return _ORDERS[sort]
