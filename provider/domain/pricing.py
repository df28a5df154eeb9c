"""What does an order cost? Amounts are decimals as text. Usage is charged later, so it is not known here."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

CHARGES = ("one_time", "recurring")

Price = Mapping[str, Any]
_SHOWN = ("name", "price_type", "amount", "currency", "period", "period_length")
_ALIKE = ("price_type", "currency", "period", "period_length")


def price_line(prices: Iterable[Price], quantity: int) -> list[dict[str, Any]]:
    """What `quantity` pieces of an offering with these prices cost: a charge for each price that is due once or again.

    `unit_amount` is for one piece, `amount` for all.
    """
    return [
        {
            **{name: price[name] for name in _SHOWN},
            "unit_amount": price["amount"],
            "quantity": quantity,
            "amount": _text(Decimal(price["amount"]) * quantity),
        }
        for price in prices
        if price["price_type"] in CHARGES
    ]


def sum_charges(charges: Iterable[Price]) -> list[dict[str, Any]]:
    """One total for each type, period and currency: amounts of different currencies are never added."""
    totals: dict[tuple[Any, ...], Decimal] = {}
    for charge in charges:
        key = tuple(charge[name] for name in _ALIKE)
        totals[key] = totals.get(key, Decimal(0)) + Decimal(charge["amount"])
    found = [{**dict(zip(_ALIKE, key, strict=True)), "amount": _text(amount)} for key, amount in totals.items()]
    return sorted(found, key=lambda total: [str(total[name]) for name in _ALIKE])


def show_prices(prices: Sequence[Price]) -> list[dict[str, Any]]:
    """What a consumer is told of an offering's prices, where it is told them at all: nothing of our price list."""
    return [{name: price[name] for name in _SHOWN} for price in prices]


def _text(amount: Decimal) -> str:
    return format(amount, "f")
