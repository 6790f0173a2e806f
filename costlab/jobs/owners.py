"""Whose a pod is: workload, team, class, pipeline. docs/methods.md, "Names and owners"."""

from collections.abc import Mapping
from dataclasses import dataclass

from costlab.domain.identity import WorkloadKey
from costlab.domain.signals import Labels, Series, Signal
from costlab.jobs.lives import Life, PodId, Signals, pod_id

UNALLOCATED = "unallocated"
_NOBODY = ("", "<none>")
_PIPELINE_LABELS = (
    "label_dag_id",
    "label_pipelines_kubeflow_org_pipelinename",
    "label_workflows_argoproj_io_workflow_template",
    "label_workflows_argoproj_io_cron_workflow",
    "label_ray_io_cluster",
)


@dataclass(frozen=True, slots=True)
class Ownership:
    """How owners are found: label names in order, and a team by namespace as the last resort."""

    labels: tuple[str, ...]
    namespaces: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Registry:
    """What kube-state-metrics tells about owners and labels, ready to be looked up."""

    owners: dict[PodId, tuple[str, str]]
    replicasets: dict[tuple[str, str], tuple[str, str]]
    jobs: dict[tuple[str, str], tuple[str, str]]
    pod_labels: dict[PodId, dict[str, str]]
    namespace_labels: dict[str, dict[str, str]]

    def workload(self, life: Life) -> WorkloadKey:
        """The pod's top owner: ReplicaSet → Deployment, Job → CronJob; the pod itself where nobody owns it."""
        namespace = life.key.namespace
        kind, name = self.owners.get(life.pod_id, life.created_by)
        if kind == "ReplicaSet":
            kind, name = self.replicasets.get((namespace, name), (kind, name))
        elif kind == "Job":
            kind, name = self.jobs.get((namespace, name), (kind, name))
        if kind in _NOBODY or name in _NOBODY:
            return WorkloadKey(namespace, "Pod", life.key.pod)
        return WorkloadKey(namespace, kind, name)

    def team(self, life: Life, ownership: Ownership) -> str:
        """The first owner label on the pod, then on its namespace, then the configured owner of the namespace."""
        for labels in (
            self.pod_labels.get(life.pod_id, {}),
            self.namespace_labels.get(life.key.namespace, {}),
        ):
            for name in ownership.labels:
                if team := labels.get(f"label_{_snake(name)}"):
                    return team
        return ownership.namespaces.get(life.key.namespace, UNALLOCATED)

    def pipeline(self, life: Life) -> str | None:
        """The pipeline whose label the pod carries."""
        labels = self.pod_labels.get(life.pod_id, {})
        return next((labels[name] for name in _PIPELINE_LABELS if labels.get(name)), None)


def registry_of(signals: Signals) -> Registry:
    """The owners and labels of everything that was seen."""
    return Registry(
        owners={pod_id(labels): _owner(labels) for labels in signals[Signal.POD_OWNER].labels},
        replicasets=_chain(signals[Signal.REPLICASET_OWNER], "replicaset"),
        jobs=_chain(signals[Signal.JOB_OWNER], "job_name"),
        pod_labels={pod_id(labels): _own_labels(labels) for labels in signals[Signal.POD_LABELS].labels},
        namespace_labels={
            labels.get("namespace", ""): _own_labels(labels)
            for labels in signals[Signal.NAMESPACE_LABELS].labels
        },
    )


def _chain(series: Series, name: str) -> dict[tuple[str, str], tuple[str, str]]:
    found = {}
    for labels in series.labels:
        kind, owner = _owner(labels)
        if kind not in _NOBODY and owner not in _NOBODY:
            found[labels.get("namespace", ""), labels.get(name, "")] = (kind, owner)
    return found


def _owner(labels: Labels) -> tuple[str, str]:
    return labels.get("owner_kind", ""), labels.get("owner_name", "")


def _own_labels(labels: Labels) -> dict[str, str]:
    return {name: text for name, text in labels.items() if name.startswith("label_")}


def _snake(label: str) -> str:
    """A label as kube-state-metrics spells it: every character but letters and digits is an underscore."""
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in label)
