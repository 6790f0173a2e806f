"""Laws of canonical series: neither the order of series nor the number of replicas changes a signal."""

import time
from collections.abc import Iterable, Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from costlab.domain.signals import Series, Signal
from costlab.sources import RawSeries
from costlab.sources.prometheus.canonical import STALE_BITS
from costlab.sources.prometheus.canonical import canonical_series as of_carriers
from costlab.sources.prometheus.catalogue import built_in

STALE = float(np.array([STALE_BITS], np.int64).view(np.float64)[0])
REPLICA = ("prometheus_replica",)


def canonical_series(signal: Signal, raw: Sequence[RawSeries], replica_labels: Iterable[str]) -> Series:
    return of_carriers(signal, built_in().metrics(signal), raw, replica_labels)


def series(labels: dict[str, str], samples: dict[int, float]) -> RawSeries:
    # float64 bits have to stay as they are: a list of Python floats keeps a signalling NaN.
    at_ms = np.array(sorted(samples), np.int64)
    return RawSeries(labels, at_ms, np.array([samples[at] for at in at_ms.tolist()], np.float64))


def as_tuple(found: Series) -> tuple[object, ...]:
    return (
        tuple(tuple(labels.items()) for labels in found.labels),
        found.offsets.tolist(),
        found.at_ms.tolist(),
        found.values.tobytes(),
    )


odd_values = st.sampled_from(
    [float("nan"), float("inf"), -float("inf"), STALE, 2.0**62, 9223372036854775794.0, -1.0]
)
values = st.floats(0, 1e15) | odd_values
samples = st.dictionaries(st.integers(0, 40), values, min_size=1, max_size=12)
names = st.sampled_from(["a", "b", "c"])
labels = st.fixed_dictionaries(
    {"__name__": st.just("kube_pod_info"), "pod": names},
    optional={
        "node": names,
        "exported_pod": names,
        "instance": names,
        "prometheus_replica": names,
        "host_ip": names,
    },
)
raw_series = st.builds(series, labels, samples)


def test_a_replica_label_that_nobody_configured_doubles_nothing() -> None:
    cpu = {
        "__name__": "container_cpu_usage_seconds_total",
        "namespace": "ns",
        "pod": "p",
        "container": "c",
        "id": "/p",
    }
    both = [
        series({**cpu, "monitor": name}, {at + shift: float(at) for at in (0, 10, 20)})
        for name, shift in (("a", 0), ("b", 3))
    ]
    found = canonical_series(Signal.CPU_SECONDS, both, ())
    assert [dict(one) for one in found.labels] == [
        {name: cpu[name] for name in ("namespace", "pod", "container", "id")}
    ]
    assert found.at_ms.tolist() == [0, 3, 10, 13, 20, 23]


@settings(deadline=None)
@given(st.lists(raw_series, max_size=8).flatmap(lambda raw: st.tuples(st.just(raw), st.permutations(raw))))
def test_the_order_of_series_does_not_matter(both: tuple[list[RawSeries], list[RawSeries]]) -> None:
    raw, shuffled = both
    assert as_tuple(canonical_series(Signal.POD_INFO, raw, REPLICA)) == as_tuple(
        canonical_series(Signal.POD_INFO, shuffled, REPLICA)
    )


@settings(deadline=None)
@given(st.lists(raw_series, max_size=8))
def test_the_form_is_that_of_the_vocabulary(raw: list[RawSeries]) -> None:
    found = canonical_series(Signal.POD_INFO, raw, REPLICA)
    assert found.offsets.dtype == found.at_ms.dtype == np.int64
    assert found.values.dtype == np.float64
    assert found.offsets[0] == 0
    assert found.offsets[-1] == len(found.at_ms) == len(found.values)
    keys = [tuple(sorted(one.items())) for one in found.labels]
    assert len(set(keys)) == len(keys) == len(found.offsets) - 1
    assert all(all(one.values()) and set(one) <= {"pod", "node", "instance"} for one in found.labels)
    for first, end in zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True):
        assert (np.diff(found.at_ms[first:end]) > 0).all()
        assert np.isfinite(found.values[first:end]).any(), "a series was seen at least once"
    finite = np.isfinite(found.values)
    assert (found.values[finite] >= 0).all()
    assert (found.values[finite] < 2.0**62).all()
    assert np.isnan(found.values[~finite]).all()


@settings(deadline=None)
@given(st.data(), st.dictionaries(names, samples, max_size=3))
def test_replicas_with_different_gaps_are_the_series_without_gaps(
    data: st.DataObject, truth: dict[str, dict[int, float]]
) -> None:
    whole, split = [], []
    for pod, shown in truth.items():
        own = {"__name__": "kube_pod_info", "pod": pod}
        whole.append(series(own, shown))
        seen_by = data.draw(
            st.lists(st.sampled_from(["r0", "r1", "both"]), min_size=len(shown), max_size=len(shown))
        )
        for replica in ("r0", "r1"):
            part = {
                at: v for (at, v), who in zip(shown.items(), seen_by, strict=True) if who in {replica, "both"}
            }
            split.append(series(own | {"prometheus_replica": replica}, part))
    assert as_tuple(canonical_series(Signal.POD_INFO, whole, ())) == as_tuple(
        canonical_series(Signal.POD_INFO, split, REPLICA)
    )


@settings(deadline=None)
@given(samples, st.integers(0, 41), st.booleans())
def test_pieces_of_a_window_are_the_window(shown: dict[int, float], cut: int, swap: bool) -> None:
    own = {"__name__": "kube_pod_info", "pod": "p"}
    pieces = [
        series(own, {at: value for at, value in shown.items() if (at < cut) == before})
        for before in (not swap, swap)
    ]
    assert as_tuple(canonical_series(Signal.POD_INFO, pieces, ())) == as_tuple(
        canonical_series(Signal.POD_INFO, [series(own, shown)], ())
    )


def test_at_the_same_instant_the_largest_counts_and_a_marker_yields() -> None:
    own = {"__name__": "kube_pod_info", "pod": "p"}
    raw = [
        series(own | {"prometheus_replica": "r0"}, {1: 5.0, 2: STALE, 3: 1.0, 4: STALE}),
        series(own | {"prometheus_replica": "r1"}, {1: 7.0, 2: 3.0, 4: STALE}),
    ]
    found = canonical_series(Signal.POD_INFO, raw, REPLICA)
    assert found.at_ms.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(found.values, [7.0, 3.0, 1.0, np.nan])


def test_a_replica_that_comes_late_is_no_reset_of_a_counter() -> None:
    own = {"__name__": "container_cpu_usage_seconds_total", "pod": "p", "container": "c", "id": "/p/c"}
    minutes = [60_000 * i for i in range(4)]
    first = series(own | {"prometheus_replica": "r0"}, {at: 1e6 + at / 1000 for at in minutes})
    late = series(own | {"prometheus_replica": "r1"}, {at + 1: 1e6 + at / 1000 - 0.01 for at in minutes})
    found = canonical_series(Signal.CPU_SECONDS, [first, late], REPLICA)
    assert (found.at_ms.tolist(), found.values.tolist()) == (minutes, first.values.tolist())


def test_what_one_replica_tells_alone_is_never_late() -> None:
    own = {"__name__": "container_cpu_usage_seconds_total", "pod": "p", "container": "c", "id": "/p/c"}
    shown = {1: 7.0, 2: 3.0, 3: 8.0, 4: 1.0}
    pieces = [
        series(own, {at: value for at, value in shown.items() if (at < 3) == low}) for low in (True, False)
    ]
    found = canonical_series(Signal.CPU_SECONDS, pieces, REPLICA)
    assert found.values.tolist() == list(shown.values())


def test_a_label_that_tells_replicas_apart_may_be_one_of_ours() -> None:
    raw = [series({"__name__": "kube_pod_info", "pod": "p", "instance": i}, {1: 1.0}) for i in ("a", "b")]
    assert len(canonical_series(Signal.POD_INFO, raw, ())) == 2
    assert [dict(one) for one in canonical_series(Signal.POD_INFO, raw, ("instance",)).labels] == [
        {"pod": "p"}
    ]
    kept = [series({"__name__": "kube_pod_labels", "pod": "p", "label_r": i}, {1: 1.0}) for i in ("a", "b")]
    assert [dict(one) for one in canonical_series(Signal.POD_LABELS, kept, ("label_r",)).labels] == [
        {"pod": "p"}
    ]


def test_a_hundred_thousand_series_are_cheap() -> None:
    at_ms = np.arange(120, dtype=np.int64) * 60_000
    raw = [
        RawSeries(
            {"__name__": "container_memory_working_set_bytes", "namespace": "ml", "pod": f"p{number}", "container": "c",
             "id": f"/kubepods/{number}", "image": "i", "name": f"n{number}", "node": f"n{number % 900}", "job": "kubelet",
             "instance": "10.0.0.1:10250", "metrics_path": "/metrics/cadvisor", "service": "kubelet"},
            at_ms,
            np.ones(120),
        )
        for number in range(100_000)
    ]  # fmt: skip
    started = time.process_time()
    found = canonical_series(Signal.MEMORY_BYTES, raw, REPLICA)
    assert (len(found), found.sample_count) == (100_000, 12_000_000)
    assert time.process_time() - started < 10  # about 2 s where this was written
