"""Which metrics of which exporters carry a signal, which of their series count, and in which unit they are.

kube-state-metrics v2 and cAdvisor through the kubelet are told here; GPU exporters come from the configuration.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from costlab.config.accelerator import Accelerator, in_effect
from costlab.domain.signals import SIGNALS, Exporter, Labels, Signal
from costlab.domain.units import Unit
from costlab.sources.prometheus.selector import Matcher, Operator, Selector


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that can carry a signal.

    unit: the one its values are in; None where that is the signal's own.
    aliases: by canonical label, the labels that may hold it, the surest first.
    own_containers: of the exporter: where one is named as a device's user, nobody uses the device.
    """

    name: str
    unit: Unit | None = None
    matchers: tuple[Matcher, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] | None = None
    own_containers: frozenset[str] = frozenset()

    def selector(self, narrowed_by: tuple[Matcher, ...] = ()) -> Selector:
        """The series of this metric that count."""
        return Selector(self.name, (*self.matchers, *narrowed_by))

    def counts(self, labels: Labels) -> bool:
        """Whether a series with these labels is one of them."""
        return all(matcher.holds(labels) for matcher in self.matchers)

    def sources(self, label: str) -> tuple[str, ...]:
        """The exporter's labels that may hold a canonical one, the surest first; none, where it has no such label.

        Without honor_labels the metric's own label is called exported_*, and the plain one is the target's.
        """
        names = (self.aliases or {}).get(label, (label,))
        return (f"exported_{label}", *names) if names else ()


@dataclass(frozen=True, slots=True)
class Group:
    """The metrics of one exporter for a signal: the first that has samples carries it.

    unless: for an exporter that only stands in, the other ones' metrics of other signals: a sample of any of them, or
        of this signal, and it does not count.
    """

    exporter: str
    metrics: tuple[Metric, ...]
    unless: tuple[Metric, ...] = ()


class Catalogue:
    """What carries each signal, with the accelerators of a configuration beside the built-in ones."""

    def __init__(self, own: Iterable[Accelerator] = ()) -> None:
        entries = in_effect(tuple(own))
        main = [entry for entry in entries if not entry.fallback]
        self._groups: dict[Signal, tuple[Group, ...]] = {
            signal: (Group(SIGNALS[signal].exporter, (metric,)),) for signal, metric in _FIXED.items()
        }
        self._groups |= {
            signal: (Group(SIGNALS[signal].exporter, metrics),) for signal, metrics in _KEPLER.items()
        }
        for signal in _ACCELERATED:
            # A device may show another signal alone, such as a MIG instance; a stand-in would show it a second time.
            others = [other for other in _ACCELERATED if other is not signal]
            rivals = tuple(m for other in others for entry in main for m in _metrics(entry, other))
            groups = [
                Group(entry.name, _metrics(entry, signal), rivals if entry.fallback else ())
                for entry in sorted(entries, key=lambda entry: entry.fallback)
            ]
            self._groups[signal] = tuple(group for group in groups if group.metrics)

    def groups(self, signal: Signal) -> tuple[Group, ...]:
        """The exporters that can carry the signal; those that only stand in come last."""
        return self._groups[signal]

    def metrics(self, signal: Signal) -> tuple[Metric, ...]:
        """All metrics that can carry the signal, the best of each exporter first."""
        return tuple(metric for group in self._groups[signal] for metric in group.metrics)

    def carry(self, signal: Signal, take: Callable[[Metric], bool], heard: Callable[[Metric], bool]) -> None:
        """Take the signal from all exporters that have it, from each its first metric with samples.

        take: reads a metric, and tells whether it has samples. heard: tells it too, and reads nothing.
        """
        found = False
        for group in self._groups[signal]:
            if group.unless and (found or any(heard(metric) for metric in group.unless)):
                continue
            found = any(take(metric) for metric in group.metrics) or found


@functools.cache
def built_in() -> Catalogue:
    """The catalogue of a configuration without accelerators."""
    return Catalogue()


# A pod may have owners that do not control it; its charge belongs to the one that does.
_CONTROLLER = (Matcher("owner_is_controller", Operator.NOT_EQUAL, "false"),)
# kube-state-metrics tells of all five phases of every pod all the time, 1 or 0; only whether it has ended counts.
_ENDED = (Matcher("phase", Operator.MATCHES, "Succeeded|Failed"),)
# container="" is a whole pod or a slice, "POD" is the pause container: with them every sum is twice too large.
_CONTAINERS = (
    Matcher("container", Operator.NOT_EQUAL, ""),
    Matcher("container", Operator.NOT_EQUAL, "POD"),
)
# cAdvisor on its own gives a row a core (cpu00, cpu01, ...); through the kubelet there is only their total.
_TOTAL = (Matcher("cpu", Operator.MATCHES, "total|"),)

# A pending claim has no volume yet, and nothing to pay.
_HELD = (Matcher("phase", Operator.MATCHES, "Bound|Lost"),)
# Interfaces are counted on the pod's own cgroup or its pause container; the node's, on no pod.
_INTERFACES = (Matcher("pod", Operator.NOT_EQUAL, ""), Matcher("interface", Operator.NOT_EQUAL, "lo"))

_NODE_ALIASES = {"node": ("node", "kubernetes_io_hostname", "kubernetes_node", "instance")}
_ACCELERATED = tuple(signal for signal, spec in SIGNALS.items() if spec.exporter is Exporter.GPU)


def _cgroup(name: str, *further: Matcher) -> Metric:
    return Metric(name, matchers=(*_CONTAINERS, *further), aliases=_NODE_ALIASES)


def _metrics(entry: Accelerator, signal: Signal) -> tuple[Metric, ...]:
    """The metrics of an accelerator's entry."""
    matchers = tuple(_one_of(label, values) for label, values in entry.matchers.items())
    aliases = {"node": ("node", "instance"), **entry.labels}
    return tuple(
        Metric(name, entry.unit(signal), matchers, aliases, frozenset(entry.own_containers))
        for name in entry.names(signal)
    )


def _one_of(label: str, values: tuple[str, ...]) -> Matcher:
    if len(values) == 1:
        return Matcher(label, Operator.EQUAL, values[0])
    return Matcher(label, Operator.MATCHES, "|".join(map(re.escape, values)))


_FIXED: dict[Signal, Metric] = {
    Signal.POD_INFO: Metric("kube_pod_info"),
    Signal.POD_OWNER: Metric("kube_pod_owner", matchers=_CONTROLLER),
    Signal.POD_PHASE: Metric("kube_pod_status_phase", matchers=_ENDED),
    Signal.POD_SCHEDULED_TIME: Metric("kube_pod_status_scheduled_time"),
    Signal.POD_START_TIME: Metric("kube_pod_start_time"),
    Signal.POD_COMPLETION_TIME: Metric("kube_pod_completion_time"),
    Signal.POD_LABELS: Metric("kube_pod_labels"),
    Signal.POD_OVERHEAD_CPU: Metric("kube_pod_overhead_cpu_cores"),
    Signal.POD_OVERHEAD_MEMORY: Metric("kube_pod_overhead_memory_bytes"),
    Signal.CONTAINER_REQUEST: Metric("kube_pod_container_resource_requests"),
    Signal.CONTAINER_LIMIT: Metric("kube_pod_container_resource_limits"),
    Signal.INIT_CONTAINER_REQUEST: Metric("kube_pod_init_container_resource_requests"),
    Signal.CONTAINER_RESTARTS: Metric("kube_pod_container_status_restarts_total"),
    Signal.CONTAINER_TERMINATED: Metric("kube_pod_container_status_last_terminated_reason"),
    Signal.AUTOSCALER_INFO: Metric("kube_horizontalpodautoscaler_info"),
    Signal.AUTOSCALER_TARGET: Metric("kube_horizontalpodautoscaler_spec_target_metric"),
    Signal.QUOTA: Metric("kube_resourcequota"),
    Signal.REPLICASET_OWNER: Metric("kube_replicaset_owner", matchers=_CONTROLLER),
    Signal.JOB_OWNER: Metric("kube_job_owner", matchers=_CONTROLLER),
    Signal.NAMESPACE_LABELS: Metric("kube_namespace_labels"),
    Signal.NODE_LABELS: Metric("kube_node_labels"),
    Signal.NODE_INFO: Metric("kube_node_info"),
    Signal.NODE_CAPACITY: Metric("kube_node_status_capacity"),
    Signal.NODE_ALLOCATABLE: Metric("kube_node_status_allocatable"),
    Signal.CPU_SECONDS: _cgroup("container_cpu_usage_seconds_total", *_TOTAL),
    Signal.CPU_PERIODS: _cgroup("container_cpu_cfs_periods_total"),
    Signal.CPU_THROTTLED_PERIODS: _cgroup("container_cpu_cfs_throttled_periods_total"),
    Signal.MEMORY_BYTES: _cgroup("container_memory_working_set_bytes"),
    Signal.CONTAINER_START_TIME: _cgroup("container_start_time_seconds"),
    Signal.CLAIM_INFO: Metric("kube_persistentvolumeclaim_info"),
    Signal.CLAIM_PHASE: Metric("kube_persistentvolumeclaim_status_phase", matchers=_HELD),
    Signal.CLAIM_REQUEST: Metric("kube_persistentvolumeclaim_resource_requests_storage_bytes"),
    Signal.POD_CLAIMS: Metric("kube_pod_spec_volumes_persistentvolumeclaims_info"),
    Signal.VOLUME_USED: Metric("kubelet_volume_stats_used_bytes", aliases=_NODE_ALIASES),
    Signal.SENT_BYTES: Metric(
        "container_network_transmit_bytes_total", matchers=_INTERFACES, aliases=_NODE_ALIASES
    ),
}

# The containers' energy by zone: of Kepler 0.10 and newer, then of those before, which knew no pod's uid, but its
# name. Other zones overlap with these two: core and uncore are parts of package, psys is the whole machine.
_NEW_KEPLER = {
    "namespace": (),
    "pod": (),
    "uid": ("pod_id",),
    "container": ("container_name",),
    "node": ("node_name", "node", "instance"),
}
_OLD_KEPLER = {
    "namespace": ("container_namespace",),
    "pod": ("pod_name",),
    "uid": (),
    "container": ("container_name",),
    "node": ("node", "instance"),
}
_KEPLER: dict[Signal, tuple[Metric, ...]] = {
    signal: (
        Metric(
            "kepler_container_cpu_joules_total",
            matchers=(Matcher("zone", Operator.EQUAL, zone),),
            aliases=_NEW_KEPLER,
        ),
        Metric(f"kepler_container_{zone}_joules_total", aliases=_OLD_KEPLER),
    )
    for signal, zone in ((Signal.PACKAGE_ENERGY, "package"), (Signal.DRAM_ENERGY, "dram"))
}
