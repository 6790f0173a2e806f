"""The price book's shape: what nodes, GPU models and storage cost, and from when to when."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from costlab.config.section import Number, Price, Section


class Validity(Section):
    """From midnight of `valid_from` to midnight of `valid_to` in the lake's time zone; open where null."""

    valid_from: date | None = None
    valid_to: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise PydanticCustomError("validity", "valid_to must be later than valid_from")
        return self


class NodeRule(Validity):
    """Nodes that have all these labels cost this much an hour, with everything that is in them."""

    match: Annotated[dict[str, str], Field(min_length=1)]
    hourly: Price
    capacity_type: Literal["spot", "on-demand"] | None = None


class Discount(Validity):
    """So many per cent off every price of the nodes that have all these labels; no label means all nodes."""

    match: Mapping[str, str] = {}
    percent: Annotated[Number, Field(ge=0, le=100)]


class PriceBook(Section):
    """Prices that are better known than the default rates; of rules that match, the first one counts."""

    nodes: tuple[NodeRule, ...] = ()
    gpu_models: Mapping[str, Price] = {}
    storage: Mapping[str, Price] = {}
    discounts: tuple[Discount, ...] = ()


def plain_label(name: str) -> str:
    """A label's name as kube-state-metrics exposes it, without the prefix: both spellings find a node.

    >>> plain_label("node.kubernetes.io/instance-type") == plain_label(
    ...     "label_node_kubernetes_io_instance_type"
    ... )
    True
    """
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in name).removeprefix("label_")


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


def contradictions(book: PriceBook) -> list[tuple[tuple[str | int, ...], str]]:
    """Rules for the same nodes whose validities overlap or leave a gap, and models that are named twice."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    for name, rules in (("nodes", book.nodes), ("discounts", book.discounts)):
        for earlier, later in _neighbours(rules):
            until, since = rules[earlier].valid_to or date.max, rules[later].valid_from or date.min
            if until > since:
                found.append(((name, later), f"overlaps in validity with {name}[{earlier}]: same match"))
            elif until < since and name == "nodes":
                found.append(((name, later), f"leaves no price from {until} to {since}: same match"))
    models: dict[str, str] = {}
    for model in book.gpu_models:
        other = models.setdefault(plain_model(model), model)
        if other != model:
            found.append((("gpu_models", model), f"is the same model as {other!r}"))
    return found


def _neighbours(rules: Sequence[NodeRule | Discount]) -> Iterator[tuple[int, int]]:
    """Numbers of rules that name the same labels, each with the next one in time."""
    groups: dict[tuple[tuple[str, str], ...], list[tuple[date, int]]] = {}
    for number, rule in enumerate(rules):
        labels = tuple(sorted((plain_label(name), value) for name, value in rule.match.items()))
        groups.setdefault(labels, []).append((rule.valid_from or date.min, number))
    for group in groups.values():
        yield from pairwise(number for _, number in sorted(group))
