"""A made-up cluster with a story, so that the demo needs no network and the tests know the truth."""

from datetime import date
from functools import lru_cache

from costlab import __version__
from costlab.domain.signals import Series, Signal
from costlab.domain.time import Day, Window, days_between
from costlab.sources import RawSeries, Shelf, SourceInfo, Whole
from costlab.sources.prometheus.canonical import Canonical, left_out, lengths_of
from costlab.sources.prometheus.catalogue import Metric, built_in
from costlab.sources.synthetic.cadvisor import CADVISOR, raw_cadvisor
from costlab.sources.synthetic.dcgm import DCGM, EnergyMeters, raw_dcgm
from costlab.sources.synthetic.kube_state import KUBE_STATE, raw_kube_state
from costlab.sources.synthetic.kubelet import KUBELET, raw_kubelet
from costlab.sources.synthetic.meters import Meters
from costlab.sources.synthetic.story import tell

LAST_DAY = date(2026, 11, 20)  # a Friday


class SyntheticCluster:
    """The metrics that Prometheus would hold of an ML platform with five teams, up to and including `last`.

    The same arguments give the same samples in every process, and a window gives exactly those samples of
    a larger one that lie in it. Samples begin a day before the first of the `days` and end a day after
    `last`, so that a day can be read with its margins.
    """

    def __init__(
        self, seed: int = 7, last: date = LAST_DAY, days: int = 30, *, ksm_interval_ms: int = 120_000
    ) -> None:
        self.story = tell(seed, last, days)
        self._meters = Meters(seed)
        self._energy = EnergyMeters(self.story, self._meters)
        self._ksm_interval_ms = ksm_interval_ms
        self._around = lru_cache(maxsize=4)(
            self.story.around
        )  # a day's metrics are asked for one after the other

    @property
    def days(self) -> tuple[Day, ...]:
        """The days of the story in UTC, first to last."""
        calendar = self.story.calendar
        return days_between(Day(calendar.date_of(1 - calendar.length)), Day(calendar.last))

    @property
    def history(self) -> Window:
        """The instants outside of which nothing was scraped."""
        return self.story.calendar.history

    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics, exporter by exporter."""
        return (*KUBE_STATE, *CADVISOR, *KUBELET, *DCGM)

    def raw(self, metric: str, window: Window) -> list[RawSeries]:
        """The metric's series with samples in the window; a metric that nobody exposes has none."""
        window = _overlap(window, self.history)
        story = self._around(window)
        if metric in KUBE_STATE:
            return list(raw_kube_state(story, metric, window, self._ksm_interval_ms))
        if metric in CADVISOR:
            return list(raw_cadvisor(story, self._meters, metric, window, interval_ms=60_000))
        if metric in KUBELET:
            return list(raw_kubelet(story, metric, window, interval_ms=60_000))
        if metric in DCGM:
            return list(raw_dcgm(story, self._meters, self._energy, metric, window, interval_ms=60_000))
        return []


class SyntheticSource:
    """The synthetic cluster read as Prometheus is, without the Prometheus: the same samples, the same signals."""

    def __init__(self, cluster: SyntheticCluster) -> None:
        self.warnings: list[str] = []
        self._cluster = cluster

    def fetch(self, signal: Signal, window: Window) -> Series:
        """All samples with window.start_ms <= t < window.end_ms; never fails."""
        found: list[RawSeries] = []

        def told(metric: Metric) -> list[RawSeries]:
            return [s for s in self._cluster.raw(metric.name, window) if metric.counts(s.labels)]

        def take(metric: Metric) -> bool:
            series = told(metric)
            found.extend(series)
            return bool(series)

        catalogue = built_in()
        catalogue.carry(signal, take, lambda metric: bool(told(metric)))
        shape = Canonical(signal, catalogue.metrics(signal), [s.labels for s in found], lengths_of(found), ())
        series = shape.whole(found)
        self.warnings += sorted({left_out(metric) for metric in shape.unsound} - set(self.warnings))
        return series

    def shelf(self, signal: Signal, window: Window) -> Shelf:
        """The same, on a shelf."""
        return Whole(self.fetch(signal, window))

    def ahead_s(self) -> float:
        """Not at all."""
        return 0.0

    def info(self) -> SourceInfo:
        """The cluster itself, as this version tells it."""
        return SourceInfo("synthetic", __version__, "direct")

    def settled(self) -> None:
        """Nothing is kept."""


def _overlap(window: Window, history: Window) -> Window:
    """The part of the window that lies in the history; empty, when there is none."""
    start_ms = min(max(window.start_ms, history.start_ms), history.end_ms)
    return Window(start_ms, max(start_ms, min(window.end_ms, history.end_ms)))
