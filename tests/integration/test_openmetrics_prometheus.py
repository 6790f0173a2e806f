"""promtool takes the synthetic cluster, and a real Prometheus gives the same samples back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import requests
from numpy.typing import NDArray

from costlab.domain.time import HOUR_MS, Window
from costlab.sources import RawSeries
from costlab.sources.synthetic import SyntheticCluster
from costlab.sources.synthetic.openmetrics import write_openmetrics

pytestmark = pytest.mark.prometheus
HOSTILE = 'back\\slash "quote"\nnew line, {brace} = # \u00e9\u2028\U0001f680'


Samples = dict[frozenset[tuple[str, str]], tuple[NDArray[np.int64], NDArray[np.float64]]]


def ask(url: str, metric: str, window: Window) -> Samples:
    """All raw samples of a metric in the window, as {labels: (at_ms, values)}."""
    # A range selector of Prometheus 2 holds both of its ends, that of 3 only the later one.
    query = {"query": f"{metric}[{window.duration_ms}ms]", "time": f"{(window.end_ms - 1) / 1000:.3f}"}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/api/v1/query", data=query, timeout=60)
    answer.raise_for_status()
    found: Samples = {}
    for series in answer.json()["data"]["result"]:
        at_ms = np.array([round(seconds * 1000) for seconds, _ in series["values"]], np.int64)
        values = np.array([float(text) for _, text in series["values"]])
        inside = at_ms >= window.start_ms
        if inside.any():
            found[frozenset(series["metric"].items())] = (at_ms[inside], values[inside])
    return found


def same(found: Samples, family: list[RawSeries]) -> None:
    assert found.keys() == {frozenset(series.labels.items()) for series in family}
    for series in family:
        at_ms, values = found[frozenset(series.labels.items())]
        np.testing.assert_array_equal(at_ms, series.at_ms)
        np.testing.assert_array_equal(values, series.values)


@pytest.mark.parametrize("metric", SyntheticCluster(days=1).metrics())
def test_prometheus_holds_the_day_as_the_cluster_tells_it(
    synthetic_prometheus: str, synthetic_cluster: SyntheticCluster, metric: str
) -> None:
    window = synthetic_cluster.days[-1].window.widen(HOUR_MS, HOUR_MS)
    family = synthetic_cluster.raw(metric, window)
    assert family
    same(ask(synthetic_prometheus, metric, window), family)


def test_prometheus_gives_hostile_labels_back(prometheus_server: Callable[..., str], tmp_path: Path) -> None:
    window = Window(1_795_132_800_000, 1_795_132_800_000 + HOUR_MS)
    at_ms = window.start_ms + np.array([0, 1, 999, 61_001, HOUR_MS - 1], np.int64)
    values = np.array([0.1, 1e-300, 2.0**63, -1.7976931348623157e308, 5e-324])
    family = [RawSeries({"__name__": "hostile", "label": HOSTILE, "other": "\\n"}, at_ms, values)]

    class Hostile:
        def metrics(self) -> tuple[str, ...]:
            return ("hostile",)

        def raw(self, metric: str, window: Window) -> list[RawSeries]:
            assert metric == "hostile"
            assert window.end_ms > at_ms[-1]
            return family

    write_openmetrics(Hostile(), window, tmp_path / "hostile.om")
    same(ask(prometheus_server(tmp_path / "hostile.om"), "hostile", window), family)
