"""Fixed fees: what is paid by the hour whatever runs. docs/methods.md, "Beside nodes"."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from costlab.config.charging import Prices
from costlab.domain.time import HOUR_MS, Day
from costlab.domain.units import MICRO


def fee_charges(prices: Prices, cluster: str, day: Day) -> Iterator[dict[str, Any]]:
    """A charge for each fee that the cluster has on the day: of its 23, 24 or 25 hours, rounded once.

    A fee of one name at several prices, one after the other, is one charge, also where the price changes within the day.
    """
    hours: dict[str, Decimal] = defaultdict(Decimal)
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for fee in prices.fees:
        begins, ends = fee.span_ms(day.timezone)
        lasts_ms = min(ends, day.window.end_ms) - max(begins, day.window.start_ms)
        if fee.cluster in (None, cluster) and lasts_ms > 0:
            hours[fee.name] += Decimal(lasts_ms) / HOUR_MS
            # By the decimal number that the configuration writes: 0.1 is a tenth.
            amounts[fee.name] += Decimal(repr(fee.hourly)) * Decimal(lasts_ms) / HOUR_MS
    for name, amount in amounts.items():
        yield {
            "kind": "fee", "resource": "fee", "item": name, "unit": "hour", "billed_quantity": float(hours[name]),
            "unit_price": float(amount / hours[name]), "cost": int((amount * MICRO).to_integral_value(ROUND_HALF_EVEN)),
        }  # fmt: skip
