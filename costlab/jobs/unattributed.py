"""GPUs that worked for nobody who asked for one, by node, with what that is worth."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.core.arrays import Floats, Ints
from costlab.core.money import told_amount
from costlab.domain.findings import Finding, Severity
from costlab.domain.time import HOUR_MS
from costlab.jobs.columns import milliseconds_of
from costlab.render.figures import counted
from costlab.store.rows import DayRows, batches

RULE = "unattributed_gpu"
_BUSY = 0.01  # below this a GPU does nothing to speak of
_NOTABLE_HOURS = 0.1


def unattributed(
    tables: Mapping[str, pa.Table], gpu_usage: DayRows, idle: Mapping[str, Decimal | None]
) -> Iterator[Finding]:
    """A finding for every node whose devices were busy without a living pod, or for a container that requests no GPU.

    tables: containers, nodes, gpus. idle: each node's money that is in its idle GPUs, None without a price.
    The amount is the busy devices' time at the node's price then, as far as it is inside idle; the rest was charged to
    pods whose use of a device the exporter does not show.
    """
    told = ("gpu_key", "container_key", "ts", "dt_s", "busy_ratio")
    usage, asked = pa.concat_tables(batches(gpu_usage, told)), _asking(tables["containers"])
    busy = usage.column("busy_ratio").to_numpy().astype(np.float64)
    users = usage.column("container_key").to_pylist()
    lost = np.array([user not in asked for user in users], bool) & (busy > _BUSY)
    starts = milliseconds_of(usage.column("ts"))[lost]
    ends = starts + np.rint(usage.column("dt_s").to_numpy()[lost] * 1000.0).astype(np.int64)
    keys, nobodys = (
        usage.column("gpu_key").to_numpy()[lost],
        np.array([user is None for user in users], bool)[lost],
    )
    by_node: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for device in tables["gpus"].to_pylist():
        by_node[device["node"]].append(device)
    prices = _prices(tables["nodes"])
    for node, devices in sorted(by_node.items()):
        named: dict[str, float] = defaultdict(float)
        hours, worth, of_nobody = 0.0, 0.0, True
        for device in devices:
            mine = keys == device["gpu_key"]
            low_ms, high_ms, shown = _united(starts[mine], ends[mine])
            if not len(low_ms):
                continue
            name = f"{device['uuid'] or device['gpu_index'] or ''} {device['mig_profile'] or ''}".strip()
            named[name] += shown
            hours += shown
            worth += device["gpu_share"] * _worth(prices.get(node, []), low_ms, high_ms)
            of_nobody &= bool(nobodys[mine].all())
        if hours >= _NOTABLE_HOURS:
            whose = "without a living pod to their name" if of_nobody else "for nobody who requests a GPU"
            yield Finding(
                RULE, Severity.WARNING, node, f"{_listed(named)} were busy for {hours:.3f} hours {whose}",
                _amount(worth, idle.get(node)),
            )  # fmt: skip


def _asking(containers: pa.Table) -> set[int]:
    share = containers.column("gpu_share").to_pylist()
    return {
        key for key, part in zip(containers.column("container_key").to_pylist(), share, strict=True) if part
    }


def _prices(nodes: pa.Table) -> dict[str, list[tuple[int, int, float]]]:
    """When which price of a GPU held, by node; NaN where none is known."""
    found: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
    starts, ends = (
        milliseconds_of(nodes.column("start")).tolist(),
        milliseconds_of(nodes.column("end")).tolist(),
    )
    names, prices = nodes.column("node").to_pylist(), nodes.column("gpu_price").to_pylist()
    for node, start_ms, end_ms, price in zip(names, starts, ends, prices, strict=True):
        found[node].append((start_ms, end_ms, np.nan if price is None else price))
    return found


def _united(start_ms: Ints, end_ms: Ints) -> tuple[Ints, Ints, float]:
    """Stretches without what overlaps, and their hours: two users of a device are one device's time."""
    order = np.argsort(start_ms, kind="stable")
    low, high = start_ms[order], end_ms[order]
    before = np.maximum.accumulate(np.append(np.int64(0), high[:-1])) if len(high) else high
    low = np.maximum(low, before)
    kept = low < high
    return low[kept], high[kept], float((high - low)[kept].sum()) / HOUR_MS


def _worth(prices: list[tuple[int, int, float]], low_ms: Ints, high_ms: Ints) -> float:
    parts: Floats = np.array(
        [
            price
            * float(np.maximum(0, np.minimum(high_ms, end_ms) - np.maximum(low_ms, start_ms)).sum())
            / HOUR_MS
            for start_ms, end_ms, price in prices
        ]
    )
    return float(parts.sum())


def _amount(worth: float, idle: Decimal | None) -> Decimal | None:
    told = told_amount(worth)
    return None if idle is None or told is None else min(told, idle)


def _listed(named: Mapping[str, float]) -> str:
    """The devices that were busy longest, and how many others."""
    first = sorted(named, key=lambda name: (-named[name], name))[:3]
    others = len(named) - len(first)
    return ", ".join(first) + (f" and {counted(others, 'other')}" if others else "")
