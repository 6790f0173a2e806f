"""Laws of the synthetic cluster: one truth for every window, in every process."""

import os
import subprocess
import sys
from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from costlab.domain.time import HOUR_MS, Window
from costlab.sources.synthetic import SyntheticCluster

CLUSTER = SyntheticCluster()
MINUTE_MS = 60_000


Samples = dict[tuple[tuple[str, str], ...], tuple[NDArray[np.int64], NDArray[np.float64]]]


def by_labels(cluster: SyntheticCluster, metric: str, window: Window) -> Samples:
    family = cluster.raw(metric, window)
    found = {tuple(sorted(series.labels.items())): (series.at_ms, series.values) for series in family}
    assert len(found) == len(family), "two series have the same labels"
    return found


@st.composite
def window_in_window(draw: st.DrawFn) -> tuple[Window, Window]:
    history = CLUSTER.history
    start = draw(st.integers(history.start_ms - HOUR_MS, history.end_ms - HOUR_MS))
    large = Window(start, start + draw(st.integers(1, 9 * HOUR_MS)))
    inner = draw(st.integers(large.start_ms, large.end_ms))
    return large, Window(inner, draw(st.integers(inner, large.end_ms)))


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(CLUSTER.metrics()), window_in_window())
def test_a_window_is_the_cut_of_a_larger_one(metric: str, windows: tuple[Window, Window]) -> None:
    large, small = windows
    wanted: Samples = {}
    for labels, (at_ms, values) in by_labels(CLUSTER, metric, large).items():
        inside = (at_ms >= small.start_ms) & (at_ms < small.end_ms)
        if inside.any():
            wanted[labels] = (at_ms[inside], values[inside])
    found = by_labels(CLUSTER, metric, small)
    assert found.keys() == wanted.keys()
    for labels, (at_ms, values) in found.items():
        np.testing.assert_array_equal(at_ms, wanted[labels][0])
        np.testing.assert_array_equal(values, wanted[labels][1])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.dates(date(2020, 1, 1), date(2035, 1, 1)), st.integers(1, 3))
def test_any_seed_and_date_tells_a_sound_story(seed: int, last: date, days: int) -> None:
    cluster = SyntheticCluster(seed, last, days)
    window = Window(cluster.days[-1].window.start_ms, cluster.days[-1].window.start_ms + 30 * MINUTE_MS)
    assert len(cluster.days) == days
    assert cluster.days[-1].date == last
    for metric in cluster.metrics():
        for labels, (at_ms, values) in by_labels(cluster, metric, window).items():
            assert all(text for _, text in labels), "Prometheus stores no empty labels"
            assert (np.diff(at_ms) > 0).all()
            assert (at_ms >= window.start_ms).all()
            assert (at_ms < window.end_ms).all()
            assert np.isfinite(values).all()
            assert (values >= 0).all()


def test_counters_never_fall_within_a_run() -> None:
    two_days = Window(CLUSTER.days[-2].window.start_ms, CLUSTER.days[-1].window.end_ms)
    family = CLUSTER.raw("container_cpu_usage_seconds_total", two_days)
    assert family
    assert all((np.diff(series.values) >= 0).all() for series in family)


def test_counters_go_on_over_midnight_under_the_same_uid() -> None:
    midnight = CLUSTER.days[-1].window.start_ms
    around = Window(midnight - HOUR_MS, midnight + HOUR_MS)
    broker = [
        series
        for series in CLUSTER.raw("container_cpu_usage_seconds_total", around)
        if series.labels.get("pod") == "kafka-0" and series.labels.get("container") == "broker"
    ]
    assert len(broker) == 1
    assert broker[0].at_ms[0] < midnight < broker[0].at_ms[-1]
    rates = np.diff(broker[0].values) / np.diff(broker[0].at_ms / 1000)
    assert rates.min() > 0.1
    assert rates.max() < 2.5


def test_nobody_uses_more_than_the_limit() -> None:
    limits = {
        (limit.labels["pod"], limit.labels["container"]): limit.values[0]
        for limit in CLUSTER.raw("kube_pod_container_resource_limits", CLUSTER.days[-1].window)
        if limit.labels["resource"] == "cpu"
    }
    checked = 0
    for used in CLUSTER.raw("container_cpu_usage_seconds_total", CLUSTER.days[-1].window):
        limit = limits.get((used.labels.get("pod", ""), used.labels.get("container", "")))
        if limit is not None and len(used.at_ms) > 1:
            rates = np.diff(used.values) / np.diff(used.at_ms / 1000)
            assert rates.max() <= limit * 1.000001
            checked += 1
    assert checked > 10


def test_outside_the_history_there_is_nothing() -> None:
    history = CLUSTER.history
    beyond = (Window(0, HOUR_MS), Window(history.end_ms, history.end_ms + HOUR_MS))
    assert all(CLUSTER.raw(metric, window) == [] for metric in CLUSTER.metrics() for window in beyond)
    assert CLUSTER.raw("up", history) == []


DIGEST = """
import hashlib
from costlab.domain.time import HOUR_MS, Window
from costlab.sources.synthetic import SyntheticCluster
cluster = SyntheticCluster(seed=11, days=3)
start_ms = cluster.days[-1].window.start_ms
digest = hashlib.sha256()
for metric in cluster.metrics():
    for series in cluster.raw(metric, Window(start_ms, start_ms + 5 * HOUR_MS)):
        digest.update(repr(series.labels).encode() + series.at_ms.tobytes() + series.values.tobytes())
print(digest.hexdigest())
"""


def test_every_process_sees_the_same_samples() -> None:
    seen = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1", "4242")
    }
    assert len(seen) == 1


def test_another_seed_is_another_cluster() -> None:
    window = Window(CLUSTER.days[-1].window.start_ms, CLUSTER.days[-1].window.start_ms + HOUR_MS)
    uids = [
        {series.labels["uid"] for series in SyntheticCluster(seed).raw("kube_pod_info", window)}
        for seed in (7, 8)
    ]
    assert uids[0]
    assert uids[0].isdisjoint(uids[1])
