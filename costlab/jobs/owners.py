"""Whose a pod is: workload and team. docs/methods.md, "Names and owners"."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from costlab.config.book import plain_label
from costlab.domain.identity import WorkloadKey
from costlab.domain.signals import Labels, Series, Signal
from costlab.domain.time import Window
from costlab.jobs.heard import newest, own_labels
from costlab.jobs.lives import Life, PodId, pod_id
from costlab.jobs.reading import Reading

UNALLOCATED = "unallocated"
_NOBODY = ("", "<none>")
# A CronJob's Job is named after the minute it was due, before Kubernetes 1.21 after the second. Dates, which people put
# there too, are smaller as minutes (20291231) and larger as seconds (2026112012).
_DUE = re.compile(r"-(?:(?:2[6-9]|[3-9][0-9])[0-9]{6}|1[4-9][0-9]{8})$")


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
    jobs_told: frozenset[tuple[str, str]]
    pod_labels: dict[PodId, dict[str, str]]
    namespace_labels: dict[str, dict[str, str]]

    def workload(self, life: Life) -> WorkloadKey:
        """The pod's top owner: ReplicaSet → Deployment or Rollout, Job → CronJob; the pod itself where nobody owns it.

        A Job of which kube-state-metrics tells no owner, not even that it has none, is a CronJob's if its name ends as
        those of CronJobs do.
        """
        namespace = life.key.namespace
        kind, name = self.owners.get(life.pod_id, life.created_by)
        if kind == "ReplicaSet":
            kind, name = self.replicasets.get((namespace, name), (kind, name))
        elif kind == "Job":
            due = None if (namespace, name) in self.jobs_told else _DUE.search(name)
            made = ("CronJob", name[: due.start()]) if due else (kind, name)
            kind, name = self.jobs.get((namespace, name), made)
        if kind in _NOBODY or name in _NOBODY:
            return WorkloadKey(namespace, "Pod", life.key.pod)
        return WorkloadKey(namespace, kind, name)

    def team(self, life: Life, ownership: Ownership) -> str:
        """The first owner label on the pod, then the team of its namespace."""
        own = _labelled(self.pod_labels.get(life.pod_id, {}), ownership)
        return own or self.team_of(life.key.namespace, ownership)

    def team_of(self, namespace: str, ownership: Ownership) -> str:
        """The first owner label on the namespace, then its configured owner."""
        own = _labelled(self.namespace_labels.get(namespace, {}), ownership)
        return own or ownership.namespaces.get(namespace, UNALLOCATED)


def _labelled(labels: Labels, ownership: Ownership) -> str | None:
    plain = {plain_label(name): text for name, text in labels.items()}
    return next((team for name in ownership.labels if (team := plain.get(plain_label(name)))), None)


def registry_of(signals: Reading, window: Window) -> Registry:
    """The owners and labels of everything that was seen, as they were last told within the day."""
    owners = newest(signals[Signal.POD_OWNER], pod_id, window)
    pods = newest(signals[Signal.POD_LABELS], pod_id, window)
    namespaces = newest(signals[Signal.NAMESPACE_LABELS], lambda labels: labels.get("namespace", ""), window)
    return Registry(
        owners={pod: _owner(labels) for pod, labels in owners.items()},
        replicasets=_chain(signals[Signal.REPLICASET_OWNER], "replicaset", window),
        jobs=_chain(signals[Signal.JOB_OWNER], "job_name", window),
        jobs_told=frozenset(
            (labels.get("namespace", ""), labels.get("job_name", ""))
            for labels in signals[Signal.JOB_OWNER].labels
        ),
        pod_labels={pod: own_labels(labels) for pod, labels in pods.items()},
        namespace_labels={namespace: own_labels(labels) for namespace, labels in namespaces.items()},
    )


def _chain(series: Series, name: str, window: Window) -> dict[tuple[str, str], tuple[str, str]]:
    """The owner of each object that has one."""

    def key_of(labels: Labels) -> tuple[str, str]:
        return labels.get("namespace", ""), labels.get(name, "")

    owners = {key: _owner(labels) for key, labels in newest(series, key_of, window).items()}
    return {key: owner for key, owner in owners.items() if not set(owner) & set(_NOBODY)}


def _owner(labels: Labels) -> tuple[str, str]:
    return labels.get("owner_kind", ""), labels.get("owner_name", "")
