"""What containers of workloads held of GPUs over some days, what those did, and what they cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from costlab.core.arrays import Brief, Floats, Ints
from costlab.domain.time import Day, Window
from costlab.store.warehouse import Warehouse

MONTH_HOURS = 730.0
KEYS = ("namespace", "workload_kind", "workload", "container")
# Who is made anew by its owner may not be there on the day itself, and is again next week.
_NOW_AND_THEN = ("Job", "CronJob")
_LATELY_DAYS = 7
_ENDING = timedelta(minutes=10)
_PEERS = 5  # workloads of a class before there is a usual size
_FIGURES = (
    "told_s", "observed_s", "engine_s", "busy_samples", "busy_mean", "busy_p95", "busy_p99", "busy_max",
    "sm_active_p95", "tensor_active_mean", "dram_active_mean", "memory_max_bytes",
    "memory_first_hour_bytes", "memory_total_bytes", "power_mean_watts",
)  # fmt: skip

# Each container that asked for GPUs on each day, with what its CPU did and what its GPUs cost.
_ASKING = """
    with asking as (
        select date, container_key, any_value(pod_uid) as pod_uid, namespace, workload_kind, workload,
            any_value(pod) as pod, container, any_value(node) as node, any_value(team) as team,
            any_value(class) as class, max(gpu_request) as pieces, max(gpu_share) as gpu_share,
            any_value(gpu_resource) as resource, max(cpu_limit) as cpu_limit, min(start) as "start",
            max("end") as "end", sum(epoch("end" - start)) as occupied_s
        from containers
        where cluster = $cluster and date between $first and $last and gpu_request > 0 and container <> ''
        group by date, container_key, namespace, workload_kind, workload, container
    ),
    paid as (
        select date, namespace, pod, pod_uid, container, sum(cost) as cost, sum(cost_unused) as cost_unused,
            any_value(currency) as currency
        from charges
        where cluster = $cluster and date between $first and $last and resource = 'gpu' and kind = 'workload'
        group by all
    )
    select asking.*, cast(paid.cost as double) as cost, cast(paid.cost_unused as double) as cost_unused, paid.currency,
        cpu.p95 as cpu_p95, cpu.throttled_ratio
    from asking
    left join paid using (date, namespace, pod, pod_uid, container)
    left join profiles as cpu
        on cpu.cluster = $cluster and cpu.date = asking.date and cpu.container_key = asking.container_key
        and cpu.resource = 'cpu'
    order by namespace, workload_kind, workload, container, date, container_key
"""
_DEVICES = f"""
    select seen.date, seen.gpu_key, seen.container_key, gpus.model, gpus.mig_profile, gpus.node,
        gpus.gpu_share, seen.power_min_watts, {", ".join(f"seen.{name}" for name in _FIGURES)},
        seen.busy_hourly_max, seen.busy_sketch_buckets, seen.busy_sketch_ms
    from gpu_profiles as seen
    left join gpus on gpus.cluster = seen.cluster and gpus.date = seen.date and gpus.gpu_key = seen.gpu_key
    where seen.cluster = $cluster and seen.date between $first and $last
    order by seen.container_key nulls last, seen.date, seen.gpu_key
"""  # noqa: S608 - fixed words
_DAYS = "select count(distinct date) as days from containers where cluster = $cluster and date between $first and $last"


@dataclass(frozen=True, slots=True)
class Seen:
    """Devices, each for one user on one day: a row of `gpu_profiles`, in the order of time.

    day: int64 (n,), ordinals. gpu, container: int64 (n,), keys. model, mig_profile, node: text, "" = not told.
    gpu_share: float64 (n,). figures: by column of `gpu_profiles`, float64 (n,), NaN = not observed. floor_watts: float64
    (n,), the least that the device ever drew, or another of its model. hourly: float32 (n, 24), the busy ratio's
    maximum by hour of the local clock. sketches: of the busy ratio, buckets and milliseconds.
    """

    day: Ints
    gpu: Ints
    container: Ints
    model: Sequence[str]
    mig_profile: Sequence[str]
    node: Sequence[str]
    gpu_share: Floats
    figures: Mapping[str, Floats]
    floor_watts: Floats
    hourly: NDArray[np.float32]
    sketches: Sequence[tuple[Brief, Brief]]

    def __len__(self) -> int:
        return len(self.day)

    def of(self, rows: Ints) -> "Seen":
        """Some of the rows."""
        some = rows.tolist()
        return Seen(
            self.day[rows], self.gpu[rows], self.container[rows], [self.model[i] for i in some],
            [self.mig_profile[i] for i in some], [self.node[i] for i in some],
            self.gpu_share[rows], {name: values[rows] for name, values in self.figures.items()},
            self.floor_watts[rows], self.hourly[rows], [self.sketches[i] for i in some],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """A container of a workload that asks for GPUs, over the days that it ran on.

    key: namespace, kind and name of the workload, container. pieces: GPUs (or shares, or slices) that it asks for now;
    shared: whether they are shares of a GPU that others use too. day: int64 (days,), ordinals, rising; occupied_s, cost,
    unused: float64 (days,), device-seconds, and money for its GPUs, NaN = no price. cpu_pressed: ratio, the most of
    95th percentile / limit of CPU on a day, NaN = no limit or not observed; throttled: ratio of periods, as that.
    full_runs: pods that began and ended within the days. pods: how many there were at a time, on average over the window.
    usual: GPUs of a pod that is usual for its class; None = too few workloads to say.
    """

    key: tuple[str, str, str, str]
    team: str
    workload_class: str
    resource: str
    pieces: float
    shared: bool
    day: Ints
    occupied_s: Floats
    cost: Floats
    unused: Floats
    cpu_pressed: float
    throttled: float
    full_runs: int
    pods: float
    usual: float | None
    seen: Seen

    @property
    def coverage(self) -> float:
        """Observed time / time of occupancy of its GPUs."""
        occupied_s = float(self.occupied_s.sum())
        return min(1.0, float(self.seen.figures["observed_s"].sum()) / occupied_s) if occupied_s else 0.0


@dataclass(frozen=True, slots=True)
class Holding:
    """Everything of a cluster that holds GPUs over a window, and what nobody holds.

    free: devices while nobody used them. hours: length of the window.
    """

    held: tuple[Held, ...]
    free: Seen
    hours: float
    currency: str


def holding_of(warehouse: Warehouse, cluster: str, day: Day, days: int) -> Holding:
    """What was held over so many days up to this one, by workloads that still run, or will run again."""
    given = {"cluster": cluster, "first": day.date - timedelta(days=days - 1), "last": day.date}
    asking = warehouse.sql(_ASKING, given)
    seen = _seen(warehouse.sql(_DEVICES, given))
    hours = window_hours(warehouse, cluster, day, days)
    currencies = [name for name in asking["currency"].to_pylist() if name]
    window = whole_window(day, days)
    return Holding(
        held=tuple(_held(asking, seen, day.date, window, hours)),
        free=seen.of(np.flatnonzero(seen.container < 0)),
        hours=hours,
        currency=currencies[0] if currencies else "",
    )


def beside(saved: float | None, hours: float) -> dict[str, str]:
    """Money of a window of so many hours as a fact, a month of it: what may not be added to other savings."""
    if saved is None or np.isnan(saved):
        return {}
    return {"monthly_saving": f"{saved * MONTH_HOURS / hours:.2f}"}


def whole_window(day: Day, days: int) -> Window:
    """From the midnight at which so many days up to this one begin to its end."""
    first = Day(day.date - timedelta(days=days - 1), day.timezone)
    return Window(first.window.start_ms, day.window.end_ms)


def window_hours(warehouse: Warehouse, cluster: str, day: Day, days: int) -> float:
    """The length of those of so many days up to this one that are in the lake."""
    given = {"cluster": cluster, "first": day.date - timedelta(days=days - 1), "last": day.date}
    return 24.0 * float(warehouse.sql(_DAYS, given)["days"][0].as_py())


def _held(asking: pa.Table, seen: Seen, last: date, window: Window, hours: float) -> Iterator[Held]:
    rows = asking.to_pylist()
    subjects: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        subjects.setdefault(
            (row["namespace"], row["workload_kind"], row["workload"], row["container"]), []
        ).append(row)
    by_user: dict[tuple[int, int], list[int]] = {}
    for i, (container, on) in enumerate(zip(seen.container.tolist(), seen.day.tolist(), strict=True)):
        by_user.setdefault((container, on), []).append(i)
    shared = _shared(rows, seen)
    still = {key: its for key, its in subjects.items() if lately(key[1], (last - its[-1]["date"]).days)}
    usual = _usual([its[-1] for its in still.values()])
    for key, its in still.items():
        now = its[-1]
        day, place = np.unique([row["date"].toordinal() for row in its], return_inverse=True)
        mine = [i for row in its for i in by_user.get((row["container_key"], row["date"].toordinal()), ())]
        yield Held(
            key=key, team=now["team"], workload_class=now["class"], resource=now["resource"] or "",
            pieces=now["pieces"], shared=_in_shares(now) or any(key in shared for key in zip(seen.day[mine].tolist(), seen.gpu[mine].tolist(), strict=True)),
            day=day,
            occupied_s=_by_day(place, [row["occupied_s"] * row["pieces"] for row in its]),
            cost=_by_day(place, [_known(row["cost"]) for row in its]),
            unused=_by_day(place, [_known(row["cost_unused"]) for row in its]),
            cpu_pressed=_most(_known(row["cpu_p95"]) / row["cpu_limit"] for row in its if row["cpu_limit"]),
            throttled=_most(_known(row["throttled_ratio"]) for row in its),
            full_runs=_full_runs(its, window),
            pods=sum(row["occupied_s"] for row in its) / 3600 / hours if hours else 0.0,
            usual=usual.get(now["class"]),
            seen=seen.of(np.array(mine, np.int64)),
        )  # fmt: skip


def lately(kind: str, age_days: int) -> bool:
    """Whether a workload that was last there so many days ago still runs, or will run again."""
    return age_days < (_LATELY_DAYS if kind in _NOW_AND_THEN else 1)


def _usual(latest: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """GPUs of a pod that are usual for each class, where there are enough workloads to say."""
    sizes: dict[str, list[float]] = {}
    for row in latest:
        sizes.setdefault(row["class"], []).append(row["pieces"])
    return {name: float(np.median(many)) for name, many in sizes.items() if len(many) >= _PEERS}


def _in_shares(row: Mapping[str, Any]) -> bool:
    """Whether a piece is less than a GPU without being a MIG slice."""
    share: float | None = row["gpu_share"]
    return share is not None and share < row["pieces"] and "_mig_" not in (row["resource"] or "")


def _shared(rows: Sequence[Mapping[str, Any]], seen: Seen) -> set[tuple[int, int]]:
    """Days and devices that several containers used at once: their lives overlap by more than it takes to end."""
    lives = {(row["container_key"], row["date"].toordinal()): (row["start"], row["end"]) for row in rows}
    users: dict[tuple[int, int], list[tuple[datetime, datetime]]] = {}
    for day, gpu, container in zip(
        seen.day.tolist(), seen.gpu.tolist(), seen.container.tolist(), strict=True
    ):
        if (container, day) in lives:
            users.setdefault((day, gpu), []).append(lives[container, day])
    return {
        key
        for key, its in users.items()
        if any(later[0] + _ENDING < former[1] for former, later in pairwise(sorted(its)))
    }


def _full_runs(rows: Sequence[Mapping[str, Any]], window: Window) -> int:
    """Pods that began after the window did, and ended before it."""
    edges: dict[str, list[int]] = {}
    for row in rows:
        begins, ends = (round(row[edge].timestamp() * 1000) for edge in ("start", "end"))
        known = edges.setdefault(row["pod_uid"] or row["pod"], [begins, ends])
        known[0], known[1] = min(known[0], begins), max(known[1], ends)
    return sum(begins > window.start_ms and ends < window.end_ms for begins, ends in edges.values())


def _by_day(place: NDArray[np.int64], values: Sequence[float]) -> Floats:
    summed: Floats = np.bincount(place, np.array(values, np.float64)).astype(np.float64)
    return summed


def _known(value: float | None) -> float:
    return float("nan") if value is None else value


def _most(values: Iterator[float]) -> float:
    known = [value for value in values if value == value]  # noqa: PLR0124 - NaN is not itself
    return max(known, default=float("nan"))


def _seen(rows: pa.Table) -> Seen:
    power = rows["power_min_watts"].to_numpy()
    model, gpu = rows["model"].fill_null("").to_pylist(), rows["gpu_key"].to_numpy()
    buckets, sketch_ms = (
        np.split(column.values.to_numpy(), column.offsets.to_numpy()[1:-1])
        for column in (_list(rows["busy_sketch_buckets"]), _list(rows["busy_sketch_ms"]))
    )
    return Seen(
        day=np.array([told.toordinal() for told in rows["date"].to_pylist()], np.int64),
        gpu=gpu, container=rows["container_key"].fill_null(-1).to_numpy(),
        model=model, mig_profile=rows["mig_profile"].fill_null("").to_pylist(),
        node=rows["node"].fill_null("").to_pylist(),
        gpu_share=rows["gpu_share"].fill_null(1.0).to_numpy(),
        figures={name: rows[name].to_numpy().astype(np.float64) for name in _FIGURES},
        floor_watts=_floor(model, power),
        hourly=_list(rows["busy_hourly_max"]).values.to_numpy().reshape(-1, 24),
        sketches=list(zip(buckets, sketch_ms, strict=True)) if rows.num_rows else [],
    )  # fmt: skip


def _floor(model: Sequence[str], watts: Floats) -> Floats:
    """The least that any device of each one's model drew: an idle one draws that much, and some other may be idle."""
    least: dict[str, float] = {}
    for name, told in zip(model, watts.tolist(), strict=True):
        least[name] = min(least.get(name, np.inf), told if told > 0 else np.inf)
    floor = np.array([least[name] for name in model], np.float64)
    return np.where(np.isfinite(floor), floor, np.nan)


def _list(column: pa.ChunkedArray) -> Any:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
