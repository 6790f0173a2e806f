"""Which metric of which exporter carries a signal, which of its series count, and in which unit it is.

kube-state-metrics v2, cAdvisor through the kubelet, and NVIDIA's DCGM exporter, old and new.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from costlab.domain.signals import Labels, Signal
from costlab.domain.units import MIB
from costlab.sources.prometheus.selector import Matcher, Operator, Selector


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that can carry a signal.

    divisor: value / divisor is in the signal's unit; 2^-20 makes bytes of MiB without rounding.
    aliases: by canonical label, the labels that may hold it, the surest first.
    """

    name: str
    divisor: float = 1.0
    matchers: tuple[Matcher, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] | None = None

    def selector(self, narrowed_by: tuple[Matcher, ...] = ()) -> Selector:
        """The series of this metric that count."""
        return Selector(self.name, (*self.matchers, *narrowed_by))

    def counts(self, labels: Labels) -> bool:
        """Whether a series with these labels is one of them."""
        return all(matcher.holds(labels) for matcher in self.matchers)

    def sources(self, label: str) -> tuple[str, ...]:
        """The exporter's labels that may hold a canonical one, the surest first.

        Without honor_labels the metric's own label is called exported_*, and the plain one is the target's.
        """
        return (f"exported_{label}", *(self.aliases or {}).get(label, (label,)))


def carriers(signal: Signal) -> tuple[Metric, ...]:
    """The metrics that can carry the signal, the best first."""
    return _CARRIERS[signal]


# A pod may have owners that do not control it; its charge belongs to the one that does.
_CONTROLLER = (Matcher("owner_is_controller", Operator.NOT_EQUAL, "false"),)
# container="" is a whole pod or a slice, "POD" is the pause container: with them every sum is twice too large.
_CONTAINERS = (
    Matcher("container", Operator.NOT_EQUAL, ""),
    Matcher("container", Operator.NOT_EQUAL, "POD"),
)
# cAdvisor on its own gives a row a core (cpu00, cpu01, ...); through the kubelet there is only their total.
_TOTAL = (Matcher("cpu", Operator.MATCHES, "total|"),)

_NODE_ALIASES = {"node": ("node", "kubernetes_io_hostname", "kubernetes_node", "instance")}
_GPU_ALIASES = {
    "gpu_uuid": ("UUID", "uuid", "gpu_uuid"),
    "gpu_index": ("gpu",),
    "gpu_model": ("modelName",),
    "mig_profile": ("GPU_I_PROFILE",),
    "mig_instance": ("GPU_I_ID",),
    "node": ("Hostname", "hostname", "node", "instance"),
    "namespace": ("pod_namespace", "namespace"),
    "pod": ("pod_name", "pod"),
    "container": ("container_name", "container"),
}
_PERCENT = 100.0
_MIB = 1 / MIB


def _cgroup(name: str, *further: Matcher) -> tuple[Metric, ...]:
    return (Metric(name, matchers=(*_CONTAINERS, *further), aliases=_NODE_ALIASES),)


def _gpu(*names: str, divisor: float = 1.0) -> tuple[Metric, ...]:
    return tuple(Metric(name, divisor, aliases=_GPU_ALIASES) for name in names)


_CARRIERS: dict[Signal, tuple[Metric, ...]] = {
    Signal.POD_INFO: (Metric("kube_pod_info"),),
    Signal.POD_OWNER: (Metric("kube_pod_owner", matchers=_CONTROLLER),),
    Signal.POD_PHASE: (Metric("kube_pod_status_phase"),),
    Signal.POD_SCHEDULED_TIME: (Metric("kube_pod_status_scheduled_time"),),
    Signal.POD_START_TIME: (Metric("kube_pod_start_time"),),
    Signal.POD_COMPLETION_TIME: (Metric("kube_pod_completion_time"),),
    Signal.POD_LABELS: (Metric("kube_pod_labels"),),
    Signal.POD_OVERHEAD_CPU: (Metric("kube_pod_overhead_cpu_cores"),),
    Signal.POD_OVERHEAD_MEMORY: (Metric("kube_pod_overhead_memory_bytes"),),
    Signal.CONTAINER_REQUEST: (Metric("kube_pod_container_resource_requests"),),
    Signal.CONTAINER_LIMIT: (Metric("kube_pod_container_resource_limits"),),
    Signal.INIT_CONTAINER_REQUEST: (Metric("kube_pod_init_container_resource_requests"),),
    Signal.REPLICASET_OWNER: (Metric("kube_replicaset_owner", matchers=_CONTROLLER),),
    Signal.JOB_OWNER: (Metric("kube_job_owner", matchers=_CONTROLLER),),
    Signal.NAMESPACE_LABELS: (Metric("kube_namespace_labels"),),
    Signal.NODE_LABELS: (Metric("kube_node_labels"),),
    Signal.NODE_CAPACITY: (Metric("kube_node_status_capacity"),),
    Signal.NODE_ALLOCATABLE: (Metric("kube_node_status_allocatable"),),
    Signal.CPU_SECONDS: _cgroup("container_cpu_usage_seconds_total", *_TOTAL),
    Signal.MEMORY_BYTES: _cgroup("container_memory_working_set_bytes"),
    Signal.CONTAINER_START_TIME: _cgroup("container_start_time_seconds"),
    Signal.GPU_UTILIZATION: _gpu("DCGM_FI_DEV_GPU_UTIL", "dcgm_gpu_utilization", divisor=_PERCENT),
    Signal.GPU_ENGINE_ACTIVE: _gpu("DCGM_FI_PROF_GR_ENGINE_ACTIVE"),
    Signal.GPU_MEMORY_USED: _gpu("DCGM_FI_DEV_FB_USED", "dcgm_fb_used", divisor=_MIB),
    Signal.GPU_MEMORY_FREE: _gpu("DCGM_FI_DEV_FB_FREE", "dcgm_fb_free", divisor=_MIB),
    Signal.GPU_POWER: _gpu("DCGM_FI_DEV_POWER_USAGE", "dcgm_power_usage"),
}
