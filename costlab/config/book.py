"""The price book's shape: what nodes, GPU models and storage cost, and from when to when."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from math import inf
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, PlainValidator, Tag, model_validator
from pydantic_core import PydanticCustomError

from costlab.config.section import Number, Price, Section
from costlab.domain.time import Day, milliseconds

# How pydantic tells the two ways to write a model's price apart; neither is part of a fault's place.
TAGS = ("[dated]", "[price]")

Fault = tuple[tuple[str | int, ...], str]


def _edge(written: Any) -> date:
    """A date, or an instant that knows its offset; a local time alone would be two instants when clocks go back."""
    if isinstance(written, str):
        try:
            written = datetime.fromisoformat(written) if "T" in written else date.fromisoformat(written)
        except ValueError:
            written = None
    if not isinstance(written, date) or (isinstance(written, datetime) and written.tzinfo is None):
        raise PydanticCustomError(
            "edge", "must be a date such as 2026-11-22, or an instant such as 2026-11-22T14:30:00+01:00"
        )
    return written


Edge = Annotated[date, PlainValidator(_edge)]

_NO_WORD, _CAPITAL = re.compile(r"[^a-zA-Z0-9_]"), re.compile(r"([a-z0-9])([A-Z])")


class Validity(Section):
    """From `valid_from` to `valid_to`, exclusive; open where null. A date is its midnight in the lake's time zone."""

    valid_from: Edge | None = None
    valid_to: Edge | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        edges = self.valid_from, self.valid_to
        alike = len({isinstance(edge, datetime) for edge in edges}) == 1
        if self.valid_from and self.valid_to and alike and self.valid_to <= self.valid_from:
            raise PydanticCustomError("validity", "valid_to must be later than valid_from")
        return self

    def span_ms(self, timezone: str) -> tuple[float, float]:
        """The instants from and to which it holds, as epoch milliseconds; infinite where it is open."""
        begins = -inf if self.valid_from is None else _at_ms(self.valid_from, timezone)
        return begins, inf if self.valid_to is None else _at_ms(self.valid_to, timezone)

    def overlaps(self, other: "Validity") -> bool:
        """Whether there is an instant at which both hold; a date is compared with an instant as UTC's midnight."""
        (begins, ends), (other_begins, other_ends) = self.span_ms("UTC"), other.span_ms("UTC")
        return max(begins, other_begins) < min(ends, other_ends)

    def holds(self, at_ms: int, timezone: str) -> bool:
        """Whether it holds at an instant."""
        begins, ends = self.span_ms(timezone)
        return begins <= at_ms < ends


class Chosen(Validity):
    """Nodes that have all these labels and, where it is given, are known to be bought as this."""

    match: Mapping[str, str] = {}
    capacity_type: Literal["spot", "on-demand"] | None = None

    def chooses(self, labels: Mapping[str, str], capacity_type: str | None) -> bool:
        """Whether a node is one of them; one of an unknown capacity type is of none."""
        return matches(self.match, labels) and self.capacity_type in (None, capacity_type)


class NodeRule(Chosen):
    """These nodes cost this much an hour, with everything that is in them; `name` is for people."""

    match: Annotated[Mapping[str, str], Field(min_length=1)]
    hourly: Price
    name: Annotated[str, Field(min_length=1)] | None = None


class Discount(Chosen):
    """So many per cent off every price of these nodes; no label means all nodes."""

    percent: Annotated[Number, Field(ge=0, le=100)]


class ModelPrice(Validity):
    """A GPU of a model costs this much an hour."""

    hourly: Price


def _written(value: Any) -> str:
    return TAGS[not isinstance(value, (list, tuple))]


def _some(prices: tuple[ModelPrice, ...]) -> tuple[ModelPrice, ...]:
    """At least one; pydantic's own minimum would complain of a list whose items are at fault as well."""
    if not prices:
        raise PydanticCustomError("prices", "must not be empty")
    return prices


ModelPrices = Annotated[
    Annotated[tuple[ModelPrice, ...], AfterValidator(_some), Tag(TAGS[0])] | Annotated[Price, Tag(TAGS[1])],
    Discriminator(_written),
]


class PriceBook(Section):
    """Prices that are better known than the default rates; of rules that match, the first one counts."""

    nodes: tuple[NodeRule, ...] = ()
    gpu_models: Mapping[str, ModelPrices] = {}
    storage: Mapping[str, Price] = {}
    discounts: tuple[Discount, ...] = ()

    def model_prices(self, gpu_model: str) -> tuple[str, tuple[ModelPrice, ...]]:
        """A GPU model as the book spells it, and its prices; none when the book has none."""
        for name, prices in self.gpu_models.items():
            if plain_model(name) == plain_model(gpu_model):
                return name, _dated(prices)
        return gpu_model, ()


def plain_label(name: str) -> str:
    """A label's name as kube-state-metrics exposes it, without the prefix: both spellings find a node.

    What is no letter, digit or underscore becomes one, and so does a step from a small letter to a capital.

    >>> plain_label("node.kubernetes.io/instance-type") == plain_label(
    ...     "label_node_kubernetes_io_instance_type"
    ... )
    True
    >>> plain_label("eks.amazonaws.com/capacityType")
    'eks_amazonaws_com_capacity_type'
    """
    snake = _CAPITAL.sub(r"\1_\2", _NO_WORD.sub("_", name)).lower()
    return snake.removeprefix("label_")


def plain_model(name: str) -> str:
    """A GPU model as one spelling: the exporter writes spaces where the node's label has hyphens.

    >>> plain_model("NVIDIA A100-SXM4-80GB") == plain_model("NVIDIA-A100-SXM4-80GB")
    True
    """
    return name.replace("-", " ").replace("_", " ").casefold()


def matches(match: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a node has every label of a rule."""
    plain = {plain_label(name): value for name, value in labels.items()}
    return all(plain.get(plain_label(name)) == value for name, value in match.items())


def contradictions(book: PriceBook, timezone: str) -> list[Fault]:
    """Rules for the same nodes whose validities overlap or leave a gap, rules that never count, models named twice."""
    found: list[Fault] = []
    for name, rules in (("nodes", book.nodes), ("discounts", book.discounts)):
        found += _backwards((name,), rules, timezone)
        groups: dict[Any, list[int]] = {}
        for number, rule in enumerate(rules):
            groups.setdefault(_nodes_of(rule), []).append(number)
        for group in groups.values():
            found += _unlike(name, rules, group, timezone)
        told = {place for place, _ in found}
        found += [fault for fault in _shadowed(name, rules, timezone) if fault[0] not in told]
    models: dict[str, str] = {}
    for model, written in book.gpu_models.items():
        place, prices = ("gpu_models", model), _dated(written)
        other = models.setdefault(plain_model(model), model)
        if other != model:
            found.append((place, f"is the same model as {other!r}"))
        found += _backwards(place, prices, timezone)
        for earlier, later in _in_turn(prices, range(len(prices)), timezone):
            if text := _seam(prices[earlier], prices[later], timezone, with_gaps=True):
                found.append(((*place, later), text.format(f"[{earlier}]", "same model")))
    return found


def _at_ms(edge: date, timezone: str) -> int:
    return milliseconds(edge) if isinstance(edge, datetime) else Day(edge, timezone).window.start_ms


def _dated(prices: tuple[ModelPrice, ...] | float) -> tuple[ModelPrice, ...]:
    return prices if isinstance(prices, tuple) else (ModelPrice(hourly=prices),)


def _nodes_of(rule: Chosen) -> tuple[frozenset[tuple[str, str]], str | None]:
    return _labels_of(rule), rule.capacity_type


def _labels_of(rule: Chosen) -> frozenset[tuple[str, str]]:
    return frozenset((plain_label(name), value) for name, value in rule.match.items())


def _backwards(place: tuple[str | int, ...], rules: Sequence[Validity], timezone: str) -> Iterator[Fault]:
    """Rules that end before they begin: pydantic sees it of two dates, and not of a date and an instant."""
    for number, rule in enumerate(rules):
        begins, ends = rule.span_ms(timezone)
        if ends <= begins:
            yield (*place, number), "valid_to must be later than valid_from"


def _unlike(name: str, rules: Sequence[Chosen], group: Sequence[int], timezone: str) -> Iterator[Fault]:
    """Overlaps and gaps between rules for the same nodes; of discounts a gap is a time without one."""
    for earlier, later in _in_turn(rules, group, timezone):
        if text := _seam(rules[earlier], rules[later], timezone, with_gaps=name == "nodes"):
            yield (name, later), text.format(f"{name}[{earlier}]", "same match")


def _in_turn(rules: Sequence[Validity], numbers: Sequence[int], timezone: str) -> Iterator[tuple[int, int]]:
    """Numbers of rules, each with that of the next one in time."""
    yield from pairwise(sorted(numbers, key=lambda number: (rules[number].span_ms(timezone)[0], number)))


def _seam(earlier: Validity, later: Validity, timezone: str, *, with_gaps: bool) -> str | None:
    """What is wrong between one validity and the next; braces for the earlier rule, and for what they have in common."""
    until, since = earlier.span_ms(timezone)[1], later.span_ms(timezone)[0]
    if until > since:
        return "overlaps in validity with {}: {}"
    if until < since and with_gaps:
        return f"leaves no price from {earlier.valid_to} to {later.valid_from}: {{1}}"
    return None


def _shadowed(name: str, rules: Sequence[Chosen], timezone: str) -> Iterator[Fault]:
    """Rules that can never count: at any time that they hold, an earlier one has taken all of their nodes."""
    for number, rule in enumerate(rules):
        left = [rule.span_ms(timezone)]
        before = [
            earlier for earlier in range(number)
            if _labels_of(rules[earlier]) <= _labels_of(rule)
            and rules[earlier].capacity_type in (None, rule.capacity_type)
        ]  # fmt: skip
        for earlier in before:
            begins, ends = rules[earlier].span_ms(timezone)
            parts = [
                part for low, high in left for part in ((low, min(high, begins)), (max(low, ends), high))
            ]
            left = [(low, high) for low, high in parts if low < high]
        if not left:
            taken = " and ".join(f"{name}[{earlier}]" for earlier in before)
            yield (name, number), f"never counts: {taken} before it has all of its nodes"
