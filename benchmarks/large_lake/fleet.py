"""Who is there in a made-up lake: workloads of teams, their containers and the nodes they are on; the same for a seed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from costlab.domain.units import GIB

PER_NODE, PER_GPU_NODE = 40, 8
LASTING = 0.7  # of the containers are of pods that last; the others are of another pod every day
CORES, GIBS, GPUS = 64.0, 256.0, 8.0
KINDS = np.array(["Deployment", "Deployment", "StatefulSet", "Job", "CronJob"])
CLASSES = np.array(["service", "inference", "service", "training", "batch"])

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pods:
    """Those of a day, one container each, in the order of their places: names (pods,), and key int64."""

    name: pa.Array
    uid: pa.Array
    key: Ints


class Fleet:
    """The containers of a cluster by place: a workload's place stays, its pod and what it uses are another every day."""

    def __init__(self, containers: int, workloads: int) -> None:
        random = np.random.default_rng(2026)
        self.count = containers
        self.workloads = workloads
        self.workload = np.sort(random.integers(0, self.workloads, containers))
        self.spaces = max(self.workloads // 25, 1)
        self.teams = max(self.spaces // 5, 1)
        of = np.arange(self.workloads)
        self.space_of, self.kind_of = random.permutation(of) % self.spaces, of % len(KINDS)
        self.lasting = random.random(containers) < LASTING
        self.node = random.permutation(containers) // PER_NODE
        self.nodes = -(-containers // PER_NODE)
        self.gpu_nodes = self.nodes // 10
        place = np.arange(containers)[np.argsort(self.node, kind="stable")]
        number = np.arange(containers) % PER_NODE
        self.gpu = np.zeros(containers, np.bool_)
        self.gpu[place] = (self.node[place] < self.gpu_nodes) & (number < PER_GPU_NODE)
        scale = random.lognormal(-1.2, 0.8, self.workloads)[self.workload]
        self.cpu_request = self._fitted(
            np.ceil(1000 * scale * random.uniform(1.2, 4, containers)) / 1000, CORES
        )
        self.memory_request = self._fitted(np.ceil(4 * scale * random.uniform(2, 9, containers)) / 4, GIBS)
        self.used = random.uniform(0.1, 0.9, containers)
        self.without_request = random.random(containers) < 0.03
        self.pipeline = np.where(self.kind_of[self.workload] == 4, self.workload % 50, -1)

    def _fitted(self, wanted: Floats, size: float) -> Floats:
        """What fits into the nodes of a size, as 85 of its 100 parts at most."""
        together = np.bincount(self.node, wanted)
        share = np.minimum(0.85 * size / together, 1.0)[self.node]
        return np.floor(1000 * wanted * share) / 1000 + 0.001

    @cached_property
    def names(self) -> dict[str, pa.Array]:
        """Columns that are the same every day."""
        kind = self.kind_of[self.workload]
        pipeline = pa.array(np.maximum(self.pipeline, 0), mask=self.pipeline < 0)
        space = self.space_of[self.workload]
        return {
            "namespace": text("research-", space),
            "workload_kind": pa.array(KINDS[kind].astype(object), pa.string()),
            "workload": text("workload-", self.workload),
            "container": pa.array(["main"] * self.count),
            "team": text("team-", space % self.teams),
            "class": pa.array(CLASSES[kind].astype(object), pa.string()),
            "pipeline": pc.if_else(pipeline.is_valid(), text("dag-", pipeline.fill_null(0)), None),
        }

    @cached_property
    def labels(self) -> pa.Array:
        """The pods' labels as maps."""
        rows = [
            [("label_app", f"workload-{w}"), ("label_team", f"team-{s % self.teams}")]
            for w, s in zip(self.workload, self.space_of[self.workload], strict=True)
        ]
        return pa.array(rows, pa.map_(pa.string(), pa.string()))

    @cached_property
    def node_name(self) -> pa.Array:
        """The node of each place."""
        return text("ip-10-0-", self.node)

    def pods(self, day: int) -> Pods:
        """The pods of a day by its number: of those that last, the same for three weeks."""
        born = np.where(self.lasting, (day + self.workload % 21) // 21, 100 + day)
        key = (np.arange(self.count) * 6364136223846793005 + born * 1442695040888963407) & (2**62 - 1)
        suffix = text("", key % 1_000_003)
        name = pc.binary_join_element_wise(self.names["workload"], suffix, "-")
        uid = pc.binary_join_element_wise(text("", key >> 31), text("", key & (2**31 - 1)), suffix, "-")
        return Pods(name, uid, key)


def text(before: str, numbers: NDArray[np.integer] | pa.Array) -> pa.Array:
    """Numbers as names."""
    said = pa.array(numbers).cast(pa.string())
    return pc.binary_join_element_wise(pa.scalar(before), said, "") if before else said


def micros(price: float, hours: Floats) -> Ints:
    """Money in micro-units."""
    return np.rint(1e6 * price * hours).astype(np.int64)


def bytes_of(gib: Floats) -> Floats:
    """GiB in bytes."""
    return gib * GIB
