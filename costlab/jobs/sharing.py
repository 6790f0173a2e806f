"""How many physical devices a piece of an accelerator's resource stands for. docs/methods.md, "Nodes"."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from costlab.config.book import plain_model
from costlab.config.device_resource import DeviceResources, exposed
from costlab.domain.signals import Labels, Series, Signal
from costlab.jobs.reading import Reading
from costlab.jobs.stays import Stay, StayKey, while_there

PRODUCT = "label_nvidia_com_gpu_product"
# Where nodes name their devices' model, the surest first: NVIDIA's and AMD's labellers, Google's and Karpenter's labels.
_PRODUCTS = (
    PRODUCT,
    "label_amd_com_gpu_product_name",
    "label_cloud_google_com_gke_accelerator",
    "label_cloud_google_com_gke_tpu_accelerator",
    "label_karpenter_k8s_aws_instance_gpu_name",
    "label_karpenter_k8s_aws_instance_accelerator_name",
)
_GPU, _SHARED = "nvidia_com_gpu", "_shared"
_COUNT = "label_nvidia_com_gpu_count"
_REPLICAS = re.compile(r"label_(nvidia_com_(?:gpu|mig_.+))_replicas")
_GKE_REPLICAS = "label_cloud_google_com_gke_max_shared_clients_per_gpu"
# A product such as A100-SXM4-40GB-MIG-1g.5gb-SHARED: with MIG's single strategy plain GPUs are instances.
_CUT = re.compile(r"-MIG-(\d+g\.\d+gb.*?)(?:-SHARED)?$")
_SUFFIX = re.compile(r"(?:-MIG-.*|-SHARED)$")
_GKE_CUT = "label_cloud_google_com_gke_gpu_partition_size"
_AMD_CUT = "label_amd_com_compute_memory_partition"
_SEEN_BY = (Signal.GPU_UTILIZATION, Signal.GPU_ENGINE_ACTIVE, Signal.GPU_MEMORY_USED)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a node's labels say that its devices are shared, by resource.

    replicas: how many pods share a device or an instance. cut: what a piece really is, such as nvidia_com_mig_1g_10gb.
    count: physical GPUs, None where they are not told.
    """

    replicas: Mapping[str, int] = field(default_factory=dict)
    cut: Mapping[str, str] = field(default_factory=dict)
    count: int | None = None

    @property
    def tells(self) -> bool:
        """Whether it says anything of sharing."""
        return bool(self.replicas or self.cut or self.count)


@dataclass(frozen=True, slots=True)
class GpuKind:
    """The devices of a node during one of its stays: their model, and how they are shared.

    told: (since when, plan), oldest first. guessed: how many pods share one, from the devices seen, where no label
    tells; None where they let guess nothing. advertised: the most pieces of each resource. seen: the most devices at
    one time. models: all that were seen; by_profile: the model of the MIG instances of each resource.
    """

    start_ms: int
    end_ms: int
    model: str | None
    told: tuple[tuple[int, Plan], ...]
    guessed: int | None
    advertised: Mapping[str, float]
    seen: int
    models: tuple[str, ...]
    by_profile: Mapping[str, str]

    def plan(self, at_ms: int) -> Plan:
        """What the labels say at a time."""
        if not self.told:
            return Plan()
        return next((plan for since_ms, plan in reversed(self.told) if since_ms <= at_ms), self.told[0][1])

    def model_of(self, resource: str) -> str | None:
        """The model of the devices behind a resource."""
        return self.by_profile.get(resource.removesuffix(_SHARED), self.model)

    def replicas(self, resource: str, at_ms: int) -> int:
        """How many pods may share a device, or an instance, under this resource's name."""
        own = resource.removesuffix(_SHARED)
        if resource == own and self.advertised.get(f"{own}{_SHARED}"):
            return 1  # beside one that was renamed, what keeps the name is not shared
        plan = self.plan(at_ms)
        if own in plan.replicas:
            return plan.replicas[own]
        pieces = self.advertised.get(resource, 0.0)
        if own == _GPU and plan.count and own not in plan.cut and pieces > plan.count:
            return int(pieces // plan.count) if pieces % plan.count == 0 else 1
        return 1

    def away_ms(self, at_ms: int) -> int:
        """How far an instant is from the stay."""
        return max(self.start_ms - at_ms, at_ms - self.end_ms, 0)


@dataclass(frozen=True, slots=True)
class Sharing:
    """What each node's devices are, stay by stay, oldest first."""

    resources: DeviceResources
    kinds: dict[str, list[GpuKind]]

    def share(self, node: str, resource: str, at_ms: int) -> float | None:
        """What part of a physical device a piece is: its slices' part, over those who share it; None for no device."""
        kind = self._kind(node, at_ms)
        model = kind.model_of(resource) if kind else None
        share = self.resources.share(resource, model)
        if share is None or kind is None:
            return share
        twin = self.resources.same_as(resource)
        if twin and kind.advertised.get(twin) and kind.advertised.get(resource):
            return kind.advertised[twin] / kind.advertised[resource]
        if cut := kind.plan(at_ms).cut.get(resource.removesuffix(_SHARED)):
            share = self.resources.share(cut, kind.model_of(cut)) or share
        if kind.guessed and self.resources.whole(resource) and _shareable(resource, kind.advertised):
            return share / kind.guessed
        return share / kind.replicas(resource, at_ms)

    def devices(self, node: str, pieces: Mapping[str, float], at_ms: int) -> float:
        """The physical devices behind the pieces of resources that a node offers.

        What is only another name for them counts once.
        """
        return sum(
            count * (self.share(node, resource, at_ms) or 0.0)
            for resource, count in pieces.items()
            if not pieces.get(self.resources.same_as(resource) or "")
        )

    def capacity(self, node: str, pieces: Mapping[str, float], at_ms: int) -> float:
        """The same, and what a layout of MIG instances leaves over of the devices that were seen."""
        kind, known = self._kind(node, at_ms), self.devices(node, pieces, at_ms)
        if kind is None:
            return known
        cut = kind.plan(at_ms).cut
        sliced = any(n and self.resources.sliced(cut.get(name, name)) for name, n in pieces.items())
        return max(known, float(kind.seen)) if sliced else known

    def model(self, node: str, at_ms: int) -> str | None:
        """The model of the node's devices; None where nothing tells."""
        kind = self._kind(node, at_ms)
        return kind.model if kind else None

    def changes(self, node: str) -> set[int]:
        """When another plan was told."""
        return {since_ms for kind in self.kinds.get(node, []) for since_ms, _ in kind.told[1:]}

    def guessed(self) -> dict[str, list[int]]:
        """The numbers of replicas that are guessed, by node, in their order."""
        found = {
            node: list(dict.fromkeys(kind.guessed for kind in kinds if kind.guessed))
            for node, kinds in self.kinds.items()
        }
        return {node: counts for node, counts in found.items() if counts}

    def mixed(self) -> dict[str, tuple[str, ...]]:
        """Nodes on which several models were seen in one stay, and the models."""
        return {
            node: kind.models
            for node, kinds in self.kinds.items()
            for kind in kinds
            if len({plain_model(model) for model in kind.models}) > 1
        }

    def assumed(self) -> dict[str, list[str]]:
        """Resources whose slices are parts of a model that is not known, by node."""
        found: dict[str, set[str]] = defaultdict(set)
        for node, kinds in self.kinds.items():
            for kind in kinds:
                cuts = {cut for _, plan in kind.told for cut in plan.cut.values()}
                for resource in {name for name, n in kind.advertised.items() if n} | cuts:
                    if self.resources.assumes(resource, kind.model_of(resource)):
                        found[node].add(resource)
        return {node: sorted(names) for node, names in found.items()}

    def _kind(self, node: str, at_ms: int) -> GpuKind | None:
        # A pod is bound up to a scrape before its node is told of.
        return min(self.kinds.get(node, []), key=lambda kind: kind.away_ms(at_ms), default=None)


def devices_expected(resource: str, pieces: float, share: float) -> float:
    """How many devices or MIG instances an exporter would show for a container's request."""
    return pieces if "_mig_" in resource else max(1, math.ceil(share - 1e-9))


def sharing_of(signals: Reading, stays: list[Stay], resources: DeviceResources) -> Sharing:
    """How each node's devices are shared: as its labels say, else as the devices seen let guess.

    Advertised devices that are a whole multiple of those seen at one time are taken for shared that many times.
    """
    told, products = _labelled(signals[Signal.NODE_LABELS], stays)
    devices = _devices(signals, stays)
    pieces = _advertised(signals[Signal.NODE_CAPACITY], stays, resources)
    kinds: dict[str, list[GpuKind]] = defaultdict(list)
    for stay in stays:
        seen, advertised, plans = devices.get(stay.key, _Seen()), pieces[stay.key], told.get(stay.key, [])
        labelled = any(plan.tells for _, plan in plans)
        kinds[stay.node].append(
            GpuKind(
                stay.start_ms, stay.end_ms, seen.model or products.get(stay.key), tuple(plans),
                None if labelled else _guess(advertised, seen.at_once, resources),
                advertised, seen.at_once, seen.models, seen.by_profile,
            )
        )  # fmt: skip
    return Sharing(resources, kinds)


def _labelled(
    node_labels: Series, stays: list[Stay]
) -> tuple[dict[StayKey, list[tuple[int, Plan]]], dict[StayKey, str]]:
    """Since when each node was labelled with which plan, and with which model."""
    told: dict[StayKey, list[tuple[int, Plan]]] = defaultdict(list)
    products: dict[StayKey, str] = {}
    for one in while_there(node_labels, stays):
        if product := next((one.labels[name] for name in _PRODUCTS if one.labels.get(name)), None):
            products[one.stay.key] = _SUFFIX.sub("", product)
        plan = _plan(one.labels)
        if plan.tells or product:
            told[one.stay.key].append((one.first_ms, plan))
    return {key: _changing(plans) for key, plans in told.items()}, products


def _plan(labels: Labels) -> Plan:
    numbers = {name: int(text) for name, text in labels.items() if text.isdigit() and int(text) > 0}
    replicas = {match[1]: n for name, n in numbers.items() if (match := _REPLICAS.fullmatch(name))}
    cut = {}
    if _GKE_REPLICAS in numbers:
        replicas[_GPU] = numbers[_GKE_REPLICAS]
    if profile := _CUT.search(labels.get(PRODUCT, "")):
        cut[_GPU] = exposed(f"nvidia_com_mig_{profile[1]}")
    elif size := labels.get(_GKE_CUT):
        cut[_GPU] = exposed(f"nvidia_com_mig_{size}")
    if partition := labels.get(_AMD_CUT):
        cut["amd_com_gpu"] = exposed(f"amd_com_{partition}")
    return Plan(replicas, cut, numbers.get(_COUNT))


def _changing(plans: list[tuple[int, Plan]]) -> list[tuple[int, Plan]]:
    """The plans in the order of time, each only where it is another than the one before."""
    ordered = sorted(plans, key=lambda one: one[0])
    return [
        one
        for before, one in zip([None, *ordered], ordered, strict=False)
        if not before or before[1] != one[1]
    ]


def _guess(advertised: Mapping[str, float], seen: int, resources: DeviceResources) -> int | None:
    """How many times as many devices are advertised as were seen: a whole number above 1, or None."""
    whole = [(n, resource) for resource, n in advertised.items() if resources.whole(resource)]
    shared = [(n, resource) for n, resource in whole if _shareable(resource, advertised)]
    pieces, resource = max(shared, default=(0.0, ""))
    physical = seen - sum(n for n, other in whole if other != resource)
    return int(pieces // physical) if physical > 0 and pieces > physical and pieces % physical == 0 else None


def _shareable(resource: str, advertised: Mapping[str, float]) -> bool:
    """Beside a resource that was renamed because it is shared, the one that keeps the name is not."""
    return not advertised.get(f"{resource}{_SHARED}")


@dataclass(frozen=True, slots=True)
class _Seen:
    """The devices that a stay's exporters showed."""

    at_once: int = 0
    model: str | None = None
    models: tuple[str, ...] = ()
    by_profile: Mapping[str, str] = field(default_factory=dict)


def _devices(signals: Reading, stays: list[Stay]) -> dict[StayKey, _Seen]:
    """The most devices seen at one time on each node, and the models that most series name."""
    lives: dict[StayKey, dict[str, tuple[int, int]]] = defaultdict(dict)
    models: dict[StayKey, Counter[str]] = defaultdict(Counter)
    profiles: dict[StayKey, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for signal in _SEEN_BY:
        told = (one for _, series in signals.blocks(signal) for one in while_there(series, stays))
        for one in told:
            key, device = one.stay.key, one.labels.get("gpu_uuid") or one.labels.get("gpu_index", "")
            before = lives[key].get(device, (one.first_ms, one.last_ms))
            lives[key][device] = (min(one.first_ms, before[0]), max(one.last_ms, before[1]))
            if model := one.labels.get("gpu_model"):
                models[key][model] += 1
                if profile := one.labels.get("mig_profile"):
                    profiles[key][exposed(f"nvidia_com_mig_{profile}")][model] += 1
    return {
        key: _Seen(
            _at_once(list(spans_of.values())),
            _most(models[key]) if models[key] else None,
            tuple(sorted(models[key])),
            {resource: _most(counts) for resource, counts in profiles[key].items()},
        )
        for key, spans_of in lives.items()
    }


def _most(counts: Counter[str]) -> str:
    return min(counts, key=lambda name: (-counts[name], name))


def _at_once(lives: list[tuple[int, int]]) -> int:
    starts, ends = (np.sort(np.array(side, np.int64)) for side in zip(*lives, strict=True))
    return int(max(i + 1 - np.searchsorted(ends, start) for i, start in enumerate(starts)))


def _advertised(
    capacity: Series, stays: list[Stay], resources: DeviceResources
) -> dict[StayKey, dict[str, float]]:
    """The most pieces of each accelerator's resource that each node told of."""
    advertised: dict[StayKey, dict[str, float]] = defaultdict(dict)
    for one in while_there(capacity, stays):
        resource = one.labels.get("resource", "")
        if resource in resources:
            mine = advertised[one.stay.key]
            mine[resource] = max(mine.get(resource, 0.0), float(one.values.max()))
    return advertised
