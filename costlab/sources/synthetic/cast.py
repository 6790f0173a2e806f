"""Who can live in the synthetic cluster: nodes with their devices, pods with their containers and runs.

All instants are whole epoch seconds, as Kubernetes writes them; all intervals are half-open.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from costlab.domain.units import GIB, MIB
from costlab.sources.synthetic.shapes import Curve


@dataclass(frozen=True, slots=True)
class GpuModel:
    """A kind of GPU; `profiling` says whether it gives DCGM's engine-active ratio."""

    name: str
    memory_mib: int
    reserved_mib: int
    idle_watts: int
    peak_watts: int
    profiling: bool


A100 = GpuModel("NVIDIA A100-SXM4-80GB", 81_920, 641, 62, 400, profiling=True)
T4 = GpuModel("Tesla T4", 15_360, 257, 11, 70, profiling=False)


@dataclass(frozen=True, slots=True)
class Node:
    """One life of a machine; `slices` is how often its GPUs are advertised, `docker` its container runtime."""

    name: str
    address: str
    start_s: int
    end_s: int
    cores: int
    memory_gib: int
    labels: Mapping[str, str]
    provider_id: str
    gpu_model: GpuModel | None = None
    gpu_uuids: tuple[str, ...] = ()
    slices: int = 1
    docker: bool = False

    @property
    def capacity(self) -> dict[str, float]:
        """What the node has, by kube-state-metrics' resource names."""
        gpus = {"nvidia_com_gpu": float(len(self.gpu_uuids) * self.slices)} if self.gpu_uuids else {}
        return {"cpu": float(self.cores), "memory": float(self.memory_gib * GIB), "pods": 110.0} | gpus

    @property
    def allocatable(self) -> dict[str, float]:
        """Capacity without what the kubelet keeps: 0.11 cores, and 1.5 GiB with 3 % of the memory."""
        kept = {"cpu": 0.11, "memory": 1.5 * GIB + self.memory_gib * GIB // 32}
        return {resource: has - kept.get(resource, 0.0) for resource, has in self.capacity.items()}


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod template: what it asks for (None: nothing) and how it behaves.

    `cpu` is in cores, `memory` in GiB, `gpu` the engine-active ratio of each of its devices.
    """

    name: str
    cpu: Curve
    memory: Curve
    gpu: Curve | None = None
    cpu_request: float | None = None
    memory_request_gib: float | None = None
    cpu_limit: float | None = None
    memory_limit_gib: float | None = None
    gpus: int = 0
    gpu_memory_mib: int = 0

    @property
    def requests(self) -> dict[str, float]:
        """Requests by kube-state-metrics' resource names, in cores, bytes and pieces."""
        return _resources(self.cpu_request, self.memory_request_gib, self.gpus)

    @property
    def limits(self) -> dict[str, float]:
        """Limits by kube-state-metrics' resource names, in cores, bytes and pieces."""
        return _resources(self.cpu_limit, self.memory_limit_gib, self.gpus)


@dataclass(frozen=True, slots=True)
class Run:
    """One start of a container: a cgroup of its own.

    Used until `end_s`; cAdvisor goes on showing it until `gone_s`, a few minutes after a crash.
    """

    container: Container
    container_id: str
    start_s: int
    end_s: int
    gone_s: int


@dataclass(frozen=True, slots=True)
class Owner:
    """A ReplicaSet or Job while it exists, and what owns it in turn (empty: nothing)."""

    kind: str
    namespace: str
    name: str
    parent_kind: str
    parent_name: str
    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A PersistentVolumeClaim from its creation to its end; without `bound_s` it stays pending.

    grown: (since when, GiB) of each time that it was enlarged, ascending.
    """

    namespace: str
    name: str
    volume: str
    storage_class: str
    gib: int
    created_s: int
    bound_s: int | None
    end_s: int
    grown: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Pod:
    """One life of a pod, from its creation to the removal of the object.

    A pod that was never bound has no node and no `scheduled_s`. `phase` is its last phase;
    Succeeded or Failed holds from `end_s` to `gone_s`.
    """

    namespace: str
    name: str
    uid: str
    owner_kind: str
    owner_name: str
    labels: Mapping[str, str]
    node: Node | None
    created_s: int
    scheduled_s: int | None
    running_s: int
    end_s: int
    gone_s: int
    phase: str
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...]
    overhead_cpu: float
    overhead_memory_mib: int
    devices: tuple[int, ...]
    claims: tuple[str, ...]
    host_network: bool
    runs: tuple[Run, ...]

    @property
    def finished(self) -> bool:
        """Whether it ended by itself rather than by removal."""
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Outage:
    """An exporter that does not answer: cAdvisor of a node, from start to end."""

    node: str
    start_s: int
    end_s: int


def _resources(cores: float | None, memory_gib: float | None, gpus: int) -> dict[str, float]:
    """Kube-state-metrics' spelling of what was given."""
    given: dict[str, float] = {}
    if cores is not None:
        given["cpu"] = cores
    if memory_gib is not None:
        given["memory"] = float(round(memory_gib * 1024) * MIB)
    if gpus:
        given["nvidia_com_gpu"] = float(gpus)
    return given
