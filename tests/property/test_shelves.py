"""A signal that is taken off its shelf some series at a time is the signal, whatever exporters and requests made of it."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costlab.config.servers import Prometheus
from costlab.domain.signals import Series, Signal, one_after_another
from costlab.domain.time import Day, Window
from costlab.jobs.fetch import SpooledSource
from costlab.jobs.reading import in_blocks
from costlab.sources import Batch, RawSeries, Sink
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.prometheus.canonical import STALE_BITS, canonical_series
from costlab.sources.prometheus.catalogue import built_in
from costlab.store.spool import Spool

DAY = Day(date(2026, 11, 20))
WINDOW = DAY.window
SIGNALS: dict[Signal, tuple[str, tuple[str, ...]]] = {
    Signal.POD_PHASE: ("kube_pod_status_phase", ("namespace", "pod", "uid", "phase")),
    Signal.CPU_SECONDS: ("container_cpu_usage_seconds_total", ("namespace", "pod", "container", "id")),
}
STALE = float(np.array([STALE_BITS], np.uint64).view(np.float64)[0])
Requests = list[list[Batch]]


@st.composite
def requests(draw: st.DrawFn, signal: Signal) -> Requests:
    """What several requests of one window after the other bring, in batches: series of two replicas, in any order."""
    metric, names = SIGNALS[signal][0], (*SIGNALS[signal][1], "replica")
    asked: Requests = []
    for number in range(draw(st.integers(1, 3))):
        sets = draw(st.lists(st.tuples(*(st.sampled_from("ab") for _ in names)), unique=True, max_size=12))
        batches = []
        for low in range(0, len(sets), 4):
            labels = [
                {"__name__": metric, **dict(zip(names, values, strict=True))}
                for values in sets[low : low + 4]
            ]
            counts = draw(st.lists(st.integers(0, 4), min_size=len(labels), max_size=len(labels)))
            at_ms, values = [], []
            for count in counts:
                start = draw(st.integers(0, 5)) + 1000 * number
                at_ms += [WINDOW.start_ms + start + 3 * i for i in range(count)]
                values += draw(
                    st.lists(
                        st.one_of(st.integers(0, 5).map(float), st.sampled_from([STALE, -1.0, np.inf])),
                        min_size=count,
                        max_size=count,
                    )
                )
            maps = pa.array([list(one.items()) for one in labels], pa.map_(pa.string(), pa.string()))
            offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
            batches.append(Batch(maps, offsets, np.array(at_ms, np.int64), np.array(values, np.float64)))
        asked.append(batches)
    return asked


class Wire(PrometheusSource):
    """A Prometheus that answers with what was made up for one signal, and with nothing for the others."""

    def __init__(self, wanted: Signal, asked: Requests) -> None:
        super().__init__(Prometheus(url="http://localhost", replica_labels=("replica",)))
        self._wanted, self._asked = wanted, asked

    def read(
        self,
        signals: Sequence[Signal],
        window: Window,  # noqa: ARG002 - all that there is lies in it
        sink_of: Callable[[Signal], Sink],
        done: Callable[[Signal, Sequence[str]], None],
    ) -> None:
        for signal in signals:
            sink = sink_of(signal)
            for batches in self._asked if signal is self._wanted else []:
                part = sink.part()
                for batch in batches:
                    part.add(batch)
                part.keep()
            done(signal, [])


def told(series: Series) -> list[object]:
    return [series.labels, series.offsets.tolist(), series.at_ms.tolist(), str(series.values.tolist())]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.data(), st.sampled_from(sorted(SIGNALS)), st.integers(1, 20))
def test_series_by_series_it_is_the_signal_that_all_samples_make(
    tmp_path: Path, data: st.DataObject, signal: Signal, most: int
) -> None:
    asked = data.draw(requests(signal))
    spool = Spool(tmp_path, "prod", DAY)
    spool.drop()
    source = Wire(signal, asked)
    raw: list[RawSeries] = [one for batches in asked for batch in batches for one in batch.series()]
    whole = canonical_series(signal, built_in().metrics(signal), raw, ("replica",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("costlab.store.spool._ROWS", 3)  # so that row groups end within series
        shelf = SpooledSource(source, spool).shelf(signal, WINDOW)
    taken = [shelf.take(which) for which in in_blocks(shelf.sizes, most)]
    assert told(one_after_another(signal, [series for _, series in taken])) == told(whole)
    seen = np.concatenate([places for places, _ in taken])
    if len(seen):
        some = np.sort(
            np.array(data.draw(st.lists(st.sampled_from(seen.tolist()), unique=True))), kind="stable"
        )
        places, series = shelf.take(some.astype(np.int64))
        assert places.tolist() == some.tolist()
        assert told(series) == told(whole.take(np.searchsorted(seen, some)))
    direct = PrometheusSource(Prometheus(url="http://localhost", replica_labels=("replica",)))
    direct.shape(
        signal, [one.labels for one in raw], np.array([len(one.at_ms) for one in raw], np.int64)
    ).whole(raw)
    SpooledSource(source, spool).shelf(signal, WINDOW)  # again, and nothing is taken from it
    assert source.warnings == direct.warnings
