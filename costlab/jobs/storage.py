"""What volumes cost, and who pays for them: who mounts them, or their namespace. docs/methods.md, "Beside nodes"."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.settings import Settings
from costlab.core.arrays import Floats, Ints
from costlab.core.money import apportion, to_micros
from costlab.core.shares import even_shares
from costlab.domain.errors import ReconcileError
from costlab.domain.findings import Finding, Severity
from costlab.domain.time import HOUR_MS
from costlab.domain.units import GIB
from costlab.jobs.columns import milliseconds_of
from costlab.store.schema import conform

STORAGE_RULES = ("storage_price_unknown", "storage_size_unknown")
ClaimKey = tuple[str, str]  # namespace, claim
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Mounts:
    """Who mounts a claim: from_ms, to_ms int64 (n,), and the number of the row of `pods` for each of the n."""

    from_ms: Ints
    to_ms: Ints
    row: Ints


def priced_volumes(volumes: pa.Table, settings: Settings) -> pa.Table:
    """The same rows with unit prices and costs, rounded once a claim: its rows add up to its price."""
    rows = _rows(volumes)
    prices = [settings.book.storage.get(row["class"] or "", settings.prices.storage_gib_hour) for row in rows]
    amounts = [
        None if price is None or row["requested_bytes"] is None else _gib_hours(row) * price
        for row, price in zip(rows, prices, strict=True)
    ]
    costs: list[int | None] = [None] * len(rows)
    for mine in _by_claim(rows).values():
        known = [i for i in mine if amounts[i] is not None]
        exact = np.array([amounts[i] for i in known], np.float64)
        for i, micros in zip(known, apportion(exact, to_micros(float(exact.sum()))).tolist(), strict=True):
            costs[i] = micros
    columns = {name: volumes.column(name) for name in volumes.column_names}
    columns |= {"price": pa.array(prices, pa.float64()), "cost": pa.array(costs, pa.int64())}
    return conform("volumes", columns) if rows else volumes


def volume_charges(
    volumes: pa.Table, pods: list[dict[str, Any]], identity: Sequence[str]
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """A charge for each claim and pod that mounts it, and one for the time in which none does; and what is to be said.

    pods: rows of `pods`, with start_ms and end_ms; identity: the columns of theirs that a charge takes over. Raises
    ReconcileError when the parts of a claim are not its price.
    """
    rows, charges = _rows(volumes), []
    mounts = _mounts(pods)
    for (namespace, claim), mine in sorted(_by_claim(rows).items()):
        held = mounts.get((namespace, claim), Mounts(*[np.empty(0, np.int64)] * 3))
        hours: dict[int, float] = defaultdict(float)  # GiB-hours by row of `pods`
        money: dict[int, float] = defaultdict(float)
        for row in (rows[i] for i in mine):
            shared_ms, alone_ms = even_shares(row["start_ms"], row["end_ms"], held.from_ms, held.to_ms)
            parts_ms = np.append(shared_ms, alone_ms)
            for holder, part_ms in zip([*held.row.tolist(), _NOBODY], parts_ms.tolist(), strict=True):
                if part_ms:
                    hours[holder] += part_ms / HOUR_MS * _gib(row)
                    money[holder] += (
                        part_ms / HOUR_MS * _gib(row) * (np.nan if row["price"] is None else row["price"])
                    )
        stored = [rows[i]["cost"] for i in mine]
        total = None if None in stored else int(sum(stored, Decimal(0)).scaleb(6))
        micros = _micros(list(money.values()), total, f"claim {namespace}/{claim}")
        for (holder, quantity), cost in zip(hours.items(), micros, strict=True):
            who = (
                {"namespace": namespace, "team": rows[mine[0]]["team"]}
                if holder == _NOBODY
                else {name: pods[holder][name] for name in identity}
            )
            amount = money[holder]
            charges.append({
                "kind": "volume", "resource": "storage", "item": claim, "unit": "gib_hour", **who,
                "requested_quantity": quantity, "billed_quantity": quantity,
                "unit_price": None if np.isnan(amount) or not quantity else amount / quantity, "cost": cost,
            })  # fmt: skip
    return charges, list(_remarks(rows))


def _micros(amounts: list[float], total: int | None, what: str) -> list[int | None]:
    if total is None:
        return [None] * len(amounts)
    exact: Floats = np.array(amounts, np.float64)
    if abs(float(exact.sum()) * 1e6 - total) > 2:
        raise ReconcileError(
            f"{what}: its parts make {exact.sum():.6f}, its price is {total / 1e6:.6f}",
            "this is a fault of costlab or of the lake: nothing was committed; report it with the day's log",
        )
    return list(apportion(exact, total).tolist())


def _remarks(rows: list[dict[str, Any]]) -> Iterator[Finding]:
    """What has no price, by class, and what has no size."""
    unpriced: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["price"] is None:
            unpriced[row["class"] or ""].append(row)
    for name, mine in sorted(unpriced.items()):
        hours = sum(_gib_hours(row) for row in mine if row["requested_bytes"] is not None)
        yield Finding(
            "storage_price_unknown", Severity.ERROR, f"class {name}" if name else "no class",
            f"{hours:.3f} GiB-hours of {len({_key(row) for row in mine})} claims have no price and cost null; "
            "give the class one in the price book's storage, or set prices.storage_gib_hour",
        )  # fmt: skip
    unsized = sorted({"/".join(_key(row)) for row in rows if row["requested_bytes"] is None})
    if unsized:
        yield Finding(
            "storage_size_unknown", Severity.ERROR, unsized[0],
            f"the size of {len(unsized)} claims is not told, and they cost null; let kube-state-metrics expose "
            "kube_persistentvolumeclaim_resource_requests_storage_bytes",
        )  # fmt: skip


def _mounts(pods: list[dict[str, Any]]) -> dict[ClaimKey, Mounts]:
    """Who mounts each claim; lives of one pod count as one, under the number of its first row."""
    first: dict[tuple[str, str, str], int] = {}
    found: dict[ClaimKey, list[tuple[int, int, int]]] = defaultdict(list)
    for number, pod in enumerate(pods):
        holder = first.setdefault((pod["namespace"], pod["pod"], pod["pod_uid"]), number)
        for claim in pod["claims"]:
            found[pod["namespace"], claim].append((pod["start_ms"], pod["end_ms"], holder))
    return {key: Mounts(*np.array(spans, np.int64).T) for key, spans in found.items()}


def _rows(volumes: pa.Table) -> list[dict[str, Any]]:
    starts, ends = milliseconds_of(volumes.column("start")), milliseconds_of(volumes.column("end"))
    return [
        {**row, "start_ms": start_ms, "end_ms": end_ms}
        for row, start_ms, end_ms in zip(volumes.to_pylist(), starts.tolist(), ends.tolist(), strict=True)
    ]


def _by_claim(rows: list[dict[str, Any]]) -> dict[ClaimKey, list[int]]:
    found: dict[ClaimKey, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        found[_key(row)].append(i)
    return found


def _key(row: dict[str, Any]) -> ClaimKey:
    return row["namespace"], row["claim"]


def _gib(row: dict[str, Any]) -> float:
    return float(row["requested_bytes"] or 0.0) / GIB


def _gib_hours(row: dict[str, Any]) -> float:
    lasted_ms: int = row["end_ms"] - row["start_ms"]
    return _gib(row) * lasted_ms / HOUR_MS
