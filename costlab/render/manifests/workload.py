"""What of the advice for a workload goes into a manifest, and what is refused, in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

from costlab.domain.quantity import Form, canonical, rounded_up
from costlab.domain.units import MIB, Resource
from costlab.render import advice_words
from costlab.render.names import named

Row = Mapping[str, Any]

API_VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "CronJob": "batch/v1",
}
_REFUSED = {
    "Job": "the pod template of a Job cannot be changed: set it where the next Job is made",
    "Pod": "nothing but itself makes this pod: set it in its manifest and create it anew",
    "ReplicaSet": "a ReplicaSet does not replace its pods when its template changes",
}


@dataclass(frozen=True, slots=True)
class Steps:
    """What quantities are rounded up to, so that manifests are round: cores, bytes."""

    cpu_cores: Fraction = Fraction(1, 1000)
    memory_bytes: Fraction = Fraction(MIB)

    def written(self, quantity: float, resource: str) -> str:
        """A quantity as Kubernetes prints it, never less than is needed."""
        if resource == Resource.MEMORY:
            return canonical(rounded_up(quantity, self.memory_bytes), Form.BINARY)
        return canonical(rounded_up(quantity, self.cpu_cores))


@dataclass(frozen=True, slots=True)
class Container:
    """A container's rows of advice that have a proposal, by resource."""

    name: str
    rows: Mapping[str, Row]

    def resources(self, steps: Steps) -> dict[str, dict[str, str | None]]:
        """Its `resources`, only what is advised; a limit that is to go is None, which deletes it when it is merged."""
        requests = {name: steps.written(row["proposed_request"], name) for name, row in self.rows.items()}
        limits = {
            name: None if row["proposed_limit"] is None else steps.written(row["proposed_limit"], name)
            for name, row in self.rows.items()
            if row["proposed_limit"] is not None or row["current_limit"] is not None
        }
        found: dict[str, dict[str, str | None]] = {"requests": dict(requests)}
        return found | ({"limits": limits} if limits else {})


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload and its containers with advice. refused: what cannot be changed, in words; empty: nothing."""

    cluster: str
    namespace: str
    kind: str
    name: str
    containers: Sequence[Container]
    refused: str = ""

    @property
    def text(self) -> str:
        """Its name for people."""
        return named(f"{self.namespace}/{self.kind}/{self.name}")

    def comments(self) -> list[str]:
        """Lines for above its manifest: of what cluster, and every change with money, risk and evidence."""
        lines = [f"{self.text} in cluster {named(self.cluster)}"]
        for container in self.containers:
            for resource, row in container.rows.items():
                lines += [
                    f"{named(container.name)} {resource}: {advice_words.change(row)}",
                    f"  {advice_words.saving(row)}; {advice_words.reason(row)}",
                    f"  {advice_words.risk(row)}; evidence: {advice_words.evidence(row)}",
                ]
        return lines


def workloads(rows: Iterable[Row]) -> list[Workload]:
    """The workloads of rows in the order of their names, of advice with a proposed request of CPU or memory."""
    proposed = [
        row
        for row in rows
        if row["action"] == "request"
        and row["proposed_request"] is not None
        and row["resource"] in (Resource.CPU, Resource.MEMORY)
        and row["container"]  # a pod's overhead is no container that a manifest could name
    ]
    found = []
    for key, of_workload in groupby(proposed, lambda row: tuple(row[name] for name in _KEY)):
        containers = [
            Container(name, {row["resource"]: row for row in some})
            for name, some in groupby(of_workload, lambda row: str(row["container"]))
        ]
        cluster, namespace, kind, name = key
        found.append(Workload(cluster, namespace, kind, name, containers, _refusal(kind, containers)))
    return found


def _refusal(kind: str, containers: Sequence[Container]) -> str:
    if kind in _REFUSED:
        return _REFUSED[kind]
    for container in containers:
        for resource, row in container.rows.items():
            if row["proposed_limit"] is not None and row["proposed_limit"] < row["proposed_request"]:
                return f"{container.name}: the {resource} limit is below the request, and Kubernetes refuses that"
    return ""


_KEY = ("cluster", "namespace", "workload_kind", "workload")
