"""What a node's cores, memory and GPUs cost while their prices hold. docs/methods.md, "Nodes"."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

import orjson

from costlab.config.book import Discount, NodeRule, PriceBook, matches, plain_model
from costlab.config.settings import Prices
from costlab.domain.time import Day, Window

# The shipped rates: they share an hourly price out where the configured ones cannot.
SHIPPED_RATES = Prices()

Capacity = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """Currency per core-hour, GiB-hour and physical GPU-hour; a GPU price of None is not known."""

    cpu: float
    memory: float
    gpu: float | None
    source: str


@dataclass(frozen=True, slots=True)
class PricedWindow:
    """Unit prices that hold for start_ms <= t < end_ms; `capacity_type` is what the rule says of its nodes."""

    start_ms: int
    end_ms: int
    prices: UnitPrices
    capacity_type: str | None = None


def node_prices(
    capacity: Capacity,
    gpu_model: str | None,
    labels: Mapping[str, str],
    prices: Prices,
    book: PriceBook,
    window: Window,
    timezone: str,
) -> list[PricedWindow]:
    """Unit prices of a node over a window, cut where a validity of the book begins or ends.

    capacity: (cores, GiB, physical GPUs), None = not known. The first rule of the book that matches `labels` counts:
    its hourly price is shared out in the ratio of the default rates, so that cores × cpu + GiB × memory + GPUs × gpu
    is the hourly price. Without a rule the GPU's price is that of its model, else the default; so is a node whose
    capacity is not known, since its hourly price cannot be shared out. A discount comes off last.
    """
    rules = [(number, rule) for number, rule in enumerate(book.nodes) if matches(rule.match, labels)]
    discounts = [discount for discount in book.discounts if matches(discount.match, labels)]
    priced: list[PricedWindow] = []
    for start_ms, end_ms in _stretches(window, [*(rule for _, rule in rules), *discounts], timezone):
        rule = next(((n, r) for n, r in rules if _holds(r, start_ms, timezone)), None)
        unit = _shared_out(rule, capacity, prices) if rule else None
        unit = unit or _rates(gpu_model, prices, book)
        off = next((d.percent for d in discounts if _holds(d, start_ms, timezone)), 0.0)
        now = PricedWindow(start_ms, end_ms, _reduced(unit, off), rule[1].capacity_type if rule else None)
        last = priced[-1] if priced else None
        if last and (last.prices, last.capacity_type) == (now.prices, now.capacity_type):
            priced[-1] = PricedWindow(last.start_ms, end_ms, now.prices, now.capacity_type)
        else:
            priced.append(now)
    return priced


def prices_hash(prices: Prices, book: PriceBook) -> str:
    """SHA-256 of everything that sets a price; where the book lies does not matter."""
    content = {
        "prices": prices.model_dump(mode="json", exclude={"book"}),
        "book": book.model_dump(mode="json"),
    }
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _stretches(
    window: Window, dated: Iterable[NodeRule | Discount], timezone: str
) -> Iterable[tuple[int, int]]:
    if not window.duration_ms:
        return ()
    dates = {day for rule in dated for day in (rule.valid_from, rule.valid_to) if day}
    cuts = {Day(day, timezone).window.start_ms for day in dates}
    inside = sorted(cut for cut in cuts if window.start_ms < cut < window.end_ms)
    return pairwise([window.start_ms, *inside, window.end_ms])


def _holds(rule: NodeRule | Discount, at_ms: int, timezone: str) -> bool:
    begun = rule.valid_from is None or Day(rule.valid_from, timezone).window.start_ms <= at_ms
    over = rule.valid_to is not None and Day(rule.valid_to, timezone).window.start_ms <= at_ms
    return begun and not over


def _shared_out(rule: tuple[int, NodeRule], capacity: Capacity, prices: Prices) -> UnitPrices | None:
    """The hourly price over the node's capacity; None where the capacity is not known, or nothing."""
    cores, gib, gpus = capacity
    if cores is None or gib is None or gpus is None:
        return None
    for rates in (prices, SHIPPED_RATES):
        if gpus and rates.gpu_hour is None:
            continue
        gpu_rate = rates.gpu_hour or 0.0
        total = cores * rates.cpu_core_hour + gib * rates.memory_gib_hour + gpus * gpu_rate
        if total > 0:
            factor = rule[1].hourly / total
            gpu = None if rates.gpu_hour is None else gpu_rate * factor
            source = f"price book, nodes[{rule[0]}]"
            return UnitPrices(rates.cpu_core_hour * factor, rates.memory_gib_hour * factor, gpu, source)
    return None


def _rates(gpu_model: str | None, prices: Prices, book: PriceBook) -> UnitPrices:
    by_model = {plain_model(model): price for model, price in book.gpu_models.items()}
    gpu = by_model.get(plain_model(gpu_model)) if gpu_model else None
    if gpu is not None:
        return UnitPrices(prices.cpu_core_hour, prices.memory_gib_hour, gpu, "price book, GPU model")
    return UnitPrices(prices.cpu_core_hour, prices.memory_gib_hour, prices.gpu_hour, "default rates")


def _reduced(unit: UnitPrices, percent: float) -> UnitPrices:
    if not percent:
        return unit
    left = 1 - percent / 100
    gpu = None if unit.gpu is None else unit.gpu * left
    return UnitPrices(unit.cpu * left, unit.memory * left, gpu, f"{unit.source}, less {percent:g} %")
