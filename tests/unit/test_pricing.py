"""What an order costs: exact decimals, by type, period and currency."""

from typing import Any

from provider.domain.pricing import price_line, show_prices, sum_charges


def price(amount: str, price_type: str = "recurring", **changes: Any) -> dict[str, Any]:
    period = "month" if price_type == "recurring" else None
    row = {"id": "pop-1", "name": "Price", "price_type": price_type, "amount": amount, "currency": "EUR"}
    return {**row, "period": period, "period_length": 1 if period else None, **changes}


def test_a_line_costs_its_unit_prices_times_its_quantity_to_the_cent() -> None:
    charges = price_line([price("0.10"), price("490.00", "one_time")], 3)
    assert [(charge["unit_amount"], charge["quantity"], charge["amount"]) for charge in charges] == [
        ("0.10", 3, "0.30"),
        ("490.00", 3, "1470.00"),
    ]


def test_usage_is_not_priced_ahead() -> None:
    assert price_line([price("0.02", "usage")], 1000) == []


def test_totals_never_add_what_is_not_alike() -> None:
    charges = price_line([price("1.10"), price("2.20"), price("5", "one_time"), price("7", currency="USD")], 1)
    charges += price_line([price("12.00", period="year")], 1)
    totals = [(t["price_type"], t["currency"], t["period"], t["amount"]) for t in sum_charges(charges)]
    assert totals == [
        ("one_time", "EUR", None, "5"),
        ("recurring", "EUR", "month", "3.30"),
        ("recurring", "EUR", "year", "12.00"),
        ("recurring", "USD", "month", "7"),
    ]
    assert sum_charges([]) == []


def test_what_is_shown_has_no_internal_id() -> None:
    (shown,) = show_prices([price("1.00")])
    assert sorted(shown) == ["amount", "currency", "name", "period", "period_length", "price_type"]
