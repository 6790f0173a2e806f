"""Whether a night would go well: configuration, lake, Prometheus and every signal, each with its mend."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from costlab.config.settings import Cluster, Prometheus, Settings
from costlab.config.values import without_effect
from costlab.domain.errors import ConfigError, CostlabError
from costlab.domain.signals import SIGNALS, Signal, SignalSpec
from costlab.domain.time import day_of, milliseconds
from costlab.sources import SourceInfo
from costlab.sources.prometheus import PrometheusSource
from costlab.sources.prometheus.catalogue import Catalogue, Metric
from costlab.sources.prometheus.connection import Connection
from costlab.sources.prometheus.selector import Matcher, Operator
from costlab.store.lake import DayState, Lake

SKEW_S = 30.0

# What a night does without, and what is lost with each of them.
_LOST = {
    Signal.CPU_SECONDS: (
        "CPU is charged by request, its use unobserved",
        "let Prometheus scrape the kubelet's cAdvisor",
    ),
    Signal.MEMORY_BYTES: (
        "memory is charged by request, its use unobserved",
        "let Prometheus scrape the kubelet's cAdvisor",
    ),
    Signal.POD_LABELS: (
        "no team, class or pipeline by a pod's labels",
        "start kube-state-metrics with --metric-labels-allowlist=pods=[team,owner]",
    ),
    Signal.NAMESPACE_LABELS: (
        "no team by a namespace's labels",
        "start kube-state-metrics with --metric-labels-allowlist=namespaces=[team,owner]",
    ),
    Signal.NODE_LABELS: (
        "no node rule of the price book can match",
        "start kube-state-metrics with --metric-labels-allowlist=nodes=[*]",
    ),
    Signal.NODE_CAPACITY: ("no idle and no system cost", "let kube-state-metrics expose nodes"),
    Signal.NODE_ALLOCATABLE: ("no system cost", "let kube-state-metrics expose nodes"),
    Signal.REPLICASET_OWNER: (
        "ReplicaSets instead of Deployments",
        "let kube-state-metrics expose replicasets",
    ),
    Signal.GPU_UTILIZATION: (
        "GPUs are charged, but nobody knows how busy they are",
        "run the DCGM exporter, or that of your GPUs",
    ),
}


class Status(StrEnum):
    """OK, worth a look, or in the way of a night."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, what was found, and how to mend it (empty when all is well)."""

    status: Status
    subject: str
    text: str
    mend: str = ""


class Probe(Protocol):
    """Small questions to one Prometheus; each raises SourceError or ConfigError."""

    def info(self) -> SourceInfo:
        """What answers."""
        ...

    def series_count(self, selector: str, at_ms: int) -> int:
        """How many series a selector has at epoch milliseconds."""
        ...

    def clock_skew_s(self, now: datetime) -> float:
        """How far its clock is ahead of `now`."""
        ...

    def close(self) -> None:
        """Give its connections back."""
        ...


class PrometheusProbe(Connection):
    """The questions of `Connection`, and who answers them."""

    def __init__(self, settings: Prometheus) -> None:
        super().__init__(settings)
        self._source = PrometheusSource(settings)

    def info(self) -> SourceInfo:
        """The product and version; raises SourceError."""
        return self._source.info()


def examine(settings: Settings, *, now: datetime, probe_of: Callable[[Cluster], Probe]) -> list[Check]:
    """All checks, in the order in which faults would stop a night; a fault never hides the checks after it."""
    checks = [*_configuration(settings, now), _lake(settings)]
    for cluster in settings.clusters:
        checks += _cluster(cluster, settings, now, probe_of)
    return checks


def _configuration(settings: Settings, now: datetime) -> Iterator[Check]:
    try:
        clusters = settings.chosen()
    except ConfigError as fault:
        yield Check(Status.FAIL, "configuration", fault.message, fault.hint)
    else:
        yield Check(
            Status.OK,
            "configuration",
            f"{settings.file}, clusters: {', '.join(cluster.id for cluster in clusters)}",
        )
    for key in without_effect(settings):
        yield Check(
            Status.WARN, key, "has no effect in this version", "take it out, or leave it for a later one"
        )
    if settings.prices.gpu_hour is None and not settings.book.gpu_models:
        yield Check(
            Status.WARN,
            "prices",
            "GPUs have no price",
            "set prices.gpu_hour, or gpu_models in the price book",
        )
    today = day_of(now, settings.timezone).date
    for number, rule in enumerate(settings.book.nodes):
        followed = any(other.match == rule.match for other in settings.book.nodes[number + 1 :])
        if rule.valid_to and rule.valid_to <= today and not followed:
            text = f"nodes[{number}] ended on {rule.valid_to}; the default rates count since"
            yield Check(Status.WARN, "price book", text, "add the rule that follows it")


def _lake(settings: Settings) -> Check:
    if not (settings.lake / "lake.json").exists():
        return Check(Status.OK, "lake", f"{settings.lake} is not there yet: the first night makes it")
    try:
        states = Lake.open(settings.lake, settings.timezone).states()
    except CostlabError as fault:
        return Check(Status.FAIL, "lake", fault.message, fault.hint)
    broken = sorted(
        f"{cluster} {day}" for (cluster, day), state in states.items() if state is DayState.REPAIR
    )
    if broken:
        mend = f"measure them again: costlab nightly --date {broken[0].split()[1]}"
        return Check(Status.WARN, "lake", f"under repair: {', '.join(broken[:5])}", mend)
    return Check(Status.OK, "lake", f"{settings.lake}, {len(states)} days")


def _cluster(
    cluster: Cluster, settings: Settings, now: datetime, probe_of: Callable[[Cluster], Probe]
) -> Iterator[Check]:
    subject = f"{cluster.id}: Prometheus"
    try:
        probe = probe_of(cluster)
        info = probe.info()
    except CostlabError as fault:
        yield Check(Status.FAIL, subject, fault.message, fault.hint)
        return
    try:
        yield Check(
            Status.OK, subject, f"{info.product} {info.version}, read by {info.engine}".replace("  ", " ")
        )
        yield from _Examination(probe, cluster, settings, now).checks()
    except CostlabError as fault:
        yield Check(Status.FAIL, subject, fault.message, fault.hint)
    finally:
        probe.close()


class _Examination:
    """The checks of one cluster whose Prometheus answers."""

    def __init__(self, probe: Probe, cluster: Cluster, settings: Settings, now: datetime) -> None:
        self._probe = probe
        self._name = cluster.id
        self._settings = settings
        self._now = now
        self._now_ms = milliseconds(now)
        self._catalogue = Catalogue(settings.accelerators)
        self._matchers = tuple(
            Matcher(label, Operator.EQUAL, value)
            for label, value in sorted(cluster.prometheus.matchers.items())
        )

    def checks(self) -> Iterator[Check]:
        yield self._clock()
        for spec in SIGNALS.values():
            yield self._signal(spec)
        yield self._retention()
        yield self._owners()
        yield self._duplicates()

    def _clock(self) -> Check:
        skew_s = self._probe.clock_skew_s(self._now)
        if abs(skew_s) <= SKEW_S:
            return self._found("clock", f"{skew_s:+.1f} s from ours")
        return self._lacks("clock", f"{skew_s:+.0f} s from ours", "let NTP keep both machines' time")

    def _signal(self, spec: SignalSpec) -> Check:
        found: list[str] = []

        def count(metric: Metric) -> int:
            return self._probe.series_count(str(metric.selector(self._matchers)), self._now_ms)

        def take(metric: Metric) -> bool:
            if series := count(metric):
                found.append(f"{series:,} series of {metric.name}")
            return bool(series)

        self._catalogue.carry(spec.signal, take, lambda metric: bool(count(metric)))
        if found:
            return self._found(spec.signal, f"{' and '.join(found)} ({spec.exporter})")
        looked_for = " or ".join(metric.name for metric in self._catalogue.metrics(spec.signal))
        if spec.needed:
            mend = f"let Prometheus scrape {spec.exporter}; check prometheus.matchers"
            return self._check(Status.FAIL, spec.signal, f"no series of {looked_for}", mend)
        if spec.signal in _LOST:
            lost, mend = _LOST[spec.signal]
            return self._lacks(spec.signal, f"no series of {looked_for}: {lost}", mend)
        return self._found(spec.signal, f"no series of {looked_for}; nothing may need it")

    def _retention(self) -> Check:
        yesterday = day_of(self._now, self._settings.timezone).previous
        pods = str(self._catalogue.metrics(Signal.POD_INFO)[0].selector(self._matchers))
        if self._probe.series_count(pods, yesterday.window.start_ms + self._settings.billing.max_gap_ms):
            return self._found("retention", f"reaches back to the start of {yesterday}")
        mend = "keep at least 3 days: --storage.tsdb.retention.time; a new server only needs time"
        return self._lacks("retention", f"no pods at the start of {yesterday}", mend)

    def _owners(self) -> Check:
        labels = self._settings.owner.labels
        pods = self._catalogue.metrics(Signal.POD_LABELS)[0]
        counts = {
            label: self._probe.series_count(
                str(
                    pods.selector(
                        (*self._matchers, Matcher(f"label_{_exposed(label)}", Operator.NOT_EQUAL, ""))
                    )
                ),
                self._now_ms,
            )
            for label in labels
        }
        if any(counts.values()) or not labels:
            return self._found(
                "owners", ", ".join(f"{count:,} pods with {label}" for label, count in counts.items())
            )
        text = f"no pod shows a label {' or '.join(labels)}: teams come from namespaces alone"
        return self._lacks("owners", text, f"--metric-labels-allowlist=pods=[{','.join(labels)}]")

    def _duplicates(self) -> Check:
        pods = str(self._catalogue.metrics(Signal.POD_INFO)[0].selector(self._matchers))
        twice = self._probe.series_count(f"count by (namespace, pod, uid) ({pods}) > 1", self._now_ms)
        if not twice:
            return self._found("duplicates", "every pod is told of once")
        text = f"{twice:,} pods are told of more than once; each still counts once"
        return self._lacks(
            "duplicates", text, "set prometheus.replica_labels or matchers, if it is not on purpose"
        )

    def _found(self, what: str, text: str) -> Check:
        return self._check(Status.OK, what, text)

    def _lacks(self, what: str, text: str, mend: str) -> Check:
        return self._check(Status.WARN, what, text, mend)

    def _check(self, status: Status, what: str, text: str, mend: str = "") -> Check:
        return Check(status, f"{self._name}: {what}", text, mend)


def _exposed(label: str) -> str:
    """A label as kube-state-metrics writes it."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in label)
