"""`lab.plot`: the lake's answers as figures. Each method returns matplotlib axes, on `ax` or on a figure of its own."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from costlab.domain.dates import Dates
from costlab.domain.errors import ConfigError
from costlab.domain.units import GIB, Resource
from costlab.jobs.asked import Filters
from costlab.jobs.cost import cost_table, currency_of
from costlab.jobs.rightsizing.named import Wanted
from costlab.render import plots
from costlab.render.plots import Axes
from costlab.store.warehouse import Warehouse

_ALL = Filters()
_MOST_GROUPS = 7
_SCALES = {Resource.CPU: (1, "cores"), Resource.MEMORY: (GIB, "GiB")}


class Plots:
    """Figures of one lake. A window is written as in `lab.cost`."""

    def __init__(self, warehouse: Warehouse, window: Callable[[str], Dates], timezone: str) -> None:
        self._warehouse = warehouse
        self._window = window
        self._zone = ZoneInfo(timezone)

    def cost(self, by: str = "team", window: str = "30d", *, ax: Axes | None = None) -> Axes:
        """What each day cost, by one dimension of `lab.cost`: the dearest seven apart, the others together."""
        dates = self._window(window)
        rows = cost_table(self._warehouse, ["date", by], dates, _ALL)[:-1]
        days = [dates.start + timedelta(days=i) for i in range(len(dates))]
        place = {day.isoformat(): i for i, day in enumerate(days)}
        there = set(rows["date"].to_pylist())
        daily: dict[str, npt.NDArray[np.float64]] = {}
        for day, name, cost in zip(
            rows["date"].to_pylist(), _names(rows, 1), rows["cost"].to_pylist(), strict=True
        ):
            amounts = daily.setdefault(name, np.array([0.0 if d in there else np.nan for d in place]))
            amounts[place[day]] += float(cost or 0)
        dearest = sorted(daily, key=lambda name: (-np.nansum(daily[name]), name))
        groups = {name: daily[name] for name in dearest[:_MOST_GROUPS]}
        if len(dearest) > _MOST_GROUPS:
            groups[plots.ALL_OTHERS] = np.sum([daily[name] for name in dearest[_MOST_GROUPS:]], axis=0)
        return plots.daily_costs(days, groups, self._currency(dates), ax)

    def waste(
        self, by: str = "workload", window: str = "7d", *, top: int = 12, ax: Axes | None = None
    ) -> Axes:
        """The `top` keys for which most was paid and not used, the largest first."""
        dates = self._window(window)
        rows = cost_table(self._warehouse, [by], dates, _ALL)[:-1]
        unused = np.array([float(amount or 0) for amount in rows["cost_unused"].to_pylist()])
        order = [int(i) for i in np.argsort(-unused, kind="stable")[:top] if unused[i] > 0]
        parts = {
            part: [float(rows[f"cost_{part}"][i].as_py() or 0) for i in order]
            for part in ("used", "unused", "unobserved")
        }
        names = _names(rows, 0)
        return plots.waste([names[i] for i in order], parts, self._currency(dates), ax)

    def gpus(self, window: str = "7d", *, cluster: str | None = None, ax: Axes | None = None) -> Axes:
        """How busy each GPU was, hour by hour; raises ConfigError when none was observed in the window."""
        dates = self._window(window)
        rows = self._warehouse.query("gpu_hours", start=dates.start, until=dates.end, cluster=cluster or "")
        if not rows.num_rows:
            raise ConfigError(f"no GPU was observed from {dates.start} to {dates.end}", "name another window")
        keys = list(zip(rows["cluster"].to_pylist(), rows["gpu_key"].to_pylist(), strict=True))
        place = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        first, last = pc.min_max(rows["hour"]).as_py().values()
        hours = [first + timedelta(hours=i) for i in range(int((last - first) / timedelta(hours=1)) + 1)]
        busy = np.full((len(place), len(hours)), np.nan)
        column = [int((hour - first) / timedelta(hours=1)) for hour in rows["hour"].to_pylist()]
        busy[[place[key] for key in keys], column] = rows["busy_ratio"].to_numpy()
        several = pc.count_distinct(rows["cluster"]).as_py() > 1
        names = dict(zip(keys, _devices(rows, several=several), strict=True))
        return plots.gpu_heat([names[key] for key in place], self._local(hours), busy, ax)

    def workload(
        self,
        name: str,
        window: str = "7d",
        *,
        resource: str = Resource.MEMORY,
        cluster: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """A workload's usage against its request: `NAMESPACE/WORKLOAD`, `cpu` or `memory`.

        Raises ConfigError for another resource, and when no container of it ran in the window.
        """
        if resource not in _SCALES:
            raise ConfigError(f"resource={resource!r} has no such figure", f"one of {', '.join(_SCALES)}")
        dates, wanted = self._window(window), Wanted.parse(name)
        if wanted.namespace is None:
            raise ConfigError(f"{name!r} names no namespace", "write NAMESPACE/WORKLOAD")
        rows = self._warehouse.query(
            "workload_hours", start=dates.start, until=dates.end, cluster=cluster or "",
            namespace=wanted.namespace, workload=wanted.workload,
        )  # fmt: skip
        if wanted.kind is not None:
            rows = rows.filter(pc.equal(pc.utf8_lower(rows["workload_kind"]), wanted.kind))
        if not rows.num_rows:
            raise ConfigError(
                f"no container of {name} was observed from {dates.start} to {dates.end}",
                'lab.cost(by="workload") lists the workloads that cost something',
            )
        scale, unit = _SCALES[Resource(resource)]
        return plots.usage(self._bands(rows, resource, scale), name, unit, ax)

    def _bands(self, rows: pa.Table, resource: str, scale: int) -> list[plots.Band]:
        several = [c for c in ("cluster", "workload_kind") if pc.count_distinct(rows[c]).as_py() > 1]
        keys = list(zip(*(rows[column].to_pylist() for column in (*several, "container")), strict=True))
        figures = {
            part: rows[f"{resource}_{part}"].to_numpy(zero_copy_only=False).astype(np.float64) / scale
            for part in ("mean", "max", "request", "limit")
        }
        hours = self._local(rows["hour"].to_pylist())
        bands = []
        for key in dict.fromkeys(keys):
            at = [i for i, each in enumerate(keys) if each == key]
            mean, highest, request, limit = (
                figures[part][at] for part in ("mean", "max", "request", "limit")
            )
            bands.append(plots.Band("/".join(key), [hours[i] for i in at], mean, highest, request, limit))
        return bands

    def _local(self, hours: Sequence[datetime]) -> list[datetime]:
        """Instants as the lake's clocks show them, without a zone: matplotlib would turn them back."""
        return [hour.astimezone(self._zone).replace(tzinfo=None) for hour in hours]

    def _currency(self, dates: Dates) -> str:
        return currency_of(self._warehouse, dates, _ALL) or ""


def _names(rows: pa.Table, first: int) -> list[str]:
    """The key columns from `first` on as one name; the kind of a workload goes without saying."""
    columns = rows.column_names[first : rows.column_names.index("cost")]
    parts: list[list[Any]] = [rows[name].to_pylist() for name in columns if name != "workload_kind"]
    # What nobody owns is named so in every column.
    return ["/".join(dict.fromkeys(map(str, row))) for row in zip(*parts, strict=True)]


def _devices(rows: pa.Table, *, several: bool) -> list[str]:
    """What each row's GPU is called: node and number, and the profile of a MIG instance."""
    columns = ("cluster", "node", "gpu_index", "mig_profile")
    return [
        "/".join(str(part) for part in row[0 if several else 1 :] if part is not None)
        for row in zip(*(rows[name].to_pylist() for name in columns), strict=True)
    ]
