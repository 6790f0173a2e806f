"""A real Prometheus through the query engine: the synthetic cluster comes back to the last bit, in the usual form."""

from collections.abc import Callable
from pathlib import Path
from typing import Never

import numpy as np
import pytest
from reading import as_samples, read

from costlab.config.servers import Prometheus
from costlab.domain.time import HOUR_MS, Window
from costlab.sources import RawSeries
from costlab.sources.prometheus import matrix
from costlab.sources.prometheus.answer import QueryTooLarge
from costlab.sources.prometheus.connection import open_session
from costlab.sources.prometheus.http import Client
from costlab.sources.prometheus.query_engine import QueryEngine
from costlab.sources.prometheus.selector import Matcher, Operator, Selector
from costlab.sources.synthetic import SyntheticCluster
from costlab.sources.synthetic.openmetrics import write_openmetrics

pytestmark = pytest.mark.prometheus


@pytest.fixture(autouse=True)
def usual_form(monkeypatch: pytest.MonkeyPatch) -> None:
    def needed(_: object) -> Never:
        raise AssertionError("a general parser was needed")

    monkeypatch.setattr(matrix, "series_of", needed)


def engine(url: str) -> QueryEngine:
    return QueryEngine(Client(url, open_session(Prometheus(url=url)), 60.0))


def same(url: str, selector: Selector, window: Window, family: list[RawSeries]) -> None:
    found, wanted = read(engine(url), selector, window), as_samples(family)
    assert found.keys() == wanted.keys() != set()
    for labels, (at_ms, values) in wanted.items():
        np.testing.assert_array_equal(found[labels][0], at_ms)
        assert found[labels][1].tobytes() == values.astype(np.float64).tobytes()


@pytest.mark.parametrize("metric", SyntheticCluster(days=1).metrics())
def test_the_day_comes_back(
    synthetic_prometheus: str, synthetic_cluster: SyntheticCluster, metric: str
) -> None:
    window = synthetic_cluster.days[-1].window.widen(HOUR_MS, HOUR_MS)
    same(synthetic_prometheus, Selector(metric), window, synthetic_cluster.raw(metric, window))


@pytest.mark.parametrize("rest_ms", [0, 1, 999])
def test_a_window_holds_its_start_and_not_its_end(
    synthetic_prometheus: str, synthetic_cluster: SyntheticCluster, rest_ms: int
) -> None:
    metric = "container_cpu_usage_seconds_total"
    day = synthetic_cluster.days[-1].window
    instant_ms = int(synthetic_cluster.raw(metric, day)[0].at_ms[100])
    for window in (
        Window(instant_ms + rest_ms, instant_ms + HOUR_MS),
        Window(instant_ms - HOUR_MS, instant_ms + rest_ms),
    ):
        same(synthetic_prometheus, Selector(metric), window, synthetic_cluster.raw(metric, window))


def test_hostile_labels_and_values(prometheus_server: Callable[..., str], tmp_path: Path) -> None:
    window = Window(1_795_132_800_000, 1_795_132_800_000 + HOUR_MS)
    at_ms = window.start_ms + np.array([0, 1, 999, 61_001, HOUR_MS - 1], np.int64)
    label = 'back\\slash "quote":"\nnew line, {brace} = # \u00e9\u2028\U0001f680 <&> }],"values":[1'
    family = [
        RawSeries({"__name__": "hostile", "label": label, "other": '":'}, at_ms, np.array(values))
        for values in ([0.1, 1e-300, 2.0**63, -1.7976931348623157e308, 5e-324],)
    ] + [
        RawSeries(
            {"__name__": "hostile"}, at_ms, np.array([np.inf, -np.inf, -0.0, 1 / 3, 9007199254740993.0])
        )
    ]

    class Hostile:
        def metrics(self) -> tuple[str, ...]:
            return ("hostile",)

        def raw(self, metric: str, window: Window) -> list[RawSeries]:
            del metric, window
            return family

    write_openmetrics(Hostile(), window, tmp_path / "hostile.om")
    url = prometheus_server(tmp_path / "hostile.om", "--query.max-samples=9")
    assert len(family) == 2
    with pytest.raises(QueryTooLarge):
        read(engine(url), Selector("hostile"), window)
    for series, operator in zip(family, (Operator.NOT_EQUAL, Operator.EQUAL), strict=True):
        same(url, Selector("hostile", (Matcher("label", operator, ""),)), window, [series])
