"""What Kubernetes counts against a ResourceQuota: what pods and claims ask for, from their creation to their end."""

from collections import defaultdict
from collections.abc import Callable, Iterator

from costlab.domain.units import GIB, MIB
from costlab.sources.synthetic.cast import Container, Pod
from costlab.sources.synthetic.story import Story


def used_of(story: Story, namespace: str, key: str) -> Iterator[tuple[int, float]]:
    """(since when, how much) of each change in what is used of a quota's key; Succeeded and Failed pods use nothing."""
    changes: dict[int, float] = defaultdict(float)
    if key in _OF_CLAIMS:
        for claim in story.claims:
            if claim.namespace == namespace:
                before = 0.0
                for since_s, gib in ((claim.created_s, claim.gib), *claim.grown):
                    amount = _OF_CLAIMS[key](gib)
                    changes[since_s] += amount - before
                    before = amount
                changes[claim.end_s] -= before
    else:
        amount_of = _OF_PODS[key]
        for pod in story.pods:
            if pod.namespace == namespace:
                changes[pod.created_s] += amount_of(pod)
                changes[pod.end_s if pod.finished else pod.gone_s] -= amount_of(pod)
    used = 0.0
    for at_s in sorted(changes):
        used += changes[at_s]
        yield at_s, round(used, 6)


def _requests(pod: Pod, resource: str) -> float:
    return _effective(pod, lambda container: container.requests, resource)


def _limits(pod: Pod, resource: str) -> float:
    return _effective(pod, lambda container: container.limits, resource)


def _effective(pod: Pod, amounts_of: Callable[[Container], dict[str, float]], resource: str) -> float:
    """max(sum over app containers, max over init containers) + overhead."""
    apps = sum(amounts_of(container).get(resource, 0.0) for container in pod.containers)
    first = max((amounts_of(container).get(resource, 0.0) for container in pod.init_containers), default=0.0)
    overhead = {"cpu": pod.overhead_cpu, "memory": float(pod.overhead_memory_mib * MIB)}
    return max(apps, first) + overhead.get(resource, 0.0)


_OF_PODS: dict[str, Callable[[Pod], float]] = {
    "requests.cpu": lambda pod: _requests(pod, "cpu"),
    "requests.memory": lambda pod: _requests(pod, "memory"),
    "requests.nvidia.com/gpu": lambda pod: _requests(pod, "nvidia_com_gpu"),
    "limits.memory": lambda pod: _limits(pod, "memory"),
    "pods": lambda _: 1.0,
}
_OF_CLAIMS: dict[str, Callable[[int], float]] = {
    "requests.storage": lambda gib: float(gib * GIB),
    "persistentvolumeclaims": lambda _: 1.0,
}
