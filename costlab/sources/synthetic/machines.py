"""The machines of the synthetic cluster: A100 and time-sliced T4 nodes, CPU nodes, spot nodes that come and go."""

from dataclasses import dataclass

from costlab.sources.synthetic.cast import A100, T4, GpuModel, Node
from costlab.sources.synthetic.casting import Casting
from costlab.sources.synthetic.days import Calendar


@dataclass(frozen=True, slots=True)
class Kind:
    """An instance type; `slices` is how often the device plugin advertises each GPU."""

    name: str
    cores: int
    memory_gib: int
    gpu_model: GpuModel | None = None
    gpus: int = 0
    slices: int = 1


P4DE = Kind("p4de.24xlarge", 96, 1152, A100, gpus=8)
G4DN = Kind("g4dn.12xlarge", 48, 192, T4, gpus=4, slices=4)
M6I = Kind("m6i.4xlarge", 16, 64)
C6I = Kind("c6i.8xlarge", 32, 64)


@dataclass(frozen=True, slots=True)
class Machines:
    """All nodes by their part in the story; the spot nodes by the day they belong to (0: the last)."""

    a100_1: Node
    a100_2: Node
    a100_3: Node
    t4: Node
    cpu: tuple[Node, ...]
    spot_night: dict[int, Node]
    spot_afternoon: dict[int, Node]

    @property
    def all(self) -> tuple[Node, ...]:
        """Every life of every node."""
        spot = (*self.spot_night.values(), *self.spot_afternoon.values())
        return (self.a100_1, self.a100_2, self.a100_3, self.t4, *self.cpu, *spot)


def machines(casting: Casting, calendar: Calendar) -> Machines:
    """Buys the machines; the third A100 node arrives with the pre-training run, four days before the end."""
    beginning = calendar.beginning_s
    arrival = calendar.at(-3, "08:40")
    return Machines(
        a100_1=_node(casting, "gpu-a100-1", P4DE, beginning),
        a100_2=_node(casting, "gpu-a100-2", P4DE, beginning),
        a100_3=_node(casting, "gpu-a100-3", P4DE, arrival),
        t4=_node(casting, "gpu-t4-1", G4DN, beginning),
        # The first is the oldest: Docker with the cgroupfs driver, which shows the pause containers.
        cpu=tuple(_node(casting, f"cpu-{n}", M6I, beginning, docker=n == 1) for n in range(1, 7)),
        spot_night={day: _spot_node(casting, calendar, day, "01:06", "04:41") for day in calendar.days},
        spot_afternoon={
            # On the last day the cloud takes it back early, with work on it.
            day: _spot_node(casting, calendar, day, "13:04", "16:47" if day == 0 else "18:20")
            for day in calendar.days
        },
    )


def _spot_node(casting: Casting, calendar: Calendar, day: int, start: str, end: str) -> Node:
    """A node that lives for some hours; its name is never used again."""
    start_s = calendar.at(day, start) + casting.drawn(f"spot {day} {start}", 300)
    end_s = min(calendar.at(day, end) + casting.drawn(f"gone {day} {end}", 240), casting.end_s)
    name = f"spot-c6i-{casting.suffix(5, 'spot', str(start_s))}"
    return _node(casting, name, C6I, start_s, end_s=end_s, capacity_type="spot")


def _node(
    casting: Casting,
    name: str,
    kind: Kind,
    start_s: int,
    *,
    end_s: int | None = None,
    capacity_type: str = "on-demand",
    docker: bool = False,
) -> Node:
    """A machine of a kind, which stays until the end unless told otherwise."""
    labels = {
        "label_kubernetes_io_hostname": name,
        "label_node_kubernetes_io_instance_type": kind.name,
        "label_karpenter_sh_capacity_type": capacity_type,
        "label_topology_kubernetes_io_zone": "eu-central-1a",
    }
    if kind.gpu_model is not None:
        labels["label_nvidia_com_gpu_product"] = kind.gpu_model.name.replace(" ", "-")
    return Node(
        name,
        f"10.1.{casting.drawn(name + ' third', 32)}.{casting.drawn(name + ' fourth', 250) + 4}",
        start_s,
        casting.end_s if end_s is None else end_s,
        kind.cores,
        kind.memory_gib,
        labels,
        f"aws:///eu-central-1a/i-0{casting.uid('instance', name).replace('-', '')[:16]}",
        kind.gpu_model,
        tuple(f"GPU-{casting.uid('gpu', name, str(index))}" for index in range(kind.gpus)),
        kind.slices,
        docker,
    )
