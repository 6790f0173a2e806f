"""Who runs on the big cluster: nodes, and in every slot pod after pod; the same for the same seed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count
from uuid import UUID

import numpy as np

from costlab.domain.time import HOUR_MS, MINUTE_MS, Window

DAY_MS = 1_763_769_600_000  # 2025-11-22, midnight UTC
GPUS_A_NODE = 8
_CPU_SLOTS_A_NODE = 20
_NAMESPACES = tuple(f"research-team-{number:02d}" for number in range(16))
_WORDS = (
    "tokenizer",
    "embedding-api",
    "feature-store",
    "ranker",
    "sweep",
    "etl-worker",
    "evaluation",
    "ingest",
)
_GPU_WORDS = ("llm-finetune", "diffusion-train", "vllm-serving", "reward-model")


@dataclass(frozen=True, slots=True)
class Scale:
    """How big, and for how many hours; the defaults are 2,000 containers and 400 GPUs for a day.

    lasting, brief: slots without a GPU whose pod outlives the day, or lives about two hours.
    gpu_slots: by the GPUs that each pod in them takes, how many; only those of 8 are lasting.
    """

    lasting: int = 1390
    brief: int = 380
    gpu_slots: Mapping[int, int] = field(default_factory=lambda: {8: 10, 4: 20, 2: 40, 1: 160})
    hours: int = 24
    seed: int = 7

    @property
    def window(self) -> Window:
        """The hours that are told."""
        return Window(DAY_MS, DAY_MS + self.hours * HOUR_MS)


@dataclass(frozen=True, slots=True)
class Node:
    """A machine; `gpus` are the UUIDs of its devices."""

    name: str
    address: str
    cores: int
    memory_gib: int
    gpus: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with one container that runs from `start_ms` until `end_ms` on its node, holding these devices.

    A lasting pod belongs to a ReplicaSet and began before the day; a brief one belongs to a Job, and is told of as
    Succeeded for half an hour after it ended.
    """

    number: int
    namespace: str
    workload: str
    owner: str
    name: str
    uid: str
    container: str
    container_id: str
    image: str
    node: Node
    devices: tuple[int, ...]
    start_ms: int
    end_ms: int
    lasting: bool
    cpu_request: float
    memory_request_gib: int


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody: nodes, and pods ordered by slot and time."""

    scale: Scale
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True)
class _Slot:
    number: int
    node: Node
    devices: tuple[int, ...]
    mean_life_ms: int  # 0: it outlives the day


def cast_of(scale: Scale) -> Cast:
    """The cluster at this scale; nothing in it depends on anything else."""
    random = np.random.default_rng(scale.seed)
    nodes = _nodes(scale)
    number = count()
    pods = [
        pod
        for slot in _slots(scale, nodes)
        for start_ms, end_ms in _lives(slot, scale.window, random)
        if (pod := _pod(next(number), slot, start_ms, end_ms, random)).end_ms > scale.window.start_ms
    ]
    return Cast(scale, nodes, tuple(pods))


def key(*parts: object) -> str:
    """32 hexadecimal digits that name the parts."""
    return blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def _nodes(scale: Scale) -> tuple[Node, ...]:
    gpu_nodes = -(-sum(gpus * slots for gpus, slots in scale.gpu_slots.items()) // GPUS_A_NODE)
    cpu_nodes = -(-(scale.lasting + scale.brief) // _CPU_SLOTS_A_NODE)
    return tuple(
        Node(
            f"ip-10-{number // 250}-{number % 250}-17.ec2.internal",
            f"10.{number // 250}.{number % 250}.17",
            *((96, 1024) if number < gpu_nodes else (64, 256)),
            tuple(f"GPU-{UUID(key('gpu', number, device))}" for device in range(GPUS_A_NODE))
            if number < gpu_nodes
            else (),
        )
        for number in range(gpu_nodes + cpu_nodes)
    )


def _slots(scale: Scale, nodes: tuple[Node, ...]) -> Iterator[_Slot]:
    """The slots with GPUs, the largest first, so that none spans two nodes; then the others."""
    number, device = count(), 0
    for gpus, slots in sorted(scale.gpu_slots.items(), reverse=True):
        for _ in range(slots):
            first = device % GPUS_A_NODE
            mean_life_ms = 0 if gpus == GPUS_A_NODE else 13 * HOUR_MS
            yield _Slot(
                next(number), nodes[device // GPUS_A_NODE], tuple(range(first, first + gpus)), mean_life_ms
            )
            device += gpus
    cpu_nodes = [node for node in nodes if not node.gpus]
    for place in range(scale.lasting + scale.brief):
        mean_life_ms = 0 if place < scale.lasting else 2 * HOUR_MS
        yield _Slot(next(number), cpu_nodes[place % len(cpu_nodes)], (), mean_life_ms)


def _lives(slot: _Slot, window: Window, random: np.random.Generator) -> Iterator[tuple[int, int]]:
    """From when until when each pod in the slot runs; log-normal lives, a few minutes between them."""
    age_ms = int(random.integers(HOUR_MS, 40 * 24 * HOUR_MS))
    if not slot.mean_life_ms:
        yield window.start_ms - age_ms, window.end_ms + HOUR_MS
        return
    start_ms = window.start_ms - int(random.uniform() * 2 * slot.mean_life_ms)
    while start_ms < window.end_ms:
        spread = 1.0
        life_ms = slot.mean_life_ms * random.lognormal(-(spread**2) / 2, spread)
        end_ms = start_ms + max(2 * MINUTE_MS, int(life_ms))
        yield start_ms, end_ms
        start_ms = end_ms + 10_000 + int(random.exponential(4 * MINUTE_MS))


def _pod(number: int, slot: _Slot, start_ms: int, end_ms: int, random: np.random.Generator) -> Pod:
    lasting = not slot.mean_life_ms
    words = _GPU_WORDS if slot.devices else _WORDS
    word = words[slot.number % len(words)]
    workload = f"{word}-{slot.number:04d}"
    digest = key("pod", number)
    owner = f"{workload}-{digest[:9]}" if lasting else f"{workload}-{start_ms // 1000}"
    return Pod(
        number=number,
        namespace=_NAMESPACES[slot.number % len(_NAMESPACES)],
        workload=workload,
        owner=owner,
        name=f"{owner}-{digest[9:14]}",
        uid=str(UUID(digest)),
        container="trainer" if slot.devices else "app",
        container_id=key("container", number) + key("its", number),
        image=f"registry.example/research/{word}@sha256:{key('image', workload)}{key('its', workload)}",
        node=slot.node,
        devices=slot.devices,
        start_ms=start_ms,
        end_ms=end_ms,
        lasting=lasting,
        cpu_request=float(random.choice([0.5, 1, 2, 4])) + 8 * len(slot.devices),
        memory_request_gib=int(random.choice([1, 2, 4, 8])) + 96 * len(slot.devices),
    )
