"""Where objects keep the templates of their pods: Kubernetes' own kinds, and those that ML platforms run training with.

The fields are those of the custom resources' definitions: Kubeflow Trainer v1, KubeRay v1, JobSet v1alpha2, Volcano Job
v1alpha1, Kubeflow Notebook v1 and Argo Rollout v1alpha1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Several(Enum):
    """What stands at the end of the way to an object's groups of pods."""

    ONE = auto()  # one group
    LIST = auto()  # a list of groups, with their names inside
    MAP = auto()  # groups by their names


@dataclass(frozen=True, slots=True)
class Groups:
    """Where groups of like pods stand in an object.

    way: to the groups. name: the key of a group's name; of one group, its name. replicas: the key of their number, '' where
    there is one; absent: that number where it is not told; hosts: the key of the pods of each replica, 1 where it is not
    told. template: from a group to its pod's template. job: above the template stands a Job's spec, with a parallelism.
    """

    way: tuple[str, ...]
    several: Several = Several.ONE
    name: str = ""
    replicas: str = "replicas"
    absent: int = 1
    hosts: str = ""
    template: tuple[str, ...] = ("template",)
    job: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind whose pods are known. lasting: it stays up until deleted; everywhere: a pod on each node that it fits."""

    groups: tuple[Groups, ...]
    lasting: bool = True
    everywhere: bool = False


_SPEC = Kind((Groups(("spec",)),))


def _training(field: str) -> Kind:
    return Kind((Groups(("spec", field), Several.MAP),), lasting=False)


def _ray(*way: str, lasting: bool) -> Kind:
    head = Groups((*way, "headGroupSpec"), name="head", replicas="")
    workers = Groups((*way, "workerGroupSpecs"), Several.LIST, "groupName", absent=0, hosts="numOfHosts")
    return Kind((head, workers), lasting)


# By API group and kind.
KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    ("", "Pod"): Kind((Groups((), replicas="", template=()),)),
    ("", "ReplicationController"): _SPEC,
    ("apps", "Deployment"): _SPEC,
    ("apps", "StatefulSet"): _SPEC,
    ("apps", "ReplicaSet"): _SPEC,
    ("apps", "DaemonSet"): Kind((Groups(("spec",), replicas=""),), everywhere=True),
    ("batch", "Job"): Kind((Groups(("spec",), replicas="", job=True),), lasting=False),
    ("batch", "CronJob"): Kind((Groups(("spec", "jobTemplate", "spec"), replicas="", job=True),), lasting=False),
    ("argoproj.io", "Rollout"): _SPEC,
    ("kubeflow.org", "Notebook"): Kind((Groups(("spec",), replicas=""),)),
    ("kubeflow.org", "PyTorchJob"): _training("pytorchReplicaSpecs"),
    ("kubeflow.org", "TFJob"): _training("tfReplicaSpecs"),
    ("kubeflow.org", "XGBoostJob"): _training("xgbReplicaSpecs"),
    ("kubeflow.org", "PaddleJob"): _training("paddleReplicaSpecs"),
    ("kubeflow.org", "JAXJob"): _training("jaxReplicaSpecs"),
    ("kubeflow.org", "MPIJob"): _training("mpiReplicaSpecs"),
    ("ray.io", "RayCluster"): _ray("spec", lasting=True),
    ("ray.io", "RayJob"): _ray("spec", "rayClusterSpec", lasting=False),
    ("ray.io", "RayService"): _ray("spec", "rayClusterConfig", lasting=True),
    ("jobset.x-k8s.io", "JobSet"): Kind(
        (Groups(("spec", "replicatedJobs"), Several.LIST, "name", template=("template", "spec", "template"), job=True),),
        lasting=False,
    ),
    ("batch.volcano.sh", "Job"): Kind((Groups(("spec", "tasks"), Several.LIST, "name"),), lasting=False),
}  # fmt: skip


def kind_of(api_version: str, kind: str) -> Kind | None:
    """What is known of a kind; one without an apiVersion is taken for Kubernetes' own. None: nothing is."""
    group = api_version.rpartition("/")[0]
    found = KINDS.get((group, kind))
    if found or api_version:
        return found
    return next((KINDS[key] for key in KINDS if key[1] == kind and key[0] in ("", "apps", "batch")), None)
