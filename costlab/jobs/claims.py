"""What each container asked for while it occupied its node. docs/methods.md, "Occupancy"."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from costlab.domain.signals import Labels, Signal
from costlab.jobs.levels import Run, edges_of, runs_by, value_at
from costlab.jobs.lives import Life, PodId, latest, pod_id
from costlab.jobs.reading import Reading
from costlab.jobs.sharing import Sharing


@dataclass(frozen=True, slots=True)
class Claim:
    """A container while its requests do not change; `container` is empty for what the pod reserves beyond them.

    Requests and limits in cores, bytes and pieces; None where none is set. gpu_share in physical GPUs. gpu_resource
    names the resource, or several of them, joined by commas.
    """

    life: Life
    container: str
    start_ms: int
    end_ms: int
    cpu_request: float | None = None
    memory_request: float | None = None
    gpu_request: float | None = None
    cpu_limit: float | None = None
    memory_limit: float | None = None
    gpu_resource: str | None = None
    gpu_share: float | None = None


_ByResource = Mapping[str, list[Run]]
_ByContainer = Mapping[str, _ByResource]


def claims_of(
    signals: Reading, lives: list[Life], seen: Mapping[PodId, set[str]], sharing: Sharing, max_gap_ms: int
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
        for container in sorted((set(asked) | set(capped) | seen.get(pod, set())) - set(init)):
            claims += _container(
                life, container, asked.get(container, {}), capped.get(container, {}), sharing
            )
        extra = {resource: of.get(pod, 0.0) for resource, of in overhead.items()}
        if init or any(extra.values()):
            claims += _beyond(life, asked, init, extra, sharing)
    return claims


def init_containers(signals: Reading) -> dict[PodId, set[str]]:
    """The init containers of each pod."""
    found: dict[PodId, set[str]] = defaultdict(set)
    for labels in signals[Signal.INIT_CONTAINER_REQUEST].labels:
        found[pod_id(labels)].add(labels.get("container", ""))
    return found


def _by_pod(
    signals: Reading, signal: Signal, max_gap_ms: int
) -> dict[PodId, dict[str, dict[str, list[Run]]]]:
    def key_of(labels: Labels) -> tuple[PodId, str, str]:
        return pod_id(labels), labels.get("container", ""), labels.get("resource", "")

    found: dict[PodId, dict[str, dict[str, list[Run]]]] = defaultdict(lambda: defaultdict(dict))
    for (pod, container, resource), runs in runs_by(signals, signal, key_of, max_gap_ms).items():
        found[pod][container][resource] = runs
    return found


def _container(
    life: Life, container: str, asked: _ByResource, capped: _ByResource, sharing: Sharing
) -> list[Claim]:
    gpus = [resource for resource in sorted(asked) if resource in sharing.resources]
    claims = []
    for start_ms, end_ms in edges_of([*asked.values(), *capped.values()], life.start_ms, life.end_ms):
        pieces, share = _gpus(life, {resource: asked[resource] for resource in gpus}, start_ms, sharing)
        claims.append(
            Claim(
                life, container, start_ms, end_ms,
                cpu_request=value_at(asked.get("cpu", []), start_ms),
                memory_request=value_at(asked.get("memory", []), start_ms),
                cpu_limit=value_at(capped.get("cpu", []), start_ms),
                memory_limit=value_at(capped.get("memory", []), start_ms),
                gpu_request=pieces if gpus else None, gpu_share=share if gpus else None,
                gpu_resource=",".join(gpus) or None,
            )
        )  # fmt: skip
    return claims


def _beyond(
    life: Life, asked: _ByContainer, init: _ByContainer, overhead: Mapping[str, float], sharing: Sharing
) -> list[Claim]:
    """What the pod's effective request exceeds its containers' by: max(Σ app, max init) + overhead − Σ app."""
    claims = []
    for start_ms, end_ms in edges_of(
        [r for by in asked.values() for r in by.values()], life.start_ms, life.end_ms
    ):

        def needs(by: _ByResource, resource: str, at_ms: int = start_ms) -> float:
            if resource == "gpu":
                return _gpus(
                    life,
                    {name: runs for name, runs in by.items() if name in sharing.resources},
                    at_ms,
                    sharing,
                )[1]
            return value_at(by.get(resource, []), at_ms) or 0.0

        extra = {}
        for resource in ("cpu", "memory", "gpu"):
            apps = sum(needs(by, resource) for by in asked.values())
            first = max((needs(by, resource) for by in init.values()), default=0.0)
            extra[resource] = max(apps, first) + overhead.get(resource, 0.0) - apps
        if any(amount > 0 for amount in extra.values()):
            claims.append(
                Claim(
                    life, "", start_ms, end_ms, cpu_request=extra["cpu"] or None,
                    memory_request=extra["memory"] or None, gpu_share=extra["gpu"] or None,
                )
            )  # fmt: skip
    return claims


def _gpus(life: Life, asked: _ByResource, at_ms: int, sharing: Sharing) -> tuple[float, float]:
    """Pieces, and physical GPUs, that are asked for at a time."""
    pieces = {resource: value_at(runs, at_ms) or 0.0 for resource, runs in asked.items()}
    shares = (
        count * (sharing.share(life.node, resource, at_ms) or 0.0) for resource, count in pieces.items()
    )
    return sum(pieces.values()), sum(shares)
