"""Says whether an order's card number and price are good."""

import os
from decimal import Decimal, InvalidOperation

SMALLEST_PRICE = Decimal(os.environ.get("SMALLEST_PRICE", "0"))


def problems(order):
    """What is wrong with an order, as a list of sentences."""
    found = []
    digits = order["Card"].replace(" ", "")
    if not (digits.isdigit() and len(digits) == 16):
        found.append("a card number has 16 digits")
    if Decimal(order["Price"]) <= SMALLEST_PRICE:
        found.append("the price must be more than %s" % SMALLEST_PRICE)
    return found


def handler(order, context):
    try:
        found = problems(order)
    except InvalidOperation:
        raise ValueError("the price is no number: %r" % order["Price"]) from None
    print("order %s: %s" % (order["OrderId"], "; ".join(found) or "good"))
    return {"OrderId": order["OrderId"], "Status": 0 if found else 1, "Problems": found}
