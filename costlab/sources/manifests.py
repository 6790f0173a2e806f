"""What manifests ask of a cluster: pods and their effective requests, before anything is applied."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

from costlab.config.document import Document, documents_of
from costlab.config.faults import Place
from costlab.domain.errors import ConfigError
from costlab.domain.identity import WorkloadKey
from costlab.domain.units import parse_quantity
from costlab.sources.pod_templates import Groups, Kind, Several, kind_of

# What runs nothing is not worth a word.
_COST_NOTHING = frozenset(
    ("Namespace", "Service", "ServiceAccount", "ConfigMap", "Secret", "Role", "RoleBinding", "ClusterRole",
     "ClusterRoleBinding", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "ResourceQuota", "LimitRange",
     "PriorityClass", "HorizontalPodAutoscaler", "CustomResourceDefinition")
)  # fmt: skip


# What a container gets where it asks for none, by resource.
Defaults: TypeAlias = dict[str, Fraction]


@dataclass(frozen=True, slots=True)
class Planned:
    """A workload as it is to be applied, or a part of one whose pods are of several kinds.

    part: which of them, '' where all are alike. pods: how many run at a time, None for one on every node that it fits. requests: of one pod, in cores, bytes or pieces
    by resource as Kubernetes writes it; what is not asked for has no key. lasting: whether it stays up until deleted.
    """

    where: str
    workload: WorkloadKey
    pods: int | None
    lasting: bool
    requests: Mapping[str, Fraction]
    labels: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    part: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The workloads of some manifests, and what is in them that cannot be priced: `file:line Kind/name`."""

    workloads: tuple[Planned, ...]
    unpriced: tuple[str, ...]


def planned(text: str, path: Path, namespace: str = "default") -> Plan:
    """What a text of YAML documents asks for; `namespace` is that of objects that name none.

    Raises ConfigError, with the document and its line, for what is not YAML, no object, or asks for no quantity.
    """
    objects: list[tuple[_Object, str, Kind]] = []
    unpriced: list[str] = []
    defaults: dict[str, Defaults] = {}
    for number, document in enumerate(documents_of(text, path), start=1):
        for fault in document.faults:
            raise ConfigError(
                f"{fault.where}: document {number}: {fault.key} {fault.text}", "write it out as plain YAML"
            )
        for each in _objects(document, number):
            name, own = each.text("kind"), each.namespace or namespace
            if kind := kind_of(str(each.content.get("apiVersion") or ""), name):
                objects.append((each, own, kind))
            elif name == "LimitRange":
                defaults[own] = _defaults(each)
            elif name not in _COST_NOTHING:
                unpriced.append(f"{each.where()} {name}/{each.name}")
    workloads = (
        part
        for each, own, kind in objects
        for part in _parts(each, WorkloadKey(own, each.text("kind"), each.name), kind, defaults.get(own, {}))
    )
    return Plan(tuple(workloads), tuple(unpriced))


@dataclass(frozen=True, slots=True)
class _Object:
    """A mapping within a document, with the way to it, so that every fault has its line."""

    document: Document
    number: int
    place: Place
    content: dict[str, Any]

    def where(self, *keys: str | int) -> str:
        return self.document.where((*self.place, *keys))

    def fault(self, keys: Sequence[str | int], text: str, hint: str) -> ConfigError:
        way = ".".join(map(str, (*self.place, *keys)))
        return ConfigError(f"{self.where(*keys)}: document {self.number}: {way or 'it'} {text}", hint)

    def inner(self, *keys: str) -> "_Object":
        """The mapping under some keys; an empty one where there is none."""
        found = self
        for key in keys:
            value = found.content.get(key)
            if value is None:
                value = {}
            if not isinstance(value, dict):
                raise found.fault((key,), "must be a mapping", "compare it with kubectl explain")
            found = _Object(self.document, self.number, (*found.place, key), value)
        return found

    def items(self, key: str) -> "Iterator[_Object]":
        """The mappings of a list; none where there is no list."""
        value = self.content.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            raise self.fault((key,), "must be a list", "compare it with kubectl explain")
        for place, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.fault((key, place), "must be a mapping", "compare it with kubectl explain")
            yield _Object(self.document, self.number, (*self.place, key, place), item)

    def text(self, key: str) -> str:
        value = self.content.get(key)
        if not isinstance(value, str) or not value:
            raise self.fault((), f"has no {key}", "a Kubernetes object has apiVersion, kind and metadata")
        return value

    def texts(self, *keys: str) -> dict[str, str]:
        return {key: str(value) for key, value in self.inner(*keys).content.items()}

    def count(self, key: str, default: int) -> int:
        value = self.content.get(key, default)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.fault((key,), f"is {value!r}, not a number of pods", "write a whole number from 0 on")
        return value

    @property
    def name(self) -> str:
        """Its name, or what its generated name begins with."""
        metadata = self.inner("metadata").content
        return str(metadata.get("name") or metadata.get("generateName") or "(no name)")

    @property
    def namespace(self) -> str:
        """Its namespace; empty where it names none."""
        return str(self.inner("metadata").content.get("namespace") or "")


def _objects(document: Document, number: int) -> Iterator[_Object]:
    """The document's object, or those of its list."""
    found = _Object(document, number, (), document.content)
    if found.text("kind").endswith("List") and "items" in found.content:
        yield from found.items("items")
    else:
        yield found


def _parts(each: _Object, workload: WorkloadKey, kind: Kind, defaults: Defaults) -> Iterator[Planned]:
    """Each group of like pods. Raises ConfigError when there is none: then these are not the fields that are known."""
    found = [(groups, *told) for groups in kind.groups for told in _groups(each, groups)]
    if not found:
        way = ".".join(kind.groups[0].way)
        raise each.fault((), f"has no {way}", "compare it with kubectl explain")
    for groups, part, group in found:
        pod = group.inner(*groups.template)
        spec = pod.inner("spec")
        if not spec.content.get("containers"):
            raise spec.fault((), "has no containers", "a pod has at least one under spec.containers")
        yield Planned(
            where=group.where(),
            workload=workload,
            pods=None if kind.everywhere else _pods(group, groups),
            lasting=kind.lasting,
            requests=_effective(spec, defaults),
            labels=pod.texts("metadata", "labels"),
            node_selector=spec.texts("nodeSelector"),
            part=part,
        )


def _groups(each: _Object, groups: Groups) -> Iterator[tuple[str, _Object]]:
    """An object's groups of pods with their names; one that is not there is left out, but for the only one of a kind."""
    *above, last = groups.way or ("",)
    if not last:
        yield "", each
    elif groups.several is Several.LIST:
        for group in each.inner(*above).items(last):
            yield str(group.content.get(groups.name) or ""), group
    elif groups.several is Several.MAP:
        inside = each.inner(*groups.way)
        for name in inside.content:
            yield str(name), inside.inner(name)
    else:
        yield groups.name, each.inner(*groups.way)


def _pods(group: _Object, groups: Groups) -> int:
    """How many pods of a group run at a time."""
    pods = group.count(groups.replicas, groups.absent) if groups.replicas else 1
    if groups.hosts:
        pods *= group.count(groups.hosts, 1)
    if groups.job:
        job = group.inner(*groups.template[:-1])
        parallel = job.count("parallelism", 1)
        pods *= min(parallel, job.count("completions", parallel))
    return pods


def _defaults(limits: _Object) -> Defaults:
    """What a LimitRange gives containers that ask for nothing.

    As the API server fills it in: the default request, else the default limit, else the most that is allowed, else the least.
    """
    found: Defaults = {}
    for item in limits.inner("spec").items("limits"):
        if item.content.get("type") == "Container":
            for key in ("min", "max", "default", "defaultRequest"):
                found |= _quantities(item, key)
    return found


def _effective(spec: _Object, defaults: Defaults) -> dict[str, Fraction]:
    """What the scheduler sets aside: max(Σ containers and sidecars, the most while starting) + overhead.

    While an init container runs, so do the sidecars that come before it. What is requested for the pod as a whole
    stands instead of its containers' sum. defaults: what a container gets that asks for none.
    """
    running: dict[str, Fraction] = {}
    peak: dict[str, Fraction] = {}
    for container in spec.items("initContainers"):
        own = defaults | _asked(container)
        if container.content.get("restartPolicy") == "Always":
            running = _sum(running, own)
            peak = _most(peak, running)
        else:
            peak = _most(peak, _sum(running, own))
    for container in spec.items("containers"):
        running = _sum(running, defaults | _asked(container))
    return _sum(_most(running, peak) | _asked(spec), _quantities(spec, "overhead"))


def _asked(owner: _Object) -> dict[str, Fraction]:
    """Its requests; as the API server fills them in, a limit stands for a request that is not there."""
    return _quantities(owner, "resources", "limits") | _quantities(owner, "resources", "requests")


def _quantities(owner: _Object, *keys: str) -> dict[str, Fraction]:
    found = {}
    told = owner.inner(*keys)
    for resource, value in told.content.items():
        try:
            found[resource] = parse_quantity("" if isinstance(value, bool) else str(value))
        except ValueError as error:
            raise told.fault(
                (resource,), f"is {value!r}, no quantity", "write 500m, 2, 1.5Gi or 1e3"
            ) from error
        if found[resource] < 0:
            raise told.fault((resource,), f"is {value!r}, below 0", "write 500m, 2, 1.5Gi or 1e3")
    return found


def _sum(one: Mapping[str, Fraction], other: Mapping[str, Fraction]) -> dict[str, Fraction]:
    return {key: one.get(key, Fraction(0)) + other.get(key, Fraction(0)) for key in one.keys() | other.keys()}


def _most(one: Mapping[str, Fraction], other: Mapping[str, Fraction]) -> dict[str, Fraction]:
    return {
        key: max(one.get(key, Fraction(0)), other.get(key, Fraction(0))) for key in one.keys() | other.keys()
    }
