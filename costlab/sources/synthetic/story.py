"""The tale: a mid-size ML platform, five teams, a month in which one of them starts to train a large model.

nlp        a chat model behind an API with a day curve, an embedder on shared T4s; four days before the end a
           pre-training run arrives, with a node of its own; its checkpoints take ever more space
vision     daily retraining, nightly sweeps, a labelling tool that bursts over its request, a job too large to be placed
recsys     a ranker that asks for far more than it uses, an API with a memory leak, a Redis made anew, spot work lost
data       a nightly ETL on spot nodes, a two-hourly sync, Kafka
platform   Airflow, a model registry whose init container asks for more than its app

Data lies on claims: a Kafka's own, one that two jobs share, one whose job comes late, one that nobody mounts any more.
Some names stand on the pod, recsys only on its namespace, `scratch` and `kube-system` have none.
"""

from dataclasses import dataclass, replace
from datetime import date

from costlab.domain.time import HOUR_MS, Window
from costlab.domain.units import GIB
from costlab.sources.synthetic.cast import Claim, Node, Outage, Owner, Pod
from costlab.sources.synthetic.casting import Casting
from costlab.sources.synthetic.days import Calendar
from costlab.sources.synthetic.machines import machines
from costlab.sources.synthetic.teams import data, nlp, notebooks, platform, recsys, storage, system, vision

# The owner labels of the namespaces: recsys has its team nowhere else, and two have none.
NAMESPACES: dict[str, dict[str, str]] = {
    "nlp": {"label_team": "nlp"},
    "vision": {"label_team": "vision"},
    "recsys": {"label_team": "recsys"},
    "data": {"label_team": "data"},
    "platform": {"label_team": "platform"},
    "monitoring": {"label_team": "platform"},
    "notebooks": {},
    "gpu-operator": {"label_team": "platform"},
    "scratch": {},
    "kube-system": {},
}

# What namespaces may ask for, by quota: nlp's is nearly used up, vision's is far too large, recsys has none.
QUOTAS: dict[tuple[str, str], dict[str, float]] = {
    ("nlp", "compute"): {
        "requests.cpu": 128.0,
        "requests.memory": 1280.0 * GIB,
        "requests.nvidia.com/gpu": 14.0,
        "pods": 20.0,
    },
    ("nlp", "disks"): {"requests.storage": 5120.0 * GIB, "persistentvolumeclaims": 4.0},
    ("vision", "compute"): {
        "requests.cpu": 400.0,
        "requests.memory": 4096.0 * GIB,
        "requests.nvidia.com/gpu": 64.0,
        "pods": 200.0,
    },
    ("data", "compute"): {"requests.cpu": 40.0, "requests.memory": 128.0 * GIB, "limits.memory": 160.0 * GIB},
}


@dataclass(frozen=True, slots=True)
class Story:
    """Everyone who ever lives in the cluster, and what goes wrong with the exporters.

    two_ksm_s: from when until when two kube-state-metrics answer; after it only the second does.
    blank_s: when a device's counters read as the blank sentinel.
    """

    calendar: Calendar
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    owners: tuple[Owner, ...]
    claims: tuple[Claim, ...]
    outages: tuple[Outage, ...]
    two_ksm_s: tuple[int, int]
    blank_s: tuple[int, int]
    blank_device: tuple[str, int]

    def around(self, window: Window) -> "Story":
        """The same with those pods alone that lived within an hour of the window: a day has few of a month's."""
        nearby = window.widen(HOUR_MS, HOUR_MS)
        start_s, end_s = nearby.start_ms // 1000, nearby.end_ms // 1000
        return replace(
            self, pods=tuple(pod for pod in self.pods if pod.created_s < end_s and pod.gone_s > start_s)
        )


def tell(seed: int, last: date, length: int) -> Story:
    """The whole story, the same for the same arguments, in every process."""
    calendar = Calendar(last, length)
    casting = Casting(seed, calendar.end_s)
    place = machines(casting, calendar)
    for team in (nlp, vision, recsys, data, platform, notebooks, storage, system):
        team(casting, calendar, place)
    return Story(
        calendar,
        place.all,
        tuple(casting.pods),
        tuple(casting.owners),
        tuple(casting.claims),
        outages=(Outage("cpu-3", calendar.at(0, "13:00"), calendar.at(0, "14:00")),),
        two_ksm_s=(calendar.at(0, "09:00"), calendar.at(0, "10:00")),
        blank_s=(calendar.at(0, "05:00"), calendar.at(0, "05:10")),
        blank_device=("gpu-a100-1", 3),
    )
