"""What a window would have cost at other unit prices: one table with a total row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from costlab.config.faults import meant
from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.jobs.asked import OF_PODS, key_columns, keyed
from costlab.jobs.cost import refuse_mixed
from costlab.store.warehouse import Warehouse

_SCALARS = ("cpu_core_hour", "memory_gib_hour", "storage_gib_hour", "gpu_hour")
_PRICE = TypeAdapter(float)
_DIMENSIONS = {
    **{name: OF_PODS[name] for name in OF_PODS if name not in ("pod", "pipeline_task", "pipeline_run")},
    "kind": ("kind",),
    "resource": ("resource",),
    "gpu_model": ("gpu_model",),
}

# The order in which queries/marts/what_if.sql puts them into a key.
_KEY = (
    "date", "cluster", "kind", "resource", "node", "team", "namespace", "workload_kind", "workload", "class",
    "pipeline", "gpu_model",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OtherPrices:
    """Currency per core-hour, GiB-hour and GPU-hour; what is not named stays as it was."""

    by_name: Mapping[str, float] = field(default_factory=dict)
    gpu_models: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, prices: Mapping[str, Any]) -> "OtherPrices":
        """The prices as the configuration names them; raises ConfigError for another name or no price."""
        known = (*_SCALARS, "gpu_models")
        for name in prices.keys() - set(known):
            raise ConfigError(f"there is no price {name!r}{meant(name, known)}", f"one of {', '.join(known)}")
        if not prices:
            raise ConfigError("no price is named", f"one of {', '.join(known)}")
        return cls(
            {name: _price(name, prices[name]) for name in _SCALARS if name in prices},
            {model: _price(model, price) for model, price in dict(prices.get("gpu_models", {})).items()},
        )


def costs_at(
    warehouse: Warehouse, prices: OtherPrices, by: Sequence[str], window: Dates, cluster: str | None = None
) -> pa.Table:
    """The cost of the window as it was, and at other prices, by some dimensions; the total in the last row.

    Columns: the dimensions as text, then cost, cost_what_if and difference, and how many charges have no price in
    cost_what_if. Raises ConfigError for an unknown dimension, and when the window holds several currencies.
    """
    names = key_columns(by, _DIMENSIONS)
    dimensions = [name for name in _KEY if name in names]
    rows = warehouse.query(
        "what_if",
        start=window.start,
        until=window.end,
        by=",".join(dimensions),
        cluster=cluster or "",
        gpu_models=orjson.dumps(dict(prices.gpu_models)).decode(),
        **{name: str(prices.by_name.get(name, "")) for name in _SCALARS},
    )
    refuse_mixed(rows)
    figures = {name: rows[name] for name in rows.column_names[2:]}
    return pa.table(keyed(rows["key"], dimensions, names) | figures)


def _price(name: str, value: Any) -> float:
    try:
        price = _PRICE.validate_python(value)
    except ValidationError:
        price = float("nan")
    if not 0 <= price < float("inf"):
        raise ConfigError(f"{name}: {value!r} is no price", "write a number of 0 or more, such as 2.5")
    return price
