"""The signals costlab reads, whatever exporter they come from, and the form their samples travel in.

A source turns exporter metrics into these; everything behind it knows only these names, labels and units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Labels = Mapping[str, str]


class Kind(StrEnum):
    """How the samples of a signal become values: see docs/methods.md."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Exporter(StrEnum):
    """Who exposes a signal; `doctor` names it when the signal is missing."""

    KUBE_STATE_METRICS = "kube-state-metrics"
    CADVISOR = "cAdvisor"
    KUBELET = "kubelet"
    GPU = "GPU exporter"
    KEPLER = "Kepler"


class Signal(StrEnum):
    """Canonical names of everything that is measured."""

    POD_INFO = "pod_info"
    POD_OWNER = "pod_owner"
    POD_PHASE = "pod_phase"
    POD_SCHEDULED_TIME = "pod_scheduled_time"
    POD_START_TIME = "pod_start_time"
    POD_COMPLETION_TIME = "pod_completion_time"
    POD_LABELS = "pod_labels"
    POD_OVERHEAD_CPU = "pod_overhead_cpu"
    POD_OVERHEAD_MEMORY = "pod_overhead_memory"
    CONTAINER_REQUEST = "container_request"
    CONTAINER_LIMIT = "container_limit"
    INIT_CONTAINER_REQUEST = "init_container_request"
    CONTAINER_RESTARTS = "container_restarts"
    CONTAINER_TERMINATED = "container_terminated"
    AUTOSCALER_INFO = "autoscaler_info"
    AUTOSCALER_TARGET = "autoscaler_target"
    QUOTA = "quota"
    REPLICASET_OWNER = "replicaset_owner"
    JOB_OWNER = "job_owner"
    NAMESPACE_LABELS = "namespace_labels"
    NODE_LABELS = "node_labels"
    NODE_INFO = "node_info"
    NODE_CAPACITY = "node_capacity"
    NODE_ALLOCATABLE = "node_allocatable"
    CPU_SECONDS = "cpu_seconds"
    CPU_PERIODS = "cpu_periods"
    CPU_THROTTLED_PERIODS = "cpu_throttled_periods"
    MEMORY_BYTES = "memory_bytes"
    CONTAINER_START_TIME = "container_start_time"
    CLAIM_INFO = "claim_info"
    CLAIM_PHASE = "claim_phase"
    CLAIM_REQUEST = "claim_request"
    POD_CLAIMS = "pod_claims"
    VOLUME_USED = "volume_used"
    SENT_BYTES = "sent_bytes"
    GPU_UTILIZATION = "gpu_utilization"
    GPU_ENGINE_ACTIVE = "gpu_engine_active"
    GPU_MEMORY_USED = "gpu_memory_used"
    GPU_MEMORY_FREE = "gpu_memory_free"
    GPU_POWER = "gpu_power"
    GPU_ENERGY = "gpu_energy"
    GPU_SM_ACTIVE = "gpu_sm_active"
    GPU_TENSOR_ACTIVE = "gpu_tensor_active"
    GPU_DRAM_ACTIVE = "gpu_dram_active"
    PACKAGE_ENERGY = "package_energy"
    DRAM_ENERGY = "dram_energy"


@dataclass(frozen=True, slots=True)
class SignalSpec:
    """What a signal means: its unit after conversion and the canonical labels that tell its series apart.

    Without samples of its `needed` signals a day cannot be measured at all; any other that is missing is a finding.
    """

    signal: Signal
    exporter: Exporter
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    doc: str
    needed: bool = False


_POD = ("namespace", "pod", "uid")
_AUTOSCALER = ("namespace", "horizontalpodautoscaler")
_CLAIM = ("namespace", "persistentvolumeclaim")
_CGROUP = ("namespace", "pod", "container", "id", "node")
_GPU = (
    "gpu_uuid",
    "gpu_index",
    "gpu_model",
    "mig_profile",
    "mig_instance",
    "node",
    "namespace",
    "pod",
    "container",
)
_METERED = (*_POD, "container", "container_id", "mode", "node")
_KSM, _CAD, _KUBELET, _DEV = Exporter.KUBE_STATE_METRICS, Exporter.CADVISOR, Exporter.KUBELET, Exporter.GPU
_GAUGE, _COUNTER = Kind.GAUGE, Kind.COUNTER

SIGNALS: dict[Signal, SignalSpec] = {
    spec.signal: spec
    for spec in (
        SignalSpec(Signal.POD_INFO, _KSM, _GAUGE, "1",
                   (*_POD, "node", "created_by_kind", "created_by_name", "host_network"),
                   "A pod exists, on this node once it is bound.", needed=True),
        SignalSpec(Signal.POD_OWNER, _KSM, _GAUGE, "1", (*_POD, "owner_kind", "owner_name"), "The pod's controller."),
        SignalSpec(Signal.POD_PHASE, _KSM, _GAUGE, "1", (*_POD, "phase"), "1 while the pod is in this phase, else 0.",
                   needed=True),
        SignalSpec(Signal.POD_SCHEDULED_TIME, _KSM, _GAUGE, "epoch s", _POD, "When the pod was bound to its node."),
        SignalSpec(Signal.POD_START_TIME, _KSM, _GAUGE, "epoch s", _POD, "When the kubelet acknowledged the pod."),
        SignalSpec(Signal.POD_COMPLETION_TIME, _KSM, _GAUGE, "epoch s", _POD, "When the pod's last container ended."),
        SignalSpec(Signal.POD_LABELS, _KSM, _GAUGE, "1", _POD, "The pod's labels, those that are on the allow-list."),
        SignalSpec(Signal.POD_OVERHEAD_CPU, _KSM, _GAUGE, "cores", _POD, "CPU overhead of the pod's RuntimeClass."),
        SignalSpec(Signal.POD_OVERHEAD_MEMORY, _KSM, _GAUGE, "bytes", _POD, "Memory overhead of its RuntimeClass."),
        SignalSpec(Signal.CONTAINER_REQUEST, _KSM, _GAUGE, "cores, bytes or pieces",
                   (*_POD, "container", "node", "resource"), "What the container requests.", needed=True),
        SignalSpec(Signal.CONTAINER_LIMIT, _KSM, _GAUGE, "cores, bytes or pieces",
                   (*_POD, "container", "node", "resource"), "The container's limit."),
        SignalSpec(Signal.INIT_CONTAINER_REQUEST, _KSM, _GAUGE, "cores, bytes or pieces",
                   (*_POD, "container", "node", "resource"), "What an init container requests."),
        SignalSpec(Signal.CONTAINER_RESTARTS, _KSM, _GAUGE, "restarts", (*_POD, "container"),
                   "How often the container was started anew."),
        SignalSpec(Signal.CONTAINER_TERMINATED, _KSM, _GAUGE, "1", (*_POD, "container", "reason"),
                   "1 for the reason for which the container ended last."),
        SignalSpec(Signal.AUTOSCALER_INFO, _KSM, _GAUGE, "1", (*_AUTOSCALER, "scaletargetref_kind", "scaletargetref_name"),
                   "A HorizontalPodAutoscaler exists, and scales this workload."),
        SignalSpec(Signal.AUTOSCALER_TARGET, _KSM, _GAUGE, "per cent, cores or bytes",
                   (*_AUTOSCALER, "metric_name", "metric_target_type"), "What it aims at."),
        SignalSpec(Signal.QUOTA, _KSM, _GAUGE, "cores, bytes or pieces", ("namespace", "resourcequota", "resource", "type"),
                   "What a ResourceQuota allows of a key, and how much of it is used."),
        SignalSpec(Signal.REPLICASET_OWNER, _KSM, _GAUGE, "1", ("namespace", "replicaset", "owner_kind", "owner_name"),
                   "The Deployment (or other owner) of a ReplicaSet."),
        SignalSpec(Signal.JOB_OWNER, _KSM, _GAUGE, "1", ("namespace", "job_name", "owner_kind", "owner_name"),
                   "The CronJob (or other owner) of a Job."),
        SignalSpec(Signal.NAMESPACE_LABELS, _KSM, _GAUGE, "1", ("namespace",), "The namespace's allowed labels."),
        SignalSpec(Signal.NODE_LABELS, _KSM, _GAUGE, "1", ("node",), "The node's allowed labels."),
        SignalSpec(Signal.NODE_INFO, _KSM, _GAUGE, "1", ("node", "provider_id"),
                   "The node's name at its provider, by which a bill is matched."),
        SignalSpec(Signal.NODE_CAPACITY, _KSM, _GAUGE, "cores, bytes or pieces", ("node", "resource"),
                   "What the node has."),
        SignalSpec(Signal.NODE_ALLOCATABLE, _KSM, _GAUGE, "cores, bytes or pieces", ("node", "resource"),
                   "What the node can give to pods."),
        SignalSpec(Signal.CPU_SECONDS, _CAD, _COUNTER, "core seconds", _CGROUP, "CPU time the container has used."),
        SignalSpec(Signal.CPU_PERIODS, _CAD, _COUNTER, "periods", _CGROUP,
                   "Periods of the CPU limit's enforcement in which the container ran."),
        SignalSpec(Signal.CPU_THROTTLED_PERIODS, _CAD, _COUNTER, "periods", _CGROUP,
                   "Those of them in which it was throttled."),
        SignalSpec(Signal.MEMORY_BYTES, _CAD, _GAUGE, "bytes", _CGROUP, "The container's working set."),
        SignalSpec(Signal.CONTAINER_START_TIME, _CAD, _GAUGE, "epoch s", _CGROUP, "When the container started."),
        SignalSpec(Signal.CLAIM_INFO, _KSM, _GAUGE, "1", (*_CLAIM, "storageclass", "volumename"),
                   "A claim exists, with this volume once it is bound."),
        SignalSpec(Signal.CLAIM_PHASE, _KSM, _GAUGE, "1", (*_CLAIM, "phase"), "1 while the claim is in this phase, else 0."),
        SignalSpec(Signal.CLAIM_REQUEST, _KSM, _GAUGE, "bytes", _CLAIM, "The size that the claim requests."),
        SignalSpec(Signal.POD_CLAIMS, _KSM, _GAUGE, "1", (*_POD, "persistentvolumeclaim", "volume"),
                   "The pod mounts the claim."),
        SignalSpec(Signal.VOLUME_USED, _KUBELET, _GAUGE, "bytes", (*_CLAIM, "node"), "Bytes in use on the claim's volume."),
        SignalSpec(Signal.SENT_BYTES, _CAD, _COUNTER, "bytes", ("namespace", "pod", "id", "interface", "node"),
                   "Bytes that an interface of the pod has sent."),
        SignalSpec(Signal.GPU_UTILIZATION, _DEV, _GAUGE, "ratio", _GPU, "Share of time in which any kernel ran."),
        SignalSpec(Signal.GPU_ENGINE_ACTIVE, _DEV, _GAUGE, "ratio", _GPU,
                   "Share of time in which the graphics or compute engine was active."),
        SignalSpec(Signal.GPU_MEMORY_USED, _DEV, _GAUGE, "bytes", _GPU, "Framebuffer memory in use."),
        SignalSpec(Signal.GPU_MEMORY_FREE, _DEV, _GAUGE, "bytes", _GPU, "Framebuffer memory that is free."),
        SignalSpec(Signal.GPU_POWER, _DEV, _GAUGE, "watts", _GPU, "Power draw of the device."),
        SignalSpec(Signal.GPU_ENERGY, _DEV, _COUNTER, "joules", _GPU, "Energy the device has used."),
        SignalSpec(Signal.GPU_SM_ACTIVE, _DEV, _GAUGE, "ratio", _GPU,
                   "Share of time in which a streaming multiprocessor had work, over all of them."),
        SignalSpec(Signal.GPU_TENSOR_ACTIVE, _DEV, _GAUGE, "ratio", _GPU, "Share of time in which the tensor pipe worked."),
        SignalSpec(Signal.GPU_DRAM_ACTIVE, _DEV, _GAUGE, "ratio", _GPU,
                   "Share of time in which the memory's interface worked."),
        SignalSpec(Signal.PACKAGE_ENERGY, Exporter.KEPLER, _COUNTER, "joules", _METERED,
                   "Energy that CPU sockets have used for the container."),
        SignalSpec(Signal.DRAM_ENERGY, Exporter.KEPLER, _COUNTER, "joules", _METERED,
                   "Energy that memory has used for the container."),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Series:
    """All series of one signal in a window, as a structure of arrays.

    labels: one mapping a series: the spec's canonical labels that are not empty, plus `instance`, the
        scrape target, and for the three label signals every `label_*` as it was exposed.
    offsets: int64 (series + 1,); the samples of series i are offsets[i]:offsets[i + 1].
    at_ms: int64 (samples,), epoch milliseconds, strictly increasing within a series.
    values: float64 (samples,), in the spec's unit; NaN marks the end of a series (a stale marker) and
        is the only non-finite value.
    """

    signal: Signal
    labels: tuple[Labels, ...]
    offsets: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def sample_count(self) -> int:
        """How many samples all series hold together."""
        return int(self.offsets[-1])

    def keep(self, samples: NDArray[np.bool_]) -> "Series":
        """Only the samples where `samples` (bool, (n,)) is true."""
        if samples.all():
            return self
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(samples)])[self.offsets]
        return Series(self.signal, self.labels, offsets, self.at_ms[samples], self.values[samples])

    def take(self, which: NDArray[np.int64]) -> "Series":
        """The series named, in that order."""
        parts = [slice(self.offsets[i], self.offsets[i + 1]) for i in which.tolist()]
        triples = [
            (self.labels[i], self.at_ms[part], self.values[part])
            for i, part in zip(which.tolist(), parts, strict=True)
        ]
        return join_series(self.signal, triples)


def no_series(signal: Signal) -> Series:
    """A signal of which nothing was found."""
    return Series(signal, (), np.zeros(1, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))


def join_series(
    signal: Signal, parts: Sequence[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]]
) -> Series:
    """One `Series` from (labels, at_ms, values) triples, in their order."""
    if not parts:
        return no_series(signal)
    counts = np.array([len(at_ms) for _, at_ms, _ in parts], np.int64)
    return Series(
        signal,
        tuple(labels for labels, _, _ in parts),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
        np.concatenate([at_ms for _, at_ms, _ in parts]),
        np.concatenate([values for _, _, values in parts]),
    )


def one_after_another(signal: Signal, several: Sequence[Series]) -> Series:
    """All series, of one signal, in their order."""
    if len(several) == 1:
        return several[0]
    counts = [np.diff(series.offsets) for series in several]
    return Series(
        signal,
        tuple(labels for series in several for labels in series.labels),
        np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate([np.empty(0, np.int64), *counts]))]),
        np.concatenate([np.empty(0, np.int64), *(series.at_ms for series in several)]),
        np.concatenate([np.empty(0, np.float64), *(series.values for series in several)]),
    )
