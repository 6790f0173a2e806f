"""What each container asked for while it occupied its node. docs/methods.md, "Occupancy"."""

from collections import defaultdict
from dataclasses import dataclass

from costlab.domain.signals import Labels, Signal
from costlab.jobs.levels import Steps, edges_of, steps_by, value_at
from costlab.jobs.lives import Life, PodId, Signals, latest, pod_id
from costlab.jobs.machines import Sharing


@dataclass(frozen=True, slots=True)
class Claim:
    """A container while its requests do not change; `container` is empty for what the pod reserves beyond them.

    Requests and limits in cores, bytes and pieces; None where none is set. gpu_share in physical GPUs.
    """

    life: Life
    container: str
    start_ms: int
    end_ms: int
    cpu_request: float | None
    memory_request: float | None
    gpu_request: float | None
    cpu_limit: float | None
    memory_limit: float | None
    gpu_resource: str | None
    gpu_share: float | None


_ByContainer = dict[str, dict[str, Steps]]  # container → resource → steps


def claims_of(
    signals: Signals, lives: list[Life], seen: dict[PodId, set[str]], sharing: Sharing, max_gap_ms: int
) -> list[Claim]:
    """Every container of every life; `seen` names those whose usage was measured, requests or not."""
    requests = _by_pod(signals, Signal.CONTAINER_REQUEST, max_gap_ms)
    limits = _by_pod(signals, Signal.CONTAINER_LIMIT, max_gap_ms)
    starts = _by_pod(signals, Signal.INIT_CONTAINER_REQUEST, max_gap_ms)
    overhead = {
        "cpu": latest(signals[Signal.POD_OVERHEAD_CPU]),
        "memory": latest(signals[Signal.POD_OVERHEAD_MEMORY]),
    }
    claims: list[Claim] = []
    for life in lives:
        pod = life.pod_id
        asked, capped, init = requests.get(pod, {}), limits.get(pod, {}), starts.get(pod, {})
        names = (set(asked) | set(capped) | seen.get(pod, set())) - set(init)
        for container in sorted(names):
            claims += _container(
                life, container, asked.get(container, {}), capped.get(container, {}), sharing
            )
        extra = {resource: of.get(pod, 0.0) for resource, of in overhead.items()}
        claims += _beyond(life, asked, init, extra)
    return claims


def _by_pod(signals: Signals, signal: Signal, max_gap_ms: int) -> dict[PodId, _ByContainer]:
    def key_of(labels: Labels) -> tuple[PodId, str, str]:
        return pod_id(labels), labels.get("container", ""), labels.get("resource", "")

    found: dict[PodId, _ByContainer] = defaultdict(lambda: defaultdict(dict))
    for (pod, container, resource), steps in steps_by(signals[signal], key_of, max_gap_ms).items():
        found[pod][container][resource] = steps
    return found


def _container(
    life: Life, container: str, asked: dict[str, Steps], capped: dict[str, Steps], sharing: Sharing
) -> list[Claim]:
    gpu_resource = next((r for r in sorted(asked) if sharing.share(life.node, r) is not None), None)
    share = sharing.share(life.node, gpu_resource) if gpu_resource else None
    claims = []
    for start_ms, end_ms in edges_of([*asked.values(), *capped.values()], life.start_ms, life.end_ms):
        gpus = value_at(asked[gpu_resource], start_ms) if gpu_resource else None
        claims.append(
            Claim(
                life, container, start_ms, end_ms,
                cpu_request=value_at(asked.get("cpu", []), start_ms),
                memory_request=value_at(asked.get("memory", []), start_ms),
                gpu_request=gpus,
                cpu_limit=value_at(capped.get("cpu", []), start_ms),
                memory_limit=value_at(capped.get("memory", []), start_ms),
                gpu_resource=gpu_resource,
                gpu_share=None if gpus is None or share is None else gpus * share,
            )
        )  # fmt: skip
    return claims


def _beyond(life: Life, asked: _ByContainer, init: _ByContainer, overhead: dict[str, float]) -> list[Claim]:
    """What the pod's effective request exceeds its containers' by: max(Σ app, max init) + overhead − Σ app."""
    if not init and not any(overhead.values()):
        return []
    claims = []
    for start_ms, end_ms in edges_of(
        [s for by in asked.values() for s in by.values()], life.start_ms, life.end_ms
    ):
        extra = {}
        for resource in ("cpu", "memory"):
            apps = sum(value_at(by.get(resource, []), start_ms) or 0.0 for by in asked.values())
            first = max(
                (value_at(by.get(resource, []), start_ms) or 0.0 for by in init.values()), default=0.0
            )
            extra[resource] = max(apps, first) + overhead[resource] - apps
        if extra["cpu"] > 0 or extra["memory"] > 0:
            claims.append(
                Claim(
                    life, "", start_ms, end_ms, extra["cpu"] or None, extra["memory"] or None,
                    None, None, None, None, None,
                )
            )  # fmt: skip
    return claims
