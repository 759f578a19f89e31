"""The whole machine."""

from testkit.model.rules.cards import Cards
from testkit.model.rules.movements import Movements
from testkit.model.rules.payouts import Payouts
from testkit.model.rules.quotes import Quotes


class Machine(Movements, Cards, Quotes, Payouts):
    """The service and the model, side by side."""
