"""What kube-state-metrics tells of the big cluster: facts that hold for a time. They are no part of the noisy samples."""

from collections.abc import Iterator
from dataclasses import dataclass

from big_day.cast import Cast, Pod
from costlab.domain.time import MINUTE_MS, Window

INTERVAL_MS = 60_000
KEPT_MS = 30 * MINUTE_MS  # for so long a Job's finished pod is told of
_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
_UNITS = {"cpu": "core", "memory": "byte"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A value that a series has from `start_ms` until `end_ms`; a series may have several, one after the other."""

    labels: dict[str, str]
    start_ms: int
    end_ms: int
    value: float = 1.0


def facts_of(cast: Cast) -> Iterator[Fact]:
    """Everything that is told within the hours, as costlab reads it; a series' own facts in the order of time."""
    for fact in _facts(cast):
        if fact.start_ms < cast.scale.window.end_ms and fact.end_ms > cast.scale.window.start_ms:
            yield Fact(_TARGET | fact.labels, fact.start_ms, fact.end_ms, fact.value)


_TARGET = {
    "job": "kube-state-metrics",
    "instance": "10.9.0.11:8080",
    "namespace": "monitoring",
    "pod": "kube-prometheus-stack-kube-state-metrics-6c9f7b5d8-x2x5q",
    "container": "kube-state-metrics",
    "endpoint": "http",
    "service": "kube-prometheus-stack-kube-state-metrics",
}


def _facts(cast: Cast) -> Iterator[Fact]:
    for pod in cast.pods:
        yield from _of_pod(pod)
    yield from _of_nodes(cast)
    yield from _of_namespaces(cast)


def _of_pod(pod: Pod) -> Iterator[Fact]:
    created_ms = pod.start_ms - 3000
    gone_ms = pod.end_ms if pod.lasting else pod.end_ms + KEPT_MS
    about = {"namespace": pod.namespace, "pod": pod.name, "uid": pod.uid}

    def told(metric: str, value: float = 1.0, **labels: str) -> Fact:
        return Fact({"__name__": metric} | about | labels, created_ms, gone_ms, value)

    kind, owner, parent = _ownership(pod)
    yield told(
        "kube_pod_info", node=pod.node.name, host_ip=pod.node.address, host_network="false",
        created_by_kind=kind, created_by_name=pod.owner,
    )  # fmt: skip
    yield told("kube_pod_owner", owner_kind=kind, owner_name=pod.owner, owner_is_controller="true")
    yield told("kube_pod_labels", label_app=pod.workload, label_team=pod.namespace.removeprefix("research-"))
    yield told("kube_pod_status_scheduled_time", created_ms // 1000)
    yield told("kube_pod_start_time", created_ms // 1000)
    if not pod.lasting:
        at_s = pod.end_ms // 1000
        yield Fact({"__name__": "kube_pod_completion_time"} | about, pod.end_ms, gone_ms, at_s)
    for resource, amount in _requests(pod).items():
        unit = _UNITS.get(resource, "integer")
        labels = {"container": pod.container, "node": pod.node.name, "resource": resource, "unit": unit}
        for what, factor in (("requests", 1), ("limits", 1 if pod.devices else 2)):
            metric = {"__name__": f"kube_pod_container_resource_{what}"}
            yield Fact(metric | about | labels, created_ms, gone_ms, amount * factor)
    yield from _phases(pod, about, created_ms, gone_ms)
    labels = {"owner_kind": parent, "owner_name": pod.workload, "owner_is_controller": "true"}
    of_owner = {"__name__": owner[0], "namespace": pod.namespace, owner[1]: pod.owner}
    yield Fact(of_owner | labels, created_ms, gone_ms)


def _ownership(pod: Pod) -> tuple[str, tuple[str, str], str]:
    """The owner's kind, the metric and label that tell of it, and its own owner's kind."""
    if pod.lasting:
        return "ReplicaSet", ("kube_replicaset_owner", "replicaset"), "Deployment"
    return "Job", ("kube_job_owner", "job_name"), "CronJob"


def _requests(pod: Pod) -> dict[str, float]:
    gpus = {"nvidia_com_gpu": float(len(pod.devices))} if pod.devices else {}
    return {"cpu": pod.cpu_request, "memory": pod.memory_request_gib * 2.0**30, **gpus}


def _phases(pod: Pod, about: dict[str, str], created_ms: int, gone_ms: int) -> Iterator[Fact]:
    turns = [
        ("Pending", created_ms, pod.start_ms),
        ("Running", pod.start_ms, pod.end_ms),
        ("Succeeded", pod.end_ms, gone_ms),
    ]
    for phase in _PHASES:
        labels = {"__name__": "kube_pod_status_phase", **about, "phase": phase}
        for turn, start_ms, end_ms in turns:
            yield Fact(labels, start_ms, end_ms, float(turn == phase))


def _of_nodes(cast: Cast) -> Iterator[Fact]:
    window = cast.scale.window
    for node in cast.nodes:
        labels = {
            "label_node_kubernetes_io_instance_type": "p4de.24xlarge" if node.gpus else "m6i.16xlarge",
            "label_topology_kubernetes_io_zone": "eu-central-1a",
        }
        yield _always(window, "kube_node_labels", 1.0, node=node.name, **labels)
        amounts = {"cpu": float(node.cores), "memory": node.memory_gib * 2.0**30}
        if node.gpus:
            amounts["nvidia_com_gpu"] = float(len(node.gpus))
        for resource, amount in amounts.items():
            about = {"node": node.name, "resource": resource, "unit": _UNITS.get(resource, "integer")}
            left = amount if resource == "nvidia_com_gpu" else amount * 31 / 32
            yield _always(window, "kube_node_status_capacity", amount, **about)
            yield _always(window, "kube_node_status_allocatable", left, **about)


def _of_namespaces(cast: Cast) -> Iterator[Fact]:
    for namespace in sorted({pod.namespace for pod in cast.pods}):
        labels = {"label_kubernetes_io_metadata_name": namespace}
        yield _always(cast.scale.window, "kube_namespace_labels", 1.0, namespace=namespace, **labels)


def _always(window: Window, metric: str, value: float, **labels: str) -> Fact:
    return Fact({"__name__": metric, **labels}, window.start_ms, window.end_ms, value)
