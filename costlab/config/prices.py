"""What a node's cores, memory and GPUs cost while their prices hold. docs/methods.md, "Nodes"."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise

import orjson

from costlab.config.book import NodeRule, PriceBook, Validity
from costlab.config.charging import Prices
from costlab.domain.time import Window

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
    """Unit prices that hold for start_ms <= t < end_ms."""

    start_ms: int
    end_ms: int
    prices: UnitPrices


@dataclass(frozen=True, slots=True)
class Billed:
    """What a node cost an hour for start_ms <= t < end_ms, by a bill that is over that time; `source` names it."""

    start_ms: int
    end_ms: int
    hourly: float
    source: str

    def holds(self, at_ms: int) -> bool:
        """Whether the bill is over an instant."""
        return self.start_ms <= at_ms < self.end_ms


@dataclass(frozen=True, slots=True)
class NodeKind:
    """What of a node sets its price. capacity: (cores, GiB, physical GPUs), None = not known."""

    capacity: Capacity
    gpu_model: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    capacity_type: str | None = None


def node_prices(
    node: NodeKind,
    prices: Prices,
    book: PriceBook,
    window: Window,
    timezone: str,
    billed: Billed | None = None,
) -> list[PricedWindow]:
    """Unit prices of a node over a window, cut where a validity of the book, or the bill, begins or ends.

    A bill counts before everything else, as it is what was paid; then the first rule of the book that chooses the node. Either's hourly price is shared out in the ratio of
    the default rates, so that cores × cpu + GiB × memory + GPUs × gpu is the hourly price. Without them the GPU's price
    is that of its model, else the default; so is a node whose capacity is not known, since its hourly price cannot be
    shared out. A discount comes off last, and not off a bill, which has it.
    """
    about = node.labels, node.capacity_type
    rules = [(number, rule) for number, rule in enumerate(book.nodes) if rule.chooses(*about)]
    discounts = [discount for discount in book.discounts if discount.chooses(*about)]
    model = book.model_prices(node.gpu_model) if node.gpu_model else ("", ())
    dated = [*(rule for _, rule in rules), *discounts, *model[1]]
    priced: list[PricedWindow] = []
    for start_ms, end_ms in _stretches(window, dated, billed, timezone):
        unit = None
        if billed is not None and billed.holds(start_ms):
            unit = _shared_out(billed.hourly, billed.source, node.capacity, prices)
        if unit is None:
            rule = next(((n, r) for n, r in rules if r.holds(start_ms, timezone)), None)
            unit = _shared_out(rule[1].hourly, _named(*rule), node.capacity, prices) if rule else None
            by_model = next((m.hourly for m in model[1] if m.holds(start_ms, timezone)), None)
            unit = unit or _rates(node.capacity, model[0], by_model, prices)
            off = next((d.percent for d in discounts if d.holds(start_ms, timezone)), 0.0)
            unit = _reduced(unit, off)
        if priced and priced[-1].prices == unit:
            priced[-1] = PricedWindow(priced[-1].start_ms, end_ms, unit)
        else:
            priced.append(PricedWindow(start_ms, end_ms, unit))
    return priced


def prices_hash(prices: Prices, book: PriceBook) -> str:
    """SHA-256 of everything that sets a price; where the book lies does not matter."""
    content = {
        "prices": prices.model_dump(mode="json", exclude={"book"}),
        "book": book.model_dump(mode="json"),
    }
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _stretches(
    window: Window, dated: Iterable[Validity], billed: Billed | None, timezone: str
) -> Iterable[tuple[int, int]]:
    if not window.duration_ms:
        return ()
    cuts = {edge for rule in dated for edge in rule.span_ms(timezone)}
    if billed is not None:
        cuts |= {billed.start_ms, billed.end_ms}
    inside = sorted(int(cut) for cut in cuts if window.start_ms < cut < window.end_ms)
    return pairwise([window.start_ms, *inside, window.end_ms])


def _named(number: int, rule: NodeRule) -> str:
    return f"price book, nodes[{number}]" + (f" ({rule.name})" if rule.name else "")


def _shared_out(hourly: float, source: str, capacity: Capacity, prices: Prices) -> UnitPrices | None:
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
            factor = hourly / total
            gpu = None if rates.gpu_hour is None else gpu_rate * factor
            return UnitPrices(rates.cpu_core_hour * factor, rates.memory_gib_hour * factor, gpu, source)
    return None


def _rates(capacity: Capacity, model: str, by_model: float | None, prices: Prices) -> UnitPrices:
    """The default rates, with the GPU's price by its model where there is one."""
    gpu, source = prices.gpu_hour, "default rates"
    if by_model is not None:
        gpu, source = by_model, f"gpu: price book, gpu_models ({model}); cpu, memory: default rates"
    elif gpu is None and capacity[2]:
        source = "gpu: no price; cpu, memory: default rates"
    return UnitPrices(prices.cpu_core_hour, prices.memory_gib_hour, gpu, source)


def _reduced(unit: UnitPrices, percent: float) -> UnitPrices:
    if not percent:
        return unit
    left = 1 - percent / 100
    gpu = None if unit.gpu is None else unit.gpu * left
    return UnitPrices(unit.cpu * left, unit.memory * left, gpu, f"{unit.source}, less {percent:g} %")
