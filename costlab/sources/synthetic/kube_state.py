"""What kube-state-metrics exposes about the story: facts that hold from one second to another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from costlab.domain.time import Window
from costlab.domain.units import GIB, MIB
from costlab.sources import RawSeries
from costlab.sources.synthetic.cast import Claim, Container, Pod
from costlab.sources.synthetic.quotas import used_of
from costlab.sources.synthetic.scrape import regular, within
from costlab.sources.synthetic.story import NAMESPACES, QUOTAS, Story

_UNITS = {"cpu": "core", "memory": "byte"}
_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")

# Whose replicas an autoscaler counts, and the per cent of their CPU request that it aims at.
_AUTOSCALED = (
    (
        {
            "namespace": "nlp",
            "horizontalpodautoscaler": "tokenizer-api",
            "scaletargetref_kind": "Deployment",
            "scaletargetref_name": "tokenizer-api",
        },
        70.0,
    ),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled value from `start_s` until `end_s`; `changes` are (since when, value), ascending."""

    labels: dict[str, str]
    start_s: int
    end_s: int
    value: float = 1.0
    changes: tuple[tuple[int, float], ...] = ()


def raw_kube_state(story: Story, metric: str, window: Window, interval_ms: int) -> Iterator[RawSeries]:
    """The samples of a kube-state-metrics metric in the window, of each instance that answers."""
    start_s, end_s = window.start_ms // 1000, -(-window.end_ms // 1000)
    facts = [fact for fact in KUBE_STATE[metric](story) if fact.start_s < end_s and fact.end_s > start_s]
    for number, (since_s, until_s) in enumerate(_instances(story)):
        target = _target(number)
        at_ms = within(regular(window, interval_ms, 7_213 + 23_000 * number), since_s * 1000, until_s * 1000)
        edges_ms = [[fact.start_s * 1000, fact.end_s * 1000] for fact in facts]
        for fact, (first, last) in zip(facts, np.searchsorted(at_ms, edges_ms).tolist(), strict=True):
            if first == last:
                continue
            seen_ms, values = at_ms[first:last], np.full(last - first, fact.value)
            for changed_s, value in fact.changes:
                values[np.searchsorted(seen_ms, changed_s * 1000) :] = value
            labels = target | fact.labels
            # Prometheus stores no empty labels.
            yield RawSeries({"__name__": metric} | {k: v for k, v in labels.items() if v}, seen_ms, values)


def _instances(story: Story) -> tuple[tuple[int, int], tuple[int, int]]:
    """When the old and the new instance answer: in the rolling restart, both."""
    second_s, first_gone_s = story.two_ksm_s
    return (story.calendar.beginning_s, first_gone_s), (second_s, story.calendar.end_s)


def _target(number: int) -> dict[str, str]:
    """The scrape target's labels; with honor_labels, the metric's own win."""
    return {
        "job": "kube-state-metrics",
        "instance": ("10.2.0.11:8080", "10.2.7.19:8080")[number],
        "namespace": "monitoring",
        "pod": ("kube-state-metrics-6c9f7b5d8-x2x5q", "kube-state-metrics-6c9f7b5d8-k9wzd")[number],
        "container": "kube-state-metrics",
        "endpoint": "http",
        "service": "kube-state-metrics",
    }


def _lasting(pod: Pod, value: float = 1.0, **labels: str) -> Fact:
    """A fact about a pod from its creation until the object is removed."""
    return Fact(_pod(pod) | labels, pod.created_s, pod.gone_s, value)


def _since(pod: Pod, at_s: int) -> Fact:
    """An instant in a pod's life, told from then on."""
    return Fact(_pod(pod), at_s, pod.gone_s, float(at_s))


def _pod(pod: Pod) -> dict[str, str]:
    return {"namespace": pod.namespace, "pod": pod.name, "uid": pod.uid}


def _placed(pod: Pod, value: float = 1.0, **labels: str) -> Iterator[Fact]:
    """A fact that names the node: until the pod is bound there is a series without it."""
    bound_s = pod.scheduled_s if pod.scheduled_s is not None else pod.gone_s
    yield Fact(_pod(pod) | labels, pod.created_s, bound_s, value)
    if pod.node is not None:
        yield Fact(_pod(pod) | labels | {"node": pod.node.name}, bound_s, pod.gone_s, value)


def _info(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        yield from _placed(
            pod, created_by_kind=pod.owner_kind, created_by_name=pod.owner_name,
            host_network="true" if pod.host_network else "false",
            host_ip=pod.node.address if pod.node else "",
        )  # fmt: skip


def _owner(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        controller = "true" if pod.owner_kind else ""
        yield _lasting(
            pod, owner_kind=pod.owner_kind, owner_name=pod.owner_name, owner_is_controller=controller
        )


def _phase(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        running = [(pod.running_s, "Running")] if pod.node is not None else []
        turns = running + ([(pod.end_s, pod.phase)] if pod.finished else [])
        for phase in _PHASES:
            changes = tuple((at_s, float(turn == phase)) for at_s, turn in turns)
            yield Fact(
                _pod(pod) | {"phase": phase}, pod.created_s, pod.gone_s, float(phase == "Pending"), changes
            )


def _scheduled(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        if pod.scheduled_s is not None:
            yield _since(pod, pod.scheduled_s)


def _started(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        if pod.scheduled_s is not None:
            # The kubelet acknowledges a pod a second after it was bound.
            yield _since(pod, pod.scheduled_s + 1)


def _completed(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        if pod.finished:
            yield _since(pod, pod.end_s)


def _labels(story: Story) -> Iterator[Fact]:
    return (Fact(_pod(pod) | dict(pod.labels), pod.created_s, pod.gone_s) for pod in story.pods)


def _overhead_cpu(story: Story) -> Iterator[Fact]:
    return (_lasting(pod, pod.overhead_cpu) for pod in story.pods if pod.overhead_cpu)


def _overhead_memory(story: Story) -> Iterator[Fact]:
    with_overhead = (pod for pod in story.pods if pod.overhead_memory_mib)
    return (_lasting(pod, float(pod.overhead_memory_mib * MIB)) for pod in with_overhead)


def _requests(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        for container in pod.containers:
            yield from _resources(pod, container, container.requests)


def _limits(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        for container in pod.containers:
            yield from _resources(pod, container, container.limits)


def _init_requests(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        for container in pod.init_containers:
            yield from _resources(pod, container, container.requests)


def _resources(pod: Pod, container: Container, amounts: dict[str, float]) -> Iterator[Fact]:
    for resource, amount in amounts.items():
        unit = _UNITS.get(resource, "integer")
        yield from _placed(pod, amount, container=container.name, resource=resource, unit=unit)


def _restarts(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        for container in pod.containers:
            began = _begun_anew(pod, container)
            counts = tuple((at_s, float(count)) for count, at_s in enumerate(began, 1))
            yield Fact(_pod(pod) | {"container": container.name}, pod.running_s, pod.gone_s, 0.0, counts)


def _terminated(story: Story) -> Iterator[Fact]:
    """Whatever crashes here had leaked all the memory that it may hold."""
    for pod in story.pods:
        for container in pod.containers:
            for at_s in _begun_anew(pod, container)[:1]:
                yield Fact(_pod(pod) | {"container": container.name, "reason": "OOMKilled"}, at_s, pod.gone_s)


def _begun_anew(pod: Pod, container: Container) -> list[int]:
    return sorted(run.start_s for run in pod.runs if run.container is container)[1:]


def _autoscalers(story: Story) -> Iterator[Fact]:
    for labels, _ in _AUTOSCALED:
        yield Fact(dict(labels), story.calendar.beginning_s, story.calendar.end_s)


def _autoscaler_targets(story: Story) -> Iterator[Fact]:
    for labels, per_cent in _AUTOSCALED:
        own = {name: labels[name] for name in ("namespace", "horizontalpodautoscaler")}
        aim = {"metric_name": "cpu", "metric_target_type": "utilization"}
        yield Fact(own | aim, story.calendar.beginning_s, story.calendar.end_s, per_cent)


def _quotas(story: Story) -> Iterator[Fact]:
    since_s, until_s = story.calendar.beginning_s, story.calendar.end_s
    for (namespace, quota), keys in QUOTAS.items():
        for key, hard in keys.items():
            labels = {"namespace": namespace, "resourcequota": quota, "resource": key}
            yield Fact(labels | {"type": "hard"}, since_s, until_s, hard)
            yield Fact(
                labels | {"type": "used"}, since_s, until_s, 0.0, tuple(used_of(story, namespace, key))
            )


def _replica_sets(story: Story) -> Iterator[Fact]:
    return _owned(story, "ReplicaSet", "replicaset")


def _jobs(story: Story) -> Iterator[Fact]:
    return _owned(story, "Job", "job_name")


def _owned(story: Story, kind: str, label: str) -> Iterator[Fact]:
    for owner in story.owners:
        if owner.kind == kind:
            labels = {
                "namespace": owner.namespace,
                label: owner.name,
                "owner_kind": owner.parent_kind,
                "owner_name": owner.parent_name,
                "owner_is_controller": "true" if owner.parent_kind else "",
            }
            yield Fact(labels, owner.start_s, owner.end_s)


def _namespaces(story: Story) -> Iterator[Fact]:
    for namespace, labels in NAMESPACES.items():
        own = {"namespace": namespace, "label_kubernetes_io_metadata_name": namespace}
        yield Fact(own | labels, story.calendar.beginning_s, story.calendar.end_s)


def _nodes(story: Story) -> Iterator[Fact]:
    return (Fact({"node": node.name, **node.labels}, node.start_s, node.end_s) for node in story.nodes)


def _node_info(story: Story) -> Iterator[Fact]:
    for node in story.nodes:
        labels = {
            "node": node.name,
            "provider_id": node.provider_id,
            "internal_ip": node.address,
            "kernel_version": "6.12.40",
            "kubelet_version": "v1.33.4",
        }
        yield Fact(labels, node.start_s, node.end_s)


def _capacity(story: Story) -> Iterator[Fact]:
    for node in story.nodes:
        for resource, amount in node.capacity.items():
            labels = {"node": node.name, "resource": resource, "unit": _UNITS.get(resource, "integer")}
            yield Fact(labels, node.start_s, node.end_s, amount)


def _allocatable(story: Story) -> Iterator[Fact]:
    for node in story.nodes:
        for resource, amount in node.allocatable.items():
            labels = {"node": node.name, "resource": resource, "unit": _UNITS.get(resource, "integer")}
            yield Fact(labels, node.start_s, node.end_s, amount)


def _claim_info(story: Story) -> Iterator[Fact]:
    for claim in story.claims:
        labels = _claim(claim) | {"storageclass": claim.storage_class, "volumemode": "Filesystem"}
        bound_s = claim.end_s if claim.bound_s is None else claim.bound_s
        yield Fact(labels, claim.created_s, bound_s)
        yield Fact(labels | {"volumename": claim.volume}, bound_s, claim.end_s)


def _claim_phase(story: Story) -> Iterator[Fact]:
    for claim in story.claims:
        for phase in ("Pending", "Bound", "Lost"):
            changes = () if claim.bound_s is None else ((claim.bound_s, float(phase == "Bound")),)
            yield Fact(
                _claim(claim) | {"phase": phase},
                claim.created_s,
                claim.end_s,
                float(phase == "Pending"),
                changes,
            )


def _claim_requests(story: Story) -> Iterator[Fact]:
    for claim in story.claims:
        grown = tuple((since_s, float(gib * GIB)) for since_s, gib in claim.grown)
        yield Fact(_claim(claim), claim.created_s, claim.end_s, float(claim.gib * GIB), grown)


def _pod_claims(story: Story) -> Iterator[Fact]:
    for pod in story.pods:
        for number, claim in enumerate(pod.claims):
            yield _lasting(pod, persistentvolumeclaim=claim, volume=f"volume-{number}")


def _claim(claim: Claim) -> dict[str, str]:
    return {"namespace": claim.namespace, "persistentvolumeclaim": claim.name}


KUBE_STATE: dict[str, Callable[[Story], Iterator[Fact]]] = {
    "kube_pod_info": _info,
    "kube_pod_owner": _owner,
    "kube_pod_status_phase": _phase,
    "kube_pod_status_scheduled_time": _scheduled,
    "kube_pod_start_time": _started,
    "kube_pod_completion_time": _completed,
    "kube_pod_labels": _labels,
    "kube_pod_overhead_cpu_cores": _overhead_cpu,
    "kube_pod_overhead_memory_bytes": _overhead_memory,
    "kube_pod_container_resource_requests": _requests,
    "kube_pod_container_resource_limits": _limits,
    "kube_pod_init_container_resource_requests": _init_requests,
    "kube_pod_container_status_restarts_total": _restarts,
    "kube_pod_container_status_last_terminated_reason": _terminated,
    "kube_horizontalpodautoscaler_info": _autoscalers,
    "kube_horizontalpodautoscaler_spec_target_metric": _autoscaler_targets,
    "kube_resourcequota": _quotas,
    "kube_replicaset_owner": _replica_sets,
    "kube_job_owner": _jobs,
    "kube_namespace_labels": _namespaces,
    "kube_node_labels": _nodes,
    "kube_node_info": _node_info,
    "kube_node_status_capacity": _capacity,
    "kube_node_status_allocatable": _allocatable,
    "kube_persistentvolumeclaim_info": _claim_info,
    "kube_persistentvolumeclaim_status_phase": _claim_phase,
    "kube_persistentvolumeclaim_resource_requests_storage_bytes": _claim_requests,
    "kube_pod_spec_volumes_persistentvolumeclaims_info": _pod_claims,
}
