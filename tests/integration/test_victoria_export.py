"""A real VictoriaMetrics: the synthetic cluster comes back, within what decimal numbers keep of it."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
import requests
from reading import Samples, as_samples, read
from victoria_server import put

from costlab.config.servers import Engine, Prometheus
from costlab.domain.signals import Signal
from costlab.domain.time import HOUR_MS, MINUTE_MS, Window
from costlab.sources import RawSeries
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.prometheus.answer import QueryTooLarge
from costlab.sources.prometheus.canonical import STALE_BITS, blank
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.flavour import Flavour, recognise
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.query_engine import QueryEngine
from costlab.sources.prometheus.selector import Matcher, Operator, Selector
from costlab.sources.prometheus.victoria import VictoriaEngine
from costlab.sources.synthetic import SyntheticCluster, SyntheticSource

pytestmark = pytest.mark.victoria

START_MS = 1_795_132_800_000
HOUR = Window(START_MS, START_MS + HOUR_MS)


def client(url: str) -> Client:
    return Client(url, open_session(Prometheus(url=url)), 60.0)


def nearly_same(found: Samples, wanted: Samples) -> None:
    assert found.keys() == wanted.keys()
    for labels, (at_ms, values) in wanted.items():
        np.testing.assert_array_equal(found[labels][0], at_ms)
        np.testing.assert_allclose(found[labels][1], values, rtol=1e-12, atol=0)


@pytest.mark.parametrize("metric", SyntheticCluster(days=1).metrics())
def test_the_day_comes_back(
    synthetic_victoria: str, synthetic_cluster: SyntheticCluster, metric: str
) -> None:
    window = synthetic_cluster.days[-1].window.widen(HOUR_MS, HOUR_MS)
    family = as_samples(synthetic_cluster.raw(metric, window))
    engine = VictoriaEngine(client(synthetic_victoria))
    found = read(engine, Selector(metric), window)
    coarse = {labels for labels, (_, values) in family.items() if blank(values).any()}
    assert bool(engine.remarks) == bool(coarse)
    for labels in coarse:
        # Beside 2^63 it has no digits left behind the point.
        (at_ms, values), (told_ms, told) = found.pop(labels), family.pop(labels)
        np.testing.assert_array_equal(at_ms, told_ms)
        np.testing.assert_allclose(values, told, rtol=1e-12, atol=1)
    nearly_same(found, family)


def test_both_ways_into_it_give_the_same(
    synthetic_victoria: str, synthetic_cluster: SyntheticCluster
) -> None:
    start_ms = synthetic_cluster.days[-1].window.start_ms
    window = Window(start_ms + 1, start_ms + HOUR_MS + 1)
    # An empty alternative selects what has no such label.
    selector = Selector("container_cpu_usage_seconds_total", (Matcher("cpu", Operator.MATCHES, "total|"),))
    exported = read(VictoriaEngine(client(synthetic_victoria)), selector, window)
    asked = read(QueryEngine(client(synthetic_victoria)), selector, window)
    assert exported.keys() == asked.keys() != set()
    for labels, (at_ms, values) in exported.items():
        np.testing.assert_array_equal(at_ms, asked[labels][0])
        assert values.tobytes() == asked[labels][1].tobytes()


@pytest.mark.parametrize("rest_ms", [0, 1, 499, 999])
def test_a_window_holds_its_start_and_not_its_end(victoria_server: Callable[..., str], rest_ms: int) -> None:
    url = victoria_server()
    first_ms = START_MS + rest_ms
    at_ms = np.arange(first_ms - 3, first_ms + 10)
    put(url, [RawSeries({"__name__": "up"}, at_ms, at_ms.astype(np.float64))])
    engine = VictoriaEngine(client(url))
    for start_ms in range(first_ms, first_ms + 3):
        for length_ms in range(4):
            found = read(engine, Selector("up"), Window(start_ms, start_ms + length_ms))
            told = [int(at) for at, _ in found.values() for at in at]
            assert told == list(range(start_ms, start_ms + length_ms))


HOSTILE = 'back\\slash "quote"\nnew line, {brace} = # \u00e9\u2028\U0001f680 <&> }],"values":[1'


def test_hostile_labels_and_values(victoria_server: Callable[..., str]) -> None:
    url = victoria_server()
    at_ms = HOUR.start_ms + np.array([0, 1, 999, 61_001, HOUR_MS - 1], np.int64)
    family = [
        RawSeries({"__name__": "hostile", "label": HOSTILE, "other": str(number)}, at_ms, values)
        for number, values in enumerate(
            [
                np.array([0.1, -0.1, 1234567.125, 1 / 3, 0.0]),
                np.array([1e300, 2e299, -1.5e300, 1.7976931348623157e308, 1e301]),
                np.array([1e-300, 5e-305, 3.3e-301, 0.0, 1e-299]),
                np.array([2.0**53, 2.0**53 + 2, 9007199254740993.0 * 2, 1.0, -1.0]),
            ]
        )
    ]
    put(url, family)
    nearly_same(read(VictoriaEngine(client(url)), Selector("hostile"), HOUR), as_samples(family))


def test_the_end_of_a_series_keeps_its_bits_and_the_same_instant_its_largest_value(
    victoria_server: Callable[..., str],
) -> None:
    url = victoria_server()
    stale = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]
    samples = [(0, 1.5), (1000, stale), (2000, float("nan")), (3000, float("inf")), (3500, 7.0), (3500, 9.0)]
    remote_write(url, {"__name__": "ends"}, [(START_MS + at, value) for at, value in samples])
    ((at_ms, values),) = read(VictoriaEngine(client(url)), Selector("ends"), HOUR).values()
    # Any other NaN than the marker is not even stored.
    assert (at_ms - START_MS).tolist() == [0, 1000, 3000, 3500]
    assert values.view(np.int64)[1] == STALE_BITS
    assert values[[0, 2, 3]].tolist() == [1.5, float("inf"), 9.0]


def test_too_many_series_are_too_large_in_its_own_words(victoria_server: Callable[..., str]) -> None:
    url = victoria_server("-search.maxExportSeries=10")
    put(url, [RawSeries({"__name__": "up", "pod": str(number)}, *one_sample()) for number in range(30)])
    engine = VictoriaEngine(client(url))
    with pytest.raises(QueryTooLarge, match="narrow down the search or increase") as fault:
        read(engine, Selector("up"), HOUR)
    assert "remoteAddr" not in fault.value.message
    few = Selector("up", (Matcher("pod", Operator.MATCHES, "1|2"),))
    assert len(read(engine, few, HOUR)) == 2


def one_sample() -> tuple[np.ndarray, np.ndarray]:
    return np.array([START_MS + MINUTE_MS]), np.array([1.0])


def test_it_is_told_from_prometheus(synthetic_victoria: str, synthetic_prometheus: str) -> None:
    found = recognise(client(synthetic_victoria))
    assert found.flavour is Flavour.VICTORIA_METRICS
    assert found.limits["retentionPeriod"] == "100y"
    assert recognise(client(synthetic_prometheus)).flavour is Flavour.PROMETHEUS


def test_it_is_read_by_its_export_unless_told_otherwise(
    synthetic_victoria: str, synthetic_cluster: SyntheticCluster
) -> None:
    start_ms = synthetic_cluster.days[-1].window.start_ms
    window = Window(start_ms, start_ms + HOUR_MS)
    exported = PrometheusSource(Prometheus(url=synthetic_victoria))
    asked = PrometheusSource(Prometheus(url=synthetic_victoria, engine=Engine.JSON))
    for signal in (Signal.CPU_SECONDS, Signal.POD_LABELS, Signal.GPU_POWER):
        wanted, found = asked.fetch(signal, window), exported.fetch(signal, window)
        assert len(wanted)
        assert found.labels == wanted.labels
        np.testing.assert_array_equal(found.at_ms, wanted.at_ms)
        assert found.values.tobytes() == wanted.values.tobytes()
    assert (exported.info().engine, asked.info().engine) == ("victoria-export", "json")


def test_no_series_has_anothers_samples_whoever_else_asks(
    victoria_server: Callable[..., str], synthetic_cluster: SyntheticCluster
) -> None:
    start_ms = synthetic_cluster.days[-1].window.start_ms
    window = Window(start_ms, start_ms + HOUR_MS)
    wanted = SyntheticSource(synthetic_cluster).fetch(Signal.CPU_SECONDS, window)
    url = victoria_server()
    for metric in synthetic_cluster.metrics():
        put(url, synthetic_cluster.raw(metric, synthetic_cluster.days[-1].window.widen(HOUR_MS, HOUR_MS)))
    exported = PrometheusSource(Prometheus(url=url))
    asked = PrometheusSource(Prometheus(url=url, engine=Engine.JSON))
    # With reduce_mem_usage 1.79 gives samples under the labels of other series, when it is asked in other ways as well.
    for _ in range(60):
        for found in (asked.fetch(Signal.CPU_SECONDS, window), exported.fetch(Signal.CPU_SECONDS, window)):
            assert found.labels == wanted.labels
            np.testing.assert_array_equal(found.at_ms, wanted.at_ms)


def remote_write(url: str, labels: dict[str, str], samples: list[tuple[int, float]]) -> None:
    """Prometheus's own way to write, and the only one that knows a stale marker: protobuf in snappy."""
    pairs = b"".join(_field(1, _field(1, k.encode()) + _field(2, v.encode())) for k, v in labels.items())
    told = b"".join(
        _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(at)) for at, value in samples
    )
    message = _field(1, pairs + told)
    literals = [message[start : start + 60] for start in range(0, len(message), 60)]
    packed = _varint(len(message)) + b"".join(bytes([len(part) - 1 << 2]) + part for part in literals)
    with requests.Session() as session:
        session.trust_env = False
        session.post(f"{url}/api/v1/write", data=packed, timeout=60).raise_for_status()
        session.get(f"{url}/internal/force_flush", timeout=60).raise_for_status()


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    low = [number >> shift & 127 for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(part | 128 for part in low[:-1]), low[-1]])
