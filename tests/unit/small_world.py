"""Small clusters for tests: a source in memory, whose series are spelled out sample by sample."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from costlab.config.settings import Settings
from costlab.domain.signals import Series, Signal, join_series
from costlab.domain.time import HOUR_MS, MINUTE_MS, Day, Window
from costlab.domain.units import GIB
from costlab.jobs.facts import Facts, observe_day
from costlab.jobs.measure import price
from costlab.sources import Shelf, SourceInfo, Whole

DAY = Day(date(2026, 11, 20))
START = DAY.window.start_ms
BEFORE, AFTER = START - HOUR_MS, START + 25 * HOUR_MS


DEFAULT = 4 * 24 * 0.1 + 16 * 24 * 0.05  # the small node's price of a day

When = dict[str, Any]


def at(hours: float) -> int:
    """Epoch milliseconds of an hour of the day."""
    return START + round(hours * HOUR_MS)


def shift(low: float, high: float, hour: float = 12) -> Callable[[int], float]:
    """A level that changes at an hour."""
    return lambda t: low if t < at(hour) else high


class World:
    """A source whose series are added one by one; everything lives all day unless said."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._series: dict[
            Signal, dict[tuple[tuple[str, str], ...], list[tuple[np.ndarray, np.ndarray]]]
        ] = {}

    def add(
        self, signal: Signal, labels: dict[str, str], value: float | Callable[[int], float],
        start_ms: int = BEFORE, end_ms: int = AFTER, step_ms: int = MINUTE_MS,
    ) -> "World":  # fmt: skip
        """Samples from start to end, every step; a second call with the same labels goes on with the series."""
        at_ms = np.arange(start_ms, end_ms, step_ms, dtype=np.int64)
        values = np.array([value(int(t)) if callable(value) else value for t in at_ms], np.float64)
        key = tuple(sorted(labels.items()))
        self._series.setdefault(signal, {}).setdefault(key, []).append((at_ms, values))
        return self

    def node(self, name: str = "n1", allocatable: dict[str, float] | None = None, **sizes: Any) -> "World":
        """A node with `cpu` cores, `memory` bytes and further resources by name, from `start_ms` to `end_ms`."""
        when = {edge: sizes.pop(edge) for edge in ("start_ms", "end_ms") if edge in sizes}
        for resource, size in {"cpu": 4.0, "memory": 16.0 * GIB, **sizes}.items():
            labels = {"node": name, "resource": resource}
            self.add(Signal.NODE_CAPACITY, labels, size, **when)
            self.add(Signal.NODE_ALLOCATABLE, labels, (allocatable or {}).get(resource, size), **when)
        return self

    def pod(
        self, name: str, node: str = "n1", requests: dict[str, Any] | None = None, uid: str | None = None,
        container: str = "app", phase: str = "Running", claims: Sequence[str] = (), host_network: str = "false",
        **when: int,
    ) -> "World":  # fmt: skip
        """A pod of one container, in namespace `ns`; it mounts some claims."""
        labels = {"namespace": "ns", "pod": name, "uid": f"{name}-uid" if uid is None else uid}
        self.add(Signal.POD_INFO, {**labels, "node": node, "host_network": host_network}, 1, **when)
        for claim in claims:
            mount = {"persistentvolumeclaim": claim, "volume": f"the-{claim}"}
            self.add(Signal.POD_CLAIMS, {**labels, **mount}, 1, **when)
        self.add(Signal.POD_PHASE, {**labels, "phase": phase}, 1, **when)
        self.add(Signal.POD_SCHEDULED_TIME, labels, when.get("start_ms", BEFORE) / 1000, **when)
        for resource, size in ({"cpu": 1.0, "memory": GIB} if requests is None else requests).items():
            self.add(
                Signal.CONTAINER_REQUEST,
                {**labels, "container": container, "resource": resource},
                size,
                **when,
            )
        return self

    def claim(
        self, name: str, gib: float | Callable[[int], float] = 1.0, storage_class: str = "fast", volume: str = "",
        **when: int,
    ) -> "World":  # fmt: skip
        """A claim in namespace `ns` that is bound to its volume."""
        labels = {"namespace": "ns", "persistentvolumeclaim": name}
        info = {"storageclass": storage_class, "volumename": volume or f"pv-{name}"}
        self.add(
            Signal.CLAIM_INFO, {**labels, **{key: text for key, text in info.items() if text}}, 1, **when
        )
        self.add(Signal.CLAIM_PHASE, {**labels, "phase": "Bound"}, 1, **when)
        self.add(Signal.VOLUME_USED, {**labels, "node": "n1"}, GIB / 4, **when)
        size = (lambda t: gib(t) * GIB) if callable(gib) else gib * GIB
        return self.add(Signal.CLAIM_REQUEST, labels, size, **when)

    def send(
        self, pod: str, bytes_per_s: float = GIB / 3600, interface: str = "eth0", **more: Any
    ) -> "World":
        """What cAdvisor shows of a pod's interface."""
        start_ms = more.get("start_ms", BEFORE)
        labels = {"namespace": "ns", "pod": pod, "id": more.pop("id", f"/{pod}"), "interface": interface}
        return self.add(Signal.SENT_BYTES, labels, lambda t: (t - start_ms) / 1000 * bytes_per_s, **more)

    def use(
        self,
        pod: str,
        cpu: float = 0.5,
        memory: float | Callable[[int], float] = GIB / 2,
        container: str = "app",
        **more: Any,
    ) -> "World":
        """What cAdvisor shows of a container: `cpu` cores and `memory` bytes, of the cgroup `id`."""
        labels = {
            "namespace": "ns",
            "pod": pod,
            "container": container,
            "id": more.pop("id", f"/{pod}/{container}"),
        }
        if instance := more.pop("instance", ""):
            labels["instance"] = instance
        start_ms = more.get("start_ms", BEFORE)
        self.add(Signal.CPU_SECONDS, labels, lambda t: (t - start_ms) / 1000 * cpu, **more)
        return self.add(Signal.MEMORY_BYTES, labels, memory, **more)

    def gpu(
        self, uuid: str, busy: float, pod: str = "", node: str = "n1", container: str = "app", **when: int
    ) -> "World":
        """A device that is busy, for a pod or for nobody."""
        user = {"namespace": "ns", "pod": pod, "container": container} if pod else {}
        return self.add(Signal.GPU_UTILIZATION, {"gpu_uuid": uuid, "node": node, **user}, busy, **when)

    def fetch(self, signal: Signal, window: Window) -> Series:
        """As a source gives them."""
        parts = []
        for labels, pieces in self._series.get(signal, {}).items():
            at_ms, values = (np.concatenate([piece[i] for piece in pieces]) for i in (0, 1))
            inside = (at_ms >= window.start_ms) & (at_ms < window.end_ms)
            if inside.any():
                parts.append((dict(labels), at_ms[inside], values[inside]))
        return join_series(signal, parts)

    def ahead_s(self) -> float:
        """Not at all."""
        return 0.0

    def shelf(self, signal: Signal, window: Window) -> Shelf:
        """The same, on a shelf."""
        return Whole(self.fetch(signal, window))

    def info(self) -> SourceInfo:
        """Who answers."""
        return SourceInfo("small world", "1", "direct")

    def settled(self) -> None:
        """Nothing is kept."""


class Measured:
    """A world's day: facts, and tables with charges."""

    def __init__(self, world: World, day: Day = DAY, **sections: Any) -> None:
        self.settings = Settings.model_validate(sections)
        self.facts: Facts = observe_day(world, self.settings, "test", day)
        self.tables = price(self.facts, self.settings, "test", day).tables

    def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of a table that have these values."""
        found: pa.Table = self.tables[table]
        return [row for row in found.to_pylist() if all(row[name] == value for name, value in where.items())]

    def total(self, column: str, **where: Any) -> float:
        """The sum of a column of `charges`, over the rows with these values; null is no amount."""
        return float(sum(row[column] or 0 for row in self.rows("charges", **where)))

    def found(self) -> list[str]:
        """The rules that found something."""
        return [row["rule"] for row in self.rows("findings")]
