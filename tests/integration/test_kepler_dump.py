"""A real Prometheus' answers of a real Kepler 0.7: every joule of packages and DRAM, and whose it was.

They are not part of the project: the test runs where a folder `shared` lies beside the checkout, or at
$COSTLAB_SHARED_DATA.
"""

import gzip
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from costlab.config.settings import Settings
from costlab.domain.signals import Series, Signal, join_series
from costlab.domain.time import Window, day_of, instant
from costlab.jobs.facts import observe_day
from costlab.sources import RawSeries, Shelf, SourceInfo, Whole
from costlab.sources.prometheus.canonical import canonical_series
from costlab.sources.prometheus.catalogue import built_in

SHARED = Path(os.environ.get("COSTLAB_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared"))
DUMP = SHARED / "data" / "open" / "kepler_prom_range_dump.json.gz"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not DUMP.exists(), reason="the dump is not on this machine"),
]
SYSTEM = "system_processes"


def told() -> dict[str, list[dict[str, Any]]]:
    with gzip.open(DUMP) as file:
        found: dict[str, list[dict[str, Any]]] = json.load(file)
    return found


class Dump:
    """The dump as a source, and an inventory of the pods that it names; the system's processes are none."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._told = told()
        every = self._told["kepler_container_package_joules_total"]
        times = [at for series in every for at, _ in series["values"]]
        self.at_ms = np.arange(min(times) * 1000, max(times) * 1000 + 1, 1000, dtype=np.int64)
        self._pods = {(s["metric"]["container_namespace"], s["metric"]["pod_name"]) for s in every}

    def fetch(self, signal: Signal, _: Window) -> Series:
        metrics = built_in().metrics(signal)
        raw = [
            RawSeries(
                series["metric"],
                np.array([at * 1000 for at, _ in series["values"]], np.int64),
                np.array([float(value) for _, value in series["values"]]),
            )
            for metric in metrics
            for series in self._told.get(metric.name, [])
        ]
        if raw:
            return canonical_series(signal, metrics, raw, ())
        more = {
            Signal.POD_INFO: {"node": "kind"},
            Signal.POD_PHASE: {"phase": "Running"},
            Signal.CONTAINER_REQUEST: {"container": "main", "resource": "cpu"},
        }.get(signal)
        ones = np.ones(len(self.at_ms))
        pods = sorted(pod for pod in self._pods if pod[1] != SYSTEM) if more else []
        return join_series(
            signal,
            [
                (
                    {"namespace": namespace, "pod": pod, "uid": f"uid of {pod}", **(more or {})},
                    self.at_ms,
                    ones,
                )
                for namespace, pod in pods
            ],
        )

    def shelf(self, signal: Signal, window: Window) -> Shelf:
        return Whole(self.fetch(signal, window))

    def ahead_s(self) -> float:
        return 0.0

    def info(self) -> SourceInfo:
        return SourceInfo("dump", "1", "direct")

    def settled(self) -> None:
        pass


def rise(series: dict[str, Any]) -> float:
    first, *_, last = (float(value) for _, value in (*series["values"][:1], *series["values"]))
    assert first <= last
    return last - first


def test_every_joule_of_a_real_kepler_is_somebodys_or_the_systems_and_together_they_are_the_nodes() -> None:
    dump = Dump()
    day = day_of(instant(int(dump.at_ms[0])))
    table = observe_day(dump, Settings(), "kind", day).tables["energy"]
    assert isinstance(table, pa.Table)
    rows = table.to_pylist()
    rises: dict[str, float] = defaultdict(float)
    node_joules = 0.0
    for zone in ("package", "dram"):
        for series in told()[f"kepler_container_{zone}_joules_total"]:
            rises[series["metric"]["pod_name"]] += rise(series)
        node_joules += sum(rise(series) for series in told()[f"kepler_node_{zone}_joules_total"])
    found: dict[str, float] = defaultdict(float)
    for row in rows:
        if row["coverage"] != 0:
            found[row["pod"] or SYSTEM] += row["energy_kwh"] * 3.6e6
    known = {pod: joules for pod, joules in rises.items() if joules}
    assert {pod: joules for pod, joules in found.items() if joules} == pytest.approx(known, rel=1e-9)
    assert sum(found.values()) == pytest.approx(node_joules, rel=0.01)
